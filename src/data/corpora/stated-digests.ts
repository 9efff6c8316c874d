/** Digests that a spec states, compared with the files. */
import type { Data } from "../../spec/data.js"
import { knownFileDigest } from "../../files/digest.js"
import { digestMismatch } from "../../files/errors.js"

/** @throws DataMismatch unless the file has the digest that the spec states at `where`. */
export const requireDigest = (
  path: string,
  where: string,
  stated: string | undefined,
  found: string,
): void => {
  if (stated !== undefined && stated !== found) throw digestMismatch(path, where, stated, found)
}

/** Digest of a shard, compared with the one that the spec states for the path as it is written. */
export const shardDigest = async (
  corpus: Data["corpus"],
  source: string | undefined,
  path: string,
): Promise<string> => {
  const found = await knownFileDigest(path)
  if (corpus.kind === "files" && source !== undefined)
    requireDigest(path, `data.corpus.sha256 of ${source}`, corpus.sha256?.[source], found)
  return found
}
