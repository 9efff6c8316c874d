/**
 * What the hub states of its files in the headers of an answer, and the record kept of what was fetched: the commit
 * that a branch or tag stood for at first use, and the digest of each file. Later calls ask for that commit, and what
 * is fetched or found must have those digests.
 * Source: huggingface_hub, file_download.py (`get_hf_file_metadata`).
 */
import { access, constants, readFile } from "node:fs/promises"
import { join } from "node:path"
import * as Schema from "effect/Schema"
import { writeFileAtomic } from "./atomic.js"
import { knownFileDigest } from "./digest.js"
import { download, type DownloadRequest, type Statement } from "./download.js"
import { DataError, fromSystemError } from "./errors.js"
import { awaitLease } from "./lease.js"
import { hubHeaders, isPresent } from "./sources.js"

const Hex = (digits: number) => new RegExp(`^[0-9a-f]{${digits}}$`)
const COMMIT = Hex(40)
const SHA256 = Hex(64)

/** An ETag without its quotes; a weak one names the same bytes. */
const bare = (etag: string | null): string | undefined => /^(?:W\/)?"?([^"/]+)"?$/.exec(etag ?? "")?.[1]

/**
 * The digest that an answer of the hub states: SHA-256 of a file in its large storage (`x-linked-etag`), the Git blob
 * of another one (`etag` of an answer that names the commit).
 */
export const hubStatement = (headers: Headers): Statement => {
  const linked = bare(headers.get("x-linked-etag"))
  const etag = bare(headers.get("etag"))
  const commit = headers.get("x-repo-commit") ?? ""
  const stated = linked ?? (COMMIT.test(commit) ? etag : undefined)
  return {
    ...(COMMIT.test(commit) ? { commit } : {}),
    ...(stated !== undefined && SHA256.test(stated) ? { sha256: stated } : {}),
    ...(stated !== undefined && COMMIT.test(stated) ? { gitBlob: stated } : {}),
  }
}

const Pinned = Schema.Struct({
  /** Commit that the revision stood for at first use; absent where the hub did not say. */
  commit: Schema.optionalKey(Schema.String),
  /** SHA-256 of each file by its path in the repository. */
  files: Schema.Record(Schema.String, Schema.String),
})
type Pinned = typeof Pinned.Type

/** Name of the record in the folder of a revision. */
const RECORD = "fetched.json"

const readPinned = async (path: string): Promise<Pinned> => {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined
    throw fromSystemError(error, path, "reading what was fetched")
  })
  if (text === undefined) return { files: {} }
  try {
    return Schema.decodeUnknownSync(Pinned)(JSON.parse(text))
  } catch (error) {
    throw new DataError(
      "invalid",
      path,
      "it does not say which files were fetched, with their digests; move it away, and the files beside it if you do not trust them, and prepare again.",
      error,
    )
  }
}

/** The files of one revision of a hub repository in a folder. */
export interface HubFolder {
  readonly folder: string
  /** Branch, tag or commit. */
  readonly revision: string
  /** Address of a file at a revision. */
  readonly url: (revision: string, path: string) => string
  /** Where a file of the repository lies. */
  readonly local: (path: string) => string
}

export type HubOptions = Pick<DownloadRequest, "onEvent" | "signal" | "backoffMs" | "attempts">

/** The commit that the folder's files are of, where it is known. */
export const pinnedCommit = async ({ folder, revision }: HubFolder): Promise<string | undefined> =>
  COMMIT.test(revision) ? revision : (await readPinned(join(folder, RECORD))).commit

/** Digests recorded at first use, by path in the repository. */
export const recordedDigests = async ({ folder }: Pick<HubFolder, "folder">): Promise<Pinned["files"]> =>
  (await readPinned(join(folder, RECORD))).files

const record = async (place: HubFolder, change: (pinned: Pinned) => Pinned): Promise<void> => {
  const path = join(place.folder, RECORD)
  const { lease } = await awaitLease(`${path}.lock`, { passing: true })
  try {
    await writeFileAtomic(path, `${JSON.stringify(change(await readPinned(path)), undefined, 2)}\n`)
  } finally {
    await lease.release()
  }
}

/** @throws DataError where a file is another one than it was at first use */
export const requireRecorded = async (path: string, recorded: string | undefined): Promise<void> => {
  if (recorded === undefined) return
  const found = await knownFileDigest(path)
  if (found !== recorded)
    throw new DataError(
      "digest",
      path,
      `its SHA-256 is ${found}, and was ${recorded} when it was fetched: it was damaged or altered since. Run \`repro prepare\` on the spec to fetch it again.`,
    )
}

export interface HubRequest extends HubOptions {
  /** Digest that the spec states. */
  readonly sha256?: string | undefined
  /** The file may be another one tomorrow: it is asked for again for as long as no commit is known. */
  readonly moves?: boolean
  /** What is there is no good and is fetched again. */
  readonly again?: boolean
  /** Looks at the file before it is recorded. */
  readonly check?: (path: string) => Promise<unknown>
}

/**
 * A file of the repository, there with the digest that the spec or the record of its first use states; fetched where
 * it is not. A branch or tag stands for the commit of its first use from then on.
 *
 * @throws DataError as `download` does
 */
export const fetchHubFile = async (place: HubFolder, path: string, request: HubRequest): Promise<void> => {
  const { sha256, moves = false, again = false, check, ...options } = request
  const { commit: known, files } = await readPinned(join(place.folder, RECORD))
  const recorded = Object.hasOwn(files, path) ? files[path] : undefined
  const moving = moves && known === undefined && !COMMIT.test(place.revision)
  const expected = sha256 ?? (moving ? undefined : recorded)
  const local = place.local(path)
  let found: string
  let commit = known
  if (!moving && !again && (await isPresent(local, expected))) {
    options.onEvent?.({ kind: "reused", path: local })
    if (recorded !== undefined) return
    found = await knownFileDigest(local)
    const writable = await access(place.folder, constants.W_OK).then(
      () => true,
      () => false,
    )
    if (!writable) return
  } else {
    const fetched = await download({
      ...options,
      url: place.url(known ?? place.revision, path),
      path: local,
      headers: hubHeaders(),
      statement: hubStatement,
      ...(expected === undefined ? {} : { sha256: expected }),
      ...(sha256 === undefined ? { stated: `${join(place.folder, RECORD)} records of its first use` } : {}),
    })
    await check?.(local)
    found = fetched.sha256
    commit ??= fetched.commit
  }
  await record(place, (pinned) => {
    const kept = pinned.commit ?? commit
    return { ...(kept === undefined ? {} : { commit: kept }), files: { ...pinned.files, [path]: found } }
  })
}
