/** What data are, by content: the digest of every file, in the order of use. */
import { basename } from "node:path"
import type { DataContent, FileContent } from "../../spec/content.js"
import { readTokens, type LoadedCorpus } from "./corpus.js"
import { knownFileDigest } from "../../files/digest.js"
import { DataMismatch } from "../../files/errors.js"
import { measureOverlap } from "./overlap.js"

const contents = (paths: readonly string[], digests: readonly string[]): readonly FileContent[] =>
  paths.map((path, i) => ({ file: basename(path), sha256: digests[i]! }))

/** The digests of a corpus, in the order of use. */
export const digestsOf = (corpus: LoadedCorpus): DataContent => ({
  tokenizer: { file: basename(corpus.tokenizerPath), sha256: corpus.tokenizerDigest },
  train: contents(corpus.train, corpus.trainDigests),
  validation: contents(corpus.validation, corpus.validationDigests),
})

/** The same, with what of the validation split stands in the training split. */
export const contentOf = async (corpus: LoadedCorpus): Promise<DataContent> => ({
  ...digestsOf(corpus),
  overlap: await measureOverlap(corpus.train, await readTokens(corpus.validation)),
})

/**
 * The shards are still those that were there when the work began; a file that was not touched is not read again.
 *
 * @param only the shards to look at; all when absent
 * @throws DataMismatch naming the first that changed
 */
export const requireUnchanged = async (
  corpus: Pick<LoadedCorpus, "train" | "trainDigests" | "validation" | "validationDigests">,
  only?: readonly string[],
): Promise<void> => {
  const all = [
    ...corpus.train.map((path, i) => [path, corpus.trainDigests[i]!] as const),
    ...corpus.validation.map((path, i) => [path, corpus.validationDigests[i]!] as const),
  ]
  for (const [path, began] of all) {
    if (only !== undefined && !only.includes(path)) continue
    const now = await knownFileDigest(path)
    if (now !== began)
      throw new DataMismatch(
        "digest",
        path,
        `it changed while it was in use: its SHA-256 was ${began} and is ${now}; put the file back, or start a new run.`,
      )
  }
}
