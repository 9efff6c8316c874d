/** A run that is read without being locked: each file is compared with the digest that the run recorded of it. */
import { access, readFile, readdir, stat } from "node:fs/promises"
import { basename, join } from "node:path"
import type { EvidenceFile } from "../evaluators/evidence.js"
import { unpackEvidence } from "../evaluators/stored-evidence.js"
import { bytesDigest } from "../files/digest.js"
import { systemCode } from "../files/errors.js"
import { decodeSafetensors, readSafetensors, type SafetensorsFile } from "../files/safetensors.js"
import { readUnpacked } from "../files/unpacked.js"
import { RunError, runErrorFrom } from "./errors.js"
import { readEvents, scanEvents, type Json, type StoredEvent } from "./events.js"
import { readManifest, type RunManifest } from "./manifest.js"
import { requirePlausible } from "./plausible.js"
import {
  recordedDigests,
  recordOf,
  recordOfStart,
  requireDigest,
  requireRecorded,
  type FileRecord,
  type Recorded,
} from "./records.js"

export interface Checkpoint {
  /** Optimiser steps taken. */
  readonly step: number
  readonly path: string
}

/** A run that is only read; needs no lock. */
export interface RunReader {
  readonly directory: string
  readonly manifest: RunManifest
  readonly events: () => Promise<readonly StoredEvent[]>
  /** Checkpoints by increasing step. */
  readonly checkpoints: () => Promise<readonly Checkpoint[]>
  readonly readCheckpoint: (checkpoint: Checkpoint) => Promise<SafetensorsFile>
  /** Ids of the evaluations whose evidence is there, sorted. */
  readonly evidence: () => Promise<readonly string[]>
  readonly readEvidence: (evaluation: string) => Promise<EvidenceFile>
  /** The results document; undefined before the first one is written. */
  readonly results: () => Promise<Json | undefined>
  /** Digests of its files as it wrote them; undefined for a run of an earlier version. */
  readonly recorded: () => Promise<Recorded>
}

const CHECKPOINT = /^step-(\d+)\.safetensors$/
export const EVIDENCE = /^([a-z0-9][a-z0-9._-]*)\.safetensors$/
/** Folder of what several evaluations share. */
export const SHARED = "shared"
export const names = async (folder: string): Promise<readonly string[]> =>
  readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return []
    throw runErrorFrom(error, folder, "listing it")
  })

/** Evidence that is kept for good may be packed by gzip, which changes none of its bytes or digests. */
const PACKED = ".gz"

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

/** A file as it was written, from its packed form where that alone is there; undefined where it is not packed. */
const unpacked = async (path: string): Promise<Uint8Array | undefined> =>
  !(await isThere(path)) && (await isThere(`${path}${PACKED}`)) ? readUnpacked(`${path}${PACKED}`) : undefined

/** The record of a file as it was written, packed or not. */
export const recordOfWritten = async (path: string): Promise<FileRecord> => {
  const bytes = await unpacked(path)
  return bytes === undefined ? recordOf(path) : { bytes: bytes.byteLength, sha256: bytesDigest(bytes) }
}

/** A file that evidence names. */
const readBeside = async (path: string): Promise<Uint8Array> => {
  try {
    return (await unpacked(path)) ?? (await readFile(path))
  } catch (error) {
    throw runErrorFrom(error, path, "reading what the evidence names")
  }
}

const eventsOf = (directory: string): string => join(directory, "events.ndjson")

/** @throws RunError `damaged` when the log no longer begins with what the manifest recorded */
const requireEvents = async (directory: string, record: FileRecord | undefined): Promise<void> => {
  if (record === undefined) return
  const path = eventsOf(directory)
  const size = (await stat(path).catch(() => undefined))?.size ?? 0
  const found = size < record.bytes ? undefined : await recordOfStart(path, record.bytes)
  if (found?.sha256 === record.sha256) return
  throw new RunError(
    "damaged",
    path,
    found === undefined
      ? `it has ${size} bytes, but the manifest recorded ${record.bytes}: lines are gone; restore it from a copy of the run.`
      : `its first ${record.bytes} bytes are not those that the manifest recorded; it was changed or damaged since: restore it from a copy of the run.`,
  )
}

/**
 * Read a run without locking it. `directory` is the run's own folder (see `resolveRun` in list.ts). Every file is compared
 * with the digest that the run recorded of it; a run of an earlier version recorded none.
 */
export const readRun = async (directory: string): Promise<RunReader> => {
  const manifest = await readManifest(join(directory, "manifest.json"))
  const checkpointFolder = join(directory, "checkpoints")
  const evidenceFolder = join(directory, "evidence")
  // A writer may be at work: its manifest and its events are read when they are needed.
  const recorded = async (): Promise<Recorded> => {
    const { files } = await readManifest(join(directory, "manifest.json"))
    return recordedDigests(files, (await scanEvents(eventsOf(directory))).events)
  }
  const readVerified = async (file: string, doing: string): Promise<SafetensorsFile> => {
    const path = join(directory, ...file.split("/"))
    try {
      const bytes = await unpacked(path)
      if (bytes !== undefined) {
        requireDigest(path, file, bytesDigest(bytes), await recorded())
        return decodeSafetensors(bytes, path)
      }
      await requireRecorded(directory, file, await recorded())
      return await readSafetensors(path)
    } catch (error) {
      throw runErrorFrom(error, path, doing)
    }
  }
  return {
    directory,
    manifest,
    recorded,
    events: async () => {
      const events = await readEvents(eventsOf(directory))
      await requireEvents(directory, manifest.files?.["events.ndjson"])
      return events
    },
    checkpoints: async () =>
      (await names(checkpointFolder))
        .flatMap((name) => {
          const step = CHECKPOINT.exec(name)?.[1]
          return step === undefined ? [] : [{ step: Number(step), path: join(checkpointFolder, name) }]
        })
        .sort((a, b) => a.step - b.step),
    readCheckpoint: ({ path }) => readVerified(`checkpoints/${basename(path)}`, "reading the checkpoint"),
    evidence: async () =>
      [
        ...new Set(
          (await names(evidenceFolder)).flatMap(
            (name) => EVIDENCE.exec(name.endsWith(PACKED) ? name.slice(0, -PACKED.length) : name)?.[1] ?? [],
          ),
        ),
      ].sort(),
    readEvidence: async (evaluation) => {
      const path = join(evidenceFolder, `${evaluation}.safetensors`)
      const own = await readVerified(`evidence/${evaluation}.safetensors`, "reading the evidence")
      try {
        // What it shares and its items are named by their content, so that the record of its own file holds them too.
        const file = await unpackEvidence(
          own,
          (name) => readBeside(join(evidenceFolder, SHARED, name)),
          () => readBeside(join(evidenceFolder, `${evaluation}.ndjson`)),
        )
        requirePlausible(file, evaluation, path)
        return file
      } catch (error) {
        throw runErrorFrom(error, path, "reading the evidence")
      }
    },
    results: async () => {
      const path = join(directory, "results.json")
      try {
        const text = await readFile(path, "utf8")
        const found = await recorded()
        if (found?.has("results.json") === true) await requireRecorded(directory, "results.json", found)
        return JSON.parse(text) as Json
      } catch (error) {
        if (systemCode(error) === "ENOENT") return undefined
        throw runErrorFrom(error, path, "reading the results")
      }
    },
  }
}
