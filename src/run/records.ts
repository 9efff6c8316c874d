/**
 * What a run recorded of its own files: digests that its events and its manifest hold from before the files got their
 * names. Runs of earlier versions recorded none; they are read, and nobody can say whether they are as they were written.
 */
import { createHash } from "node:crypto"
import { stat } from "node:fs/promises"
import { join } from "node:path"
import { fileDigest, knownFileDigest } from "../files/digest.js"
import { readParts } from "../files/parts.js"
import { RunError, runErrorFrom } from "./errors.js"
import type { StoredEvent } from "./events.js"

/** Length and SHA-256 of a file; of `events.ndjson`, of its first `bytes` bytes, since it grows. */
export interface FileRecord {
  readonly bytes: number
  readonly sha256: string
}

/** By path within the run, with `/`. */
export type FileRecords = Readonly<Record<string, FileRecord>>

export const recordOf = async (path: string): Promise<FileRecord> => {
  const sha256 = await fileDigest(path)
  return { bytes: (await stat(path)).size, sha256 }
}

/** The record of the first `bytes` bytes of a file. */
export const recordOfStart = async (path: string, bytes: number): Promise<FileRecord> => {
  const hash = createHash("sha256")
  await readParts(path, (part) => hash.update(part), { end: bytes })
  return { bytes, sha256: hash.digest("hex") }
}

/** Every digest that was recorded for each file; undefined for a run of an earlier version, which recorded none. */
export type Recorded = ReadonlyMap<string, ReadonlySet<string>> | undefined

/**
 * A file that is written again (a checkpoint of a step taken twice) is recorded before it replaces the first: until
 * then the earlier record is the true one, so that both hold.
 */
export const recordedDigests = (files: FileRecords | undefined, events: readonly StoredEvent[]): Recorded => {
  const found = new Map<string, Set<string>>()
  const add = (file: string, sha256: string): void => {
    found.set(file, (found.get(file) ?? new Set()).add(sha256))
  }
  for (const [file, { sha256 }] of Object.entries(files ?? {})) add(file, sha256)
  for (const event of events) if ("file" in event && event.sha256 !== undefined) add(event.file, event.sha256)
  return files === undefined && found.size === 0 ? undefined : found
}

/** What to do about a file that is not as it was written. */
export const cureOf = (file: string): string => {
  if (file.startsWith("checkpoints/"))
    return "restore it from a copy of the run, or move it away and go on from the checkpoint before it with --resume"
  if (file.startsWith("evidence/"))
    return "restore it from a copy of the run, or move it away and measure it again with --resume"
  return "restore it from a copy of the run"
}

const foreign = (file: string): string =>
  `the run recorded no file of this name, so it is not one that the run wrote; ${cureOf(file)}.`

/** Why a file of this digest is not the one that was written; undefined where it is. */
const other = (file: string, found: string, digests: ReadonlySet<string>): string | undefined =>
  digests.has(found)
    ? undefined
    : `its SHA-256 is ${found}, but the run recorded ${[...digests].join(" or ")} when it wrote the file; it was changed or damaged since: ${cureOf(file)}.`

/**
 * The same of a file whose bytes were read already.
 *
 * @param sha256 of its bytes
 * @throws RunError `damaged` when the file is not as the run wrote it
 */
export const requireDigest = (path: string, file: string, sha256: string, recorded: Recorded): void => {
  if (recorded === undefined) return
  const digests = recorded.get(file)
  const problem = digests === undefined ? foreign(file) : other(file, sha256, digests)
  if (problem !== undefined) throw new RunError("damaged", path, problem)
}

/** Why a file is not the one that was written, or undefined where it is or nothing was recorded. */
export const departure = async (
  directory: string,
  file: string,
  recorded: Recorded,
): Promise<string | undefined> => {
  if (recorded === undefined) return undefined
  const digests = recorded.get(file)
  if (digests === undefined) return foreign(file)
  // To open a pipe would wait for someone to write to it.
  if (!(await stat(join(directory, file))).isFile()) return `it is not a regular file; ${cureOf(file)}.`
  return other(file, await knownFileDigest(join(directory, file)), digests)
}

/** @throws RunError `damaged` when the file is not as the run wrote it */
export const requireRecorded = async (directory: string, file: string, recorded: Recorded): Promise<void> => {
  const path = join(directory, file)
  const problem = await departure(directory, file, recorded).catch((error: unknown) => {
    throw runErrorFrom(error, path, "verifying it")
  })
  if (problem !== undefined) throw new RunError("damaged", path, problem)
}
