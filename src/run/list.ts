/** Finding runs: listing, the index, and what a person may type to name one. */
import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import { writeFileAtomic } from "../files/atomic.js"
import { systemCode } from "../files/errors.js"
import type { DataContent } from "../spec/content.js"
import { RunError, runErrorFrom } from "./errors.js"
import { scanEvents, type StoredEvent } from "./events.js"
import { lockHolder } from "./lock.js"
import { readManifest, type RunManifest } from "./manifest.js"

/** running: a live process writes it. stopped: killed or interrupted, can be resumed. */
export type RunStatus = "running" | "finished" | "stopped" | "failed"

export interface RunSummary {
  readonly id: string
  readonly spec: string
  readonly profile: string
  readonly fingerprint: string
  /** Digests of its data; absent in runs of earlier versions. */
  readonly data?: DataContent
  readonly started: string
  readonly status: RunStatus
  /** Optimiser steps of the last record; 0 before the first. */
  readonly step: number
  /** Lines of its events that cannot be read, from 1; absent where all can. */
  readonly damagedLines?: readonly number[]
}

const statusOf = (events: readonly StoredEvent[], held: boolean): RunStatus => {
  if (held) return "running"
  const last = events.findLast((event) => event.type !== "notice")?.type
  return last === "finished" || last === "failed" ? last : "stopped"
}

const directories = async (root: string): Promise<readonly string[]> => {
  try {
    const entries = await readdir(root, { withFileTypes: true })
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
      .map((entry) => entry.name)
      .sort()
  } catch (error) {
    if (systemCode(error) === "ENOENT") return []
    throw runErrorFrom(error, root, "listing the runs")
  }
}

/** One run's state, from its manifest, events and lock. */
export const summarizeRun = async (directory: string): Promise<RunSummary> => {
  const { id, spec, profile, fingerprint, data, started } = await readManifest(
    join(directory, "manifest.json"),
  )
  const { events, damaged } = await scanEvents(join(directory, "events.ndjson"))
  const held = (await lockHolder(directory)) !== undefined
  const step = events.findLast((event) => "step" in event)
  return {
    id,
    spec,
    profile,
    fingerprint,
    ...(data === undefined ? {} : { data }),
    started,
    status: statusOf(events, held),
    step: step !== undefined && "step" in step ? step.step : 0,
    ...(damaged.length === 0 ? {} : { damagedLines: damaged }),
  }
}

/**
 * Every run under `root`, oldest first; only those whose manifest is `wanted` when that is given. Folders that are no
 * runs are left out.
 */
export const listRuns = async (
  root: string,
  wanted?: (manifest: RunManifest) => boolean,
): Promise<readonly RunSummary[]> => {
  const runs: RunSummary[] = []
  for (const name of await directories(root)) {
    try {
      if (wanted !== undefined && !wanted(await readManifest(join(root, name, "manifest.json")))) continue
      runs.push(await summarizeRun(join(root, name)))
    } catch (error) {
      if (!(error instanceof RunError)) throw error
    }
  }
  return runs.sort((a, b) => (a.started < b.started ? -1 : a.started > b.started ? 1 : a.id < b.id ? -1 : 1))
}

/** Folders with the name of a run whose manifest cannot be read, with why, by name. */
export const damagedRuns = async (
  root: string,
): Promise<readonly { readonly id: string; readonly problem: string }[]> => {
  const found: { readonly id: string; readonly problem: string }[] = []
  for (const id of await directories(root)) {
    if (!/^\d{8}T\d{6}Z-/.test(id)) continue
    try {
      await readManifest(join(root, id, "manifest.json"))
    } catch (error) {
      if (!(error instanceof RunError)) throw error
      found.push({ id, problem: error.message })
    }
  }
  return found
}

/** Rewrite `index.ndjson` from the manifests; it can be deleted at any time. */
export const rebuildIndex = async (root: string): Promise<void> => {
  const lines: string[] = []
  for (const name of await directories(root)) {
    try {
      const { id, spec, profile, fingerprint, started } = await readManifest(
        join(root, name, "manifest.json"),
      )
      lines.push(JSON.stringify({ id, spec, profile, fingerprint, started }))
    } catch (error) {
      if (!(error instanceof RunError)) throw error
    }
  }
  try {
    await writeFileAtomic(join(root, "index.ndjson"), lines.map((line) => `${line}\n`).join(""))
  } catch (error) {
    throw runErrorFrom(error, join(root, "index.ndjson"), "writing the index of runs")
  }
}

const isRunDirectory = async (directory: string): Promise<boolean> =>
  (await stat(join(directory, "manifest.json")).catch(() => undefined))?.isFile() === true

/**
 * The folder of the run a person names: a path, an id, the beginning or a part of exactly one id, or `latest`.
 * @throws RunError `unknown-run` or `ambiguous`, naming what there is.
 */
export const resolveRun = async (root: string, name: string): Promise<string> => {
  if (await isRunDirectory(name)) return name
  const ids = await directories(root)
  const there: string[] = []
  for (const id of ids) if (await isRunDirectory(join(root, id))) there.push(id)
  const latest = there.at(-1)
  if (latest === undefined) {
    throw new RunError("unknown-run", root, 'there are no runs here; make one with "repro run SPEC".')
  }
  if (name === "latest") return join(root, latest)
  if (there.includes(name)) return join(root, name)
  const starting = there.filter((id) => id.startsWith(name))
  const matching = starting.length > 0 ? starting : there.filter((id) => name !== "" && id.includes(name))
  const [only, ...more] = matching
  if (only !== undefined && more.length === 0) return join(root, only)
  if (only === undefined) {
    throw new RunError("unknown-run", root, `no run is called "${name}"; the latest is ${latest}.`)
  }
  throw new RunError(
    "ambiguous",
    root,
    `"${name}" names ${matching.length} runs: ${matching.slice(0, 5).join(", ")}; type more of the id, or "latest".`,
  )
}
