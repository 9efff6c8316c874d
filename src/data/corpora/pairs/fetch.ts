/** Files of a corpus fetched where they are not there. */
import { knownFileDigest } from "../../../files/digest.js"
import { download } from "../../../files/download.js"
import { DataError } from "../../../files/errors.js"
import { fetchHubFile, hubStatement, recordedDigests, requireRecorded } from "../../../files/hub.js"
import { isPresent } from "../../../files/sources.js"
import { requireDigest } from "../stated-digests.js"
import type { PrepareOptions } from "../store.js"
import type { Origin } from "./place.js"

/**
 * @param moves the file of a hub repository may be another one tomorrow: it is asked for again while no commit is known
 * @throws DataError as `download` does, or when a user's own file is not there
 */
export const fetched = async (
  { path, url, name, hub }: Origin,
  sha256: string | undefined,
  { onEvent, signal }: PrepareOptions,
  moves = false,
): Promise<void> => {
  const watched = {
    ...(onEvent === undefined ? {} : { onEvent }),
    ...(signal === undefined ? {} : { signal }),
  }
  if (hub !== undefined) return fetchHubFile(hub, name, { sha256, moves, ...watched })
  if (await isPresent(path, sha256)) return onEvent?.({ kind: "reused", path })
  if (url === undefined) {
    if (await isPresent(path))
      return requireDigest(path, `data.corpus.sha256 of ${name}`, sha256, await knownFileDigest(path))
    throw new DataError("missing", path, "there is no such file; correct data.corpus in the spec.")
  }
  await download({
    url,
    path,
    statement: hubStatement,
    ...(sha256 === undefined ? {} : { sha256 }),
    ...watched,
  })
}

/**
 * The digest of a fetched file, held against what the spec states and, of the hub, against what it was at first use.
 *
 * @throws DataError where it is another
 */
export const heldDigest = async (
  { path, name, hub }: Origin,
  stated: string | undefined,
): Promise<string> => {
  const found = await knownFileDigest(path)
  requireDigest(path, `data.corpus.sha256 of ${name}`, stated, found)
  if (hub !== undefined) await requireRecorded(path, (await recordedDigests(hub))[name])
  return found
}
