/**
 * The run directory: append-only and crash-safe.
 *
 * ```
 * runs/index.ndjson                 one line a run, rebuilt from the manifests
 * runs/<id>/manifest.json           what the run is; written once
 *           events.ndjson           what happened; appended to
 *           checkpoints/step-<n>.safetensors
 *           evidence/<evaluation>.safetensors   what was measured; written once (see evaluators/stored-evidence.ts)
 *           results.json            the results table, recomputed from evidence
 *           lock/                   one writer
 * ```
 * Files appear whole or not at all. The latest checkpoint is found by listing, so there is no pointer to go stale.
 */
import { randomBytes } from "node:crypto"
import { mkdir, readFile, readdir, rename, rm, stat, unlink } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import type { EvidenceFile } from "../evaluators/evidence.js"
import { packEvidence, unpackEvidence, type PackedEvidence } from "../evaluators/stored-evidence.js"
import { syncDirectory, writeFileAtomic } from "../files/atomic.js"
import { systemCode } from "../files/errors.js"
import {
  readSafetensors,
  writeSafetensors,
  type SafetensorsFile,
  type Tensors,
} from "../files/safetensors.js"
import { RunError, runErrorFrom } from "./errors.js"
import { openEventLog, readEvents, type Json, type RunEvent, type StoredEvent } from "./events.js"
import { rebuildIndex } from "./list.js"
import { acquireLock, type Lock } from "./lock.js"
import { makeManifest, readManifest, runId, type ManifestInput, type RunManifest } from "./manifest.js"

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
}

/** A run that this process alone may write. */
export interface Run extends RunReader {
  readonly append: (event: RunEvent) => Promise<void>
  /** Force appended events to the disk. */
  readonly flush: () => Promise<void>
  /** Write a checkpoint, record it, then remove the oldest beyond those kept. The arrays must not change meanwhile. */
  readonly writeCheckpoint: (
    step: number,
    tensors: Tensors,
    metadata?: Readonly<Record<string, string>>,
  ) => Promise<Checkpoint>
  /** @throws RunError `exists`: evidence is never edited. */
  readonly writeEvidence: (
    evaluation: string,
    tensors: Tensors,
    metadata?: Readonly<Record<string, string>>,
    items?: readonly unknown[],
  ) => Promise<string>
  readonly writeResults: (results: unknown) => Promise<void>
  /** Flush, release the lock. Safe to call twice. */
  readonly close: () => Promise<void>
  /** Sentences about what opening repaired: a lock taken over, an unfinished line cut off. */
  readonly notices: readonly string[]
}

export interface RunOptions {
  /** Checkpoints kept besides pinned steps; 2 when absent. */
  readonly keepCheckpoints?: number
  /** Steps whose checkpoints are never removed, such as the final one. */
  readonly pinnedSteps?: readonly number[]
  readonly now?: () => Date
}

const CHECKPOINT = /^step-(\d+)\.safetensors$/
const EVIDENCE = /^([a-z0-9][a-z0-9._-]*)\.safetensors$/
/** Folder of what several evaluations share. */
const SHARED = "shared"
const STAGING = ".new-"
const HOUR = 3_600_000

const names = async (folder: string): Promise<readonly string[]> =>
  readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return []
    throw runErrorFrom(error, folder, "listing it")
  })

/** A file that evidence names. */
const readBeside = (path: string): Promise<Uint8Array> =>
  readFile(path).catch((error: unknown) => {
    throw runErrorFrom(error, path, "reading what the evidence names")
  })

/** Read a run without locking it. `directory` is the run's own folder (see `resolveRun` in list.ts). */
export const readRun = async (directory: string): Promise<RunReader> => {
  const manifest = await readManifest(join(directory, "manifest.json"))
  const checkpointFolder = join(directory, "checkpoints")
  const evidenceFolder = join(directory, "evidence")
  return {
    directory,
    manifest,
    events: () => readEvents(join(directory, "events.ndjson")),
    checkpoints: async () =>
      (await names(checkpointFolder))
        .flatMap((name) => {
          const step = CHECKPOINT.exec(name)?.[1]
          return step === undefined ? [] : [{ step: Number(step), path: join(checkpointFolder, name) }]
        })
        .sort((a, b) => a.step - b.step),
    readCheckpoint: ({ path }) =>
      readSafetensors(path).catch((error: unknown) => {
        throw runErrorFrom(error, path, "reading the checkpoint")
      }),
    evidence: async () =>
      (await names(evidenceFolder)).flatMap((name) => EVIDENCE.exec(name)?.[1] ?? []).sort(),
    readEvidence: async (evaluation) => {
      const path = join(evidenceFolder, `${evaluation}.safetensors`)
      try {
        return await unpackEvidence(
          await readSafetensors(path),
          (name) => readBeside(join(evidenceFolder, SHARED, name)),
          () => readBeside(join(evidenceFolder, `${evaluation}.ndjson`)),
        )
      } catch (error) {
        throw runErrorFrom(error, path, "reading the evidence")
      }
    },
    results: async () => {
      const path = join(directory, "results.json")
      try {
        return JSON.parse(await readFile(path, "utf8")) as Json
      } catch (error) {
        if (systemCode(error) === "ENOENT") return undefined
        throw runErrorFrom(error, path, "reading the results")
      }
    },
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** Writes evidence to `path` with the files beside it; shared files are named by their content and written once. */
export const writeEvidenceFiles = async (
  path: string,
  { tensors, metadata, shared, items }: PackedEvidence,
): Promise<void> => {
  const folder = join(dirname(path), SHARED)
  if (shared.length > 0) await mkdir(folder, { recursive: true })
  for (const { name, bytes } of shared)
    if (!(await exists(join(folder, name)))) await writeFileAtomic(join(folder, name), bytes)
  if (items !== undefined) await writeFileAtomic(path.replace(/\.safetensors$/, ".ndjson"), items)
  await writeSafetensors(path, tensors, metadata)
}

const sweepTemporaries = async (folder: string): Promise<void> => {
  for (const name of await names(folder)) {
    if (/\.tmp(-|$)/.test(name)) await unlink(join(folder, name)).catch(() => undefined)
  }
}

const save = async (path: string, doing: string, write: (path: string) => Promise<void>): Promise<void> => {
  try {
    await write(path)
  } catch (error) {
    throw runErrorFrom(error, path, doing)
  }
}

/** Rename checkpoints that cannot be read, so that they neither count as the latest nor crowd out good ones. */
const setAsideDamaged = async (reader: RunReader): Promise<readonly string[]> => {
  const { unreadable } = await latestCheckpoint(reader)
  for (const { path } of unreadable) await rename(path, `${path}.damaged`)
  return unreadable.map(({ path }) => `Set aside ${basename(path)}, which cannot be read, as .damaged.`)
}

const writable = async (
  reader: RunReader,
  lock: Lock,
  root: string,
  { keepCheckpoints = 2, pinnedSteps = [], now = () => new Date() }: RunOptions,
): Promise<Run> => {
  const { directory } = reader
  const inside = (...parts: readonly string[]): string => join(directory, ...parts)
  for (const folder of [directory, inside("checkpoints"), inside("evidence"), inside("evidence", SHARED)])
    await sweepTemporaries(folder)
  const log = await openEventLog(inside("events.ndjson"), now)
  const notices = lock.takenOver.map(
    ({ pid, since }) =>
      `Took over the lock of process ${pid} (since ${since}), which ended without releasing it.`,
  )
  notices.push(...(await setAsideDamaged(reader)))
  if (log.cut > 0) notices.push(`Cut an unfinished line of ${log.cut} bytes off the end of events.ndjson.`)
  for (const text of notices) await log.append({ type: "notice", text })

  const prune = async (): Promise<void> => {
    const all = await reader.checkpoints()
    const removable = all.slice(0, Math.max(0, all.length - Math.max(1, keepCheckpoints)))
    for (const { step, path } of removable) {
      if (!pinnedSteps.includes(step)) await unlink(path).catch(() => undefined)
    }
  }
  let closing: Promise<void> | undefined
  return {
    ...reader,
    notices,
    append: log.append,
    flush: log.flush,
    writeCheckpoint: async (step, tensors, metadata = {}) => {
      if (!Number.isSafeInteger(step) || step < 0) throw new RangeError(`A checkpoint's step is ${step}.`)
      const path = inside("checkpoints", `step-${step}.safetensors`)
      await save(path, "writing the checkpoint", (to) => writeSafetensors(to, tensors, metadata))
      await log.append({ type: "checkpoint", step, file: `checkpoints/${basename(path)}` })
      await log.flush()
      await prune()
      return { step, path }
    },
    writeEvidence: async (evaluation, tensors, metadata = {}, items) => {
      const file = `evidence/${evaluation}.safetensors`
      const path = inside("evidence", `${evaluation}.safetensors`)
      if (!EVIDENCE.test(basename(path)) || basename(path) !== `${evaluation}.safetensors`) {
        throw new RangeError(`"${evaluation}" is not the id of an evaluation.`)
      }
      if ((await reader.evidence()).includes(evaluation)) {
        throw new RunError(
          "exists",
          path,
          "this evidence was already measured and is never edited; start a new run to measure again.",
        )
      }
      const packed = packEvidence({
        tensors: tensors instanceof Map ? tensors : new Map(Object.entries(tensors)),
        metadata: { ...metadata },
        ...(items === undefined ? {} : { items }),
      })
      // The evaluation's own file comes last: evidence is there once all that it names is.
      await save(path, "writing the evidence", (to) => writeEvidenceFiles(to, packed))
      await log.append({ type: "evaluation", id: evaluation, file })
      await log.flush()
      return path
    },
    writeResults: (results) =>
      save(inside("results.json"), "writing the results", (to) =>
        writeFileAtomic(to, `${JSON.stringify(results, null, 2)}\n`),
      ),
    close: () =>
      (closing ??= (async () => {
        try {
          await log.flush()
        } finally {
          await log.close()
          await lock.release()
          await rebuildIndex(root).catch(() => undefined) // it is rebuilt from the manifests next time
        }
      })()),
  }
}

/** Remove what runs that were killed while being made left behind. */
const sweepStaging = async (root: string, now: Date): Promise<void> => {
  for (const name of await names(root)) {
    if (!name.startsWith(STAGING)) continue
    const made = await stat(join(root, name)).catch(() => undefined)
    if (made !== undefined && now.getTime() - made.mtimeMs > HOUR) {
      await rm(join(root, name), { recursive: true, force: true })
    }
  }
}

/**
 * Make a run under `root`, locked by this process. It gets its name only once its manifest is complete.
 * @throws RunError when the folder cannot be written; nothing is left behind.
 */
export const createRun = async (
  root: string,
  input: ManifestInput,
  options: RunOptions = {},
): Promise<Run> => {
  const now = options.now ?? (() => new Date())
  const started = now()
  const staging = join(root, `${STAGING}${process.pid}-${randomBytes(4).toString("hex")}`)
  let directory = staging
  let made = staging
  let lock: Lock | undefined
  try {
    await mkdir(staging, { recursive: true })
    await sweepStaging(root, started)
    lock = await acquireLock(staging, now)
    for (const folder of ["checkpoints", "evidence"]) await mkdir(join(staging, folder))
    const base = runId(started, input)
    for (let count = 1; ; count++) {
      const id = count === 1 ? base : `${base}-${count}`
      directory = join(root, id)
      await writeFileAtomic(
        join(staging, "manifest.json"),
        `${JSON.stringify(makeManifest(id, started, input), null, 2)}\n`,
      )
      try {
        await rename(staging, directory)
        made = directory
        break
      } catch (error) {
        if (!["ENOTEMPTY", "EEXIST", "EPERM", "ENOTDIR"].includes(systemCode(error) ?? "") || count === 100) {
          throw error
        }
      }
    }
    lock.moved(directory)
    await syncDirectory(root)
    const run = await writable(await readRun(directory), lock, root, options)
    await run.append({ type: "started" })
    await run.flush()
    await rebuildIndex(root).catch(() => undefined)
    return run
  } catch (error) {
    await lock?.release()
    await rm(made, { recursive: true, force: true }).catch(() => undefined)
    throw runErrorFrom(error, made === staging ? root : made, "making a run")
  }
}

/**
 * Open an existing run for writing, to resume it: the lock is taken, unfinished files are removed, an unfinished
 * event is cut off.
 * @throws RunError `locked` when another process writes it; `not-found`, `damaged`.
 */
export const openRun = async (directory: string, options: RunOptions = {}): Promise<Run> => {
  await readManifest(join(directory, "manifest.json")) // before the lock leaves a trace in a foreign folder
  const lock = await acquireLock(directory, options.now ?? (() => new Date()))
  try {
    return await writable(await readRun(directory), lock, join(directory, ".."), options)
  } catch (error) {
    await lock.release()
    throw runErrorFrom(error, directory, "opening the run")
  }
}

/**
 * The latest checkpoint that can be read whole, with those after it that could not (a faulty disk; a crash never
 * leaves one).
 */
export const latestCheckpoint = async (
  run: RunReader,
): Promise<{ readonly checkpoint: Checkpoint | undefined; readonly unreadable: readonly Checkpoint[] }> => {
  const unreadable: Checkpoint[] = []
  for (const checkpoint of [...(await run.checkpoints())].reverse()) {
    try {
      await readSafetensors(checkpoint.path, () => false) // header and length only
      return { checkpoint, unreadable }
    } catch {
      unreadable.push(checkpoint)
    }
  }
  return { checkpoint: undefined, unreadable }
}
