/** A whole run folder against what it recorded of itself. */
import { stat } from "node:fs/promises"
import { basename, join } from "node:path"
import { readRun, type RunReader } from "./directory.js"
import { RunError } from "./errors.js"
import { experimentOf } from "./experiment-of.js"
import { readFloors } from "./floors.js"
import { cureOf } from "./records.js"

export interface Verified {
  /** Files that are as the run wrote them, by path within the run. */
  readonly verified: readonly string[]
  /** Sentences, each with file and cure. */
  readonly problems: readonly string[]
  /** The run recorded no digests: only what its files say themselves was looked at. */
  readonly unverifiable: boolean
}

/** Paths that the manifest names and that are gone. */
const missing = async ({ directory, manifest }: RunReader): Promise<readonly string[]> => {
  const gone: string[] = []
  for (const file of Object.keys(manifest.files ?? {})) {
    const there = await stat(join(directory, ...file.split("/"))).catch(() => undefined)
    if (there === undefined)
      gone.push(`${join(directory, file)}: the run recorded it, and it is gone; ${cureOf(file)}.`)
  }
  return gone
}

/** Nothing is changed. A folder that is no run is a problem as well. */
export const verifyRun = async (directory: string): Promise<Verified> => {
  const problems: string[] = []
  const verified: string[] = []
  const look = async (file: string, read: () => unknown): Promise<void> => {
    try {
      await read()
      verified.push(file)
    } catch (error) {
      if (!(error instanceof RunError)) throw error
      problems.push(error.message)
    }
  }
  let run: RunReader
  try {
    run = await readRun(directory)
  } catch (error) {
    if (!(error instanceof RunError)) throw error
    return { verified, problems: [error.message], unverifiable: false }
  }
  await look("manifest.json", () => experimentOf(run))
  await look("events.ndjson", () => run.events())
  for (const checkpoint of await run.checkpoints())
    await look(`checkpoints/${basename(checkpoint.path)}`, () => run.readCheckpoint(checkpoint))
  for (const id of await run.evidence())
    await look(`evidence/${id}.safetensors`, () => (id === "floors" ? readFloors(run) : run.readEvidence(id)))
  if ((await stat(join(directory, "results.json")).catch(() => undefined)) !== undefined)
    await look("results.json", () => run.results())
  problems.push(...(await missing(run)))
  const unverifiable = (await run.recorded()) === undefined
  return {
    verified: unverifiable ? [] : verified.filter((file) => file !== "manifest.json"),
    problems,
    unverifiable,
  }
}
