/**
 * The run directory: append-only and crash-safe.
 *
 * ```
 * runs/index.ndjson                 one line a run, rebuilt from the manifests
 * runs/<id>/manifest.json           what the run is, and the digests of its files
 *           events.ndjson           what happened; appended to
 *           checkpoints/step-<n>.safetensors
 *           evidence/<evaluation>.safetensors   what was measured; written once (see evaluators/stored-evidence.ts);
 *                                               read packed by gzip (.gz) too, as results that are kept for good are
 *           results.json            the results table, recomputed from evidence
 *           lock/                   one writer
 * ```
 * Files appear whole or not at all. The latest checkpoint is found by listing, so there is no pointer to go stale. The
 * digest of a file stands in the events before the file has its name, and every read compares it.
 */
import { randomBytes } from "node:crypto"
import { mkdir, rename, rm, stat, unlink } from "node:fs/promises"
import { basename, dirname, join, relative } from "node:path"
import { packEvidence, type PackedEvidence } from "../evaluators/stored-evidence.js"
import { syncDirectory, writeFileAtomic } from "../files/atomic.js"
import { bytesDigest } from "../files/digest.js"
import { systemCode } from "../files/errors.js"
import { readSafetensors, writeSafetensors, type Tensors } from "../files/safetensors.js"
import { RunError, runErrorFrom } from "./errors.js"
import { openEventLog, readEvents, type RunEvent } from "./events.js"
import { rebuildIndex } from "./list.js"
import { acquireLock, type Lock } from "./lock.js"
import { makeManifest, readManifest, runId, type ManifestInput } from "./manifest.js"
import { recordOf, recordOfStart, requireRecorded, type FileRecord, type FileRecords } from "./records.js"
import { makeFolder } from "../files/folder.js"
import {
  type Checkpoint,
  type RunReader,
  EVIDENCE,
  SHARED,
  names,
  readRun,
  recordOfWritten,
} from "./reader.js"

export { type Checkpoint, type RunReader, readRun } from "./reader.js"

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

const STAGING = ".new-"
const HOUR = 3_600_000

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** Writes the files that evidence at `path` names; shared files are named by their content and written once. */
const writeBesideEvidence = async (path: string, { shared, items }: PackedEvidence): Promise<void> => {
  const folder = join(dirname(path), SHARED)
  if (shared.length > 0) await makeFolder(folder)
  for (const { name, bytes } of shared)
    if (!(await exists(join(folder, name)))) await writeFileAtomic(join(folder, name), bytes)
  if (items !== undefined) await writeFileAtomic(path.replace(/\.safetensors$/, ".ndjson"), items)
}

/** Writes evidence to `path` with the files beside it. */
export const writeEvidenceFiles = async (path: string, packed: PackedEvidence): Promise<void> => {
  await writeBesideEvidence(path, packed)
  await writeSafetensors(path, packed.tensors, packed.metadata)
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

/** The records of the files of a run of an earlier version, which has none: digests from their first use on. */
const adoptUnrecorded = async (reader: RunReader): Promise<readonly (readonly [string, FileRecord])[]> => {
  if ((await reader.recorded()) !== undefined) return []
  const files = [
    ...(await reader.checkpoints()).map(({ path }) => `checkpoints/${basename(path)}`),
    ...(await reader.evidence()).map((id) => `evidence/${id}.safetensors`),
  ]
  return Promise.all(
    files.map(
      async (file) => [file, await recordOfWritten(join(reader.directory, ...file.split("/")))] as const,
    ),
  )
}

/** Rename checkpoints that cannot be read, so that they neither count as the latest nor crowd out good ones. */
const setAsideDamaged = async (reader: RunReader): Promise<readonly string[]> => {
  const { unreadable } = await latestCheckpoint(reader)
  for (const { path } of unreadable) await rename(path, `${path}.damaged`)
  return unreadable.map(
    ({ path }) =>
      `Set aside ${basename(path)}, which cannot be read or is not as it was written, as .damaged.`,
  )
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
  const known = new Map<string, FileRecord>(Object.entries(reader.manifest.files ?? {}))
  /** The manifest with what is known of the files; checkpoints that were removed leave it. */
  const keepRecords = async (): Promise<void> => {
    const steps = new Set((await reader.checkpoints()).map(({ path }) => `checkpoints/${basename(path)}`))
    for (const file of known.keys())
      if (file.startsWith("checkpoints/") && !steps.has(file)) known.delete(file)
    const files: FileRecords = Object.fromEntries([...known].sort(([a], [b]) => (a < b ? -1 : 1)))
    await save(inside("manifest.json"), "recording the digests of its files", (to) =>
      writeFileAtomic(to, `${JSON.stringify({ ...reader.manifest, files }, null, 2)}\n`),
    )
  }
  const keepEvents = async (): Promise<void> => {
    const { size } = await stat(inside("events.ndjson"))
    known.set("events.ndjson", await recordOfStart(inside("events.ndjson"), size))
  }
  const adopted = await adoptUnrecorded(reader)
  for (const [file, record] of adopted) known.set(file, record)
  if (adopted.length > 0 || reader.manifest.files === undefined) await keepRecords()
  if (adopted.length > 0)
    notices.push(
      `The run is of an earlier version, which recorded no digests; those of its ${adopted.length} files as they are now are recorded.`,
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
  /** A process that was suspended longer than its lease must not write beside the one that took the run over. */
  const requireHeld = async (): Promise<void> => {
    if (await lock.held()) return
    throw new RunError(
      "locked",
      directory,
      "this process gave no sign of life for so long that another took the run over, or its lock is gone; what it did since its last checkpoint is left out. Look with repro list, and go on with --resume if nothing is running.",
    )
  }
  const writeRecorded = async (
    path: string,
    doing: string,
    tensors: Tensors,
    metadata: Readonly<Record<string, string>>,
    event: (sha256: string) => RunEvent,
  ): Promise<void> => {
    const file = relative(directory, path).replaceAll("\\", "/")
    let record: FileRecord | undefined
    await requireHeld()
    await save(path, doing, (to) =>
      writeSafetensors(to, tensors, metadata, {
        beforeNaming: async (temporary) => {
          record = await recordOf(temporary)
          await log.append(event(record.sha256))
          await log.flush()
        },
      }),
    )
    known.set(file, record!)
  }
  let closing: Promise<void> | undefined
  return {
    ...reader,
    events: () => readEvents(inside("events.ndjson")), // the manifest's record of them is of when the run was opened
    notices,
    append: log.append,
    flush: log.flush,
    writeCheckpoint: async (step, tensors, metadata = {}) => {
      if (!Number.isSafeInteger(step) || step < 0) throw new RangeError(`A checkpoint's step is ${step}.`)
      const path = inside("checkpoints", `step-${step}.safetensors`)
      await writeRecorded(path, "writing the checkpoint", tensors, metadata, (sha256) => ({
        type: "checkpoint",
        step,
        file: `checkpoints/${basename(path)}`,
        sha256,
      }))
      await prune()
      await keepRecords()
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
      await requireHeld()
      // The evaluation's own file comes last: evidence is there once all that it names is.
      await save(path, "writing the evidence", (to) => writeBesideEvidence(to, packed))
      await writeRecorded(path, "writing the evidence", packed.tensors, packed.metadata, (sha256) => ({
        type: "evaluation",
        id: evaluation,
        file,
        sha256,
      }))
      await keepRecords()
      return path
    },
    writeResults: async (results) => {
      const text = new TextEncoder().encode(`${JSON.stringify(results, null, 2)}\n`)
      await requireHeld()
      // The results are made from evidence: between the two writes a reader makes them again, so no record may be stale.
      known.delete("results.json")
      await keepRecords()
      await save(inside("results.json"), "writing the results", (to) => writeFileAtomic(to, text))
      known.set("results.json", { bytes: text.byteLength, sha256: bytesDigest(text) })
      await keepRecords()
    },
    close: () =>
      (closing ??= (async () => {
        try {
          await log.flush()
          if (await lock.held()) {
            await keepEvents()
            await keepRecords()
          }
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
    await makeFolder(staging)
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
 * The latest checkpoint that can be read whole and is as the run wrote it, with those after it that are not (a faulty
 * disk, a hand; a crash never leaves one).
 */
export const latestCheckpoint = async (
  run: RunReader,
): Promise<{ readonly checkpoint: Checkpoint | undefined; readonly unreadable: readonly Checkpoint[] }> => {
  const unreadable: Checkpoint[] = []
  const recorded = await run.recorded()
  for (const checkpoint of [...(await run.checkpoints())].reverse()) {
    try {
      await readSafetensors(checkpoint.path, () => false) // header and length only
      await requireRecorded(run.directory, `checkpoints/${basename(checkpoint.path)}`, recorded)
      return { checkpoint, unreadable }
    } catch {
      unreadable.push(checkpoint)
    }
  }
  return { checkpoint: undefined, unreadable }
}
