/** Digests that a spec states, compared with the files. */
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

/** Digest of a shard, compared with the one that the spec states, where it does. */
export const shardDigest = async (
  path: string,
  stated?: { readonly where: string; readonly sha256: string },
): Promise<string> => {
  const found = await knownFileDigest(path)
  if (stated !== undefined) requireDigest(path, stated.where, stated.sha256, found)
  return found
}
