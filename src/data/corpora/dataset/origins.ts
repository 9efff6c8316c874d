/** The files with a data set's rows: of a hub repository, found in its list, or of one's own. */
import { readFile } from "node:fs/promises"
import { basename } from "node:path"
import { DataError, fromSystemError } from "../../../files/errors.js"
import { fetched, heldDigest } from "../pairs/fetch.js"
import {
  listedFiles,
  listOrigin,
  parseList,
  rowOrigins,
  type ListedFile,
  type Origin,
  type RowSource,
} from "../pairs/place.js"
import type { CorpusOptions, PrepareOptions } from "../store.js"
import { textFiles } from "../text/inputs.js"
import type { Rows } from "./schema.js"

/** A file, with the digest that the hub lists for it. */
export type ListedOrigin = Origin & { readonly listed?: string }

const escaped = (text: string): string => text.replaceAll(/[.+^${}()|[\]\\?]/g, "\\$&")

/** Names of a repository's files that the spec means, by pattern, in the order of the patterns. */
const chosen = (
  patterns: readonly string[],
  listed: readonly ListedFile[],
  subject: string,
): readonly string[] => {
  const found = new Set<string>()
  for (const pattern of patterns) {
    const meant = new RegExp(`^${escaped(pattern).replaceAll("*", ".*")}$`, "u")
    const own = listed.filter(({ path }) => meant.test(path)).map(({ path }) => path)
    if (own.length === 0)
      throw new DataError(
        "missing",
        subject,
        `it has no file ${JSON.stringify(pattern)}, but ${listed
          .slice(0, 6)
          .map(({ path }) => path)
          .join(", ")}; correct data.corpus in the spec.`,
      )
    for (const path of own.sort()) found.add(path)
  }
  return [...found]
}

/** A hub repository's list of files, which `rowFiles` reads; a branch moves, so it is asked for again. */
export const fetchList = async (corpus: RowSource, options: PrepareOptions): Promise<void> => {
  if (corpus.source.startsWith("hf:")) await fetched(listOrigin(corpus, options), undefined, options, true)
}

/**
 * The files of one split, in order. Those of a hub repository are found in its list, which `fetchList` fetched.
 *
 * @param named files of the repository, or file: paths beside `source`; all of `source` when undefined
 * @param where the place in the spec, for people
 */
export const rowFiles = async (
  corpus: RowSource,
  named: readonly string[] | undefined,
  where: string,
  options: CorpusOptions,
): Promise<readonly ListedOrigin[]> => {
  const { source } = corpus
  if (!source.startsWith("hf:"))
    return (await textFiles(named ?? [source], where, options.base)).map((path) => ({
      path,
      name: basename(path),
    }))
  const { path } = listOrigin(corpus, options)
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw fromSystemError(error, path, "looking for the files of the repository")
  })
  const listed = parseList(text, source)
  const digests = new Map(listed.map((file) => [file.path, file.sha256]))
  const names = named === undefined ? listedFiles(text, source) : chosen(named, listed, source)
  return rowOrigins(corpus, names, options).map((origin) => {
    const sha256 = digests.get(origin.name)
    return sha256 === undefined ? origin : { ...origin, listed: sha256 }
  })
}

/** Fetches what is not there; each file has the digest that the spec states, else the one that the hub lists. */
export const fetchRows = async (
  { sha256 }: Pick<Rows, "sha256">,
  origins: readonly ListedOrigin[],
  options: PrepareOptions,
): Promise<void> => {
  for (const { listed, ...origin } of origins) await fetched(origin, sha256?.[origin.name] ?? listed, options)
}

/** The digests of files that are there, in order. @throws DataError where one is not the file that it should be */
export const rowDigests = async (
  { sha256 }: Pick<Rows, "sha256">,
  origins: readonly ListedOrigin[],
): Promise<readonly string[]> => {
  const found: string[] = []
  for (const origin of origins) found.push(await heldDigest(origin, sha256?.[origin.name]))
  return found
}
