/** Files of a corpus fetched where they are not there. */
import { mkdir } from "node:fs/promises"
import { dirname } from "node:path"
import { knownFileDigest } from "../../../files/digest.js"
import { download } from "../../../files/download.js"
import { DataError } from "../../../files/errors.js"
import { hubHeaders, isPresent } from "../../../files/sources.js"
import { requireDigest } from "../stated-digests.js"
import type { PrepareOptions } from "../store.js"
import type { Origin } from "./place.js"

/**
 * @param again fetch it even where it is there
 * @throws DataError as `download` does, or when a user's own file is not there
 */
export const fetched = async (
  { path, url, name }: Origin,
  sha256: string | undefined,
  { onEvent, signal }: PrepareOptions,
  again = false,
): Promise<void> => {
  if (!again && (await isPresent(path, sha256))) return onEvent?.({ kind: "reused", path })
  if (url === undefined) {
    if (await isPresent(path))
      return requireDigest(path, `data.corpus.sha256 of ${name}`, sha256, await knownFileDigest(path))
    throw new DataError("missing", path, "there is no such file; correct data.corpus in the spec.")
  }
  await mkdir(dirname(path), { recursive: true })
  await download({
    url,
    path,
    headers: url.includes("/datasets/") ? hubHeaders() : {},
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(onEvent === undefined ? {} : { onEvent }),
    ...(signal === undefined ? {} : { signal }),
  })
}
