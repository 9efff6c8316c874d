/** The experiment of a run, decoded from its manifest: what a program that reads runs may rely on. */
import { join } from "node:path"
import { decodeValue } from "../spec/decode.js"
import { experimentSchema, type Experiment } from "../spec/experiment.js"
import { formatProblem, SpecError } from "../spec/spec-error.js"
import { contradictions } from "./derived.js"
import { RunError } from "./errors.js"
import type { RunManifest } from "./manifest.js"

/** What `experimentOf` reads. */
export interface ManifestOfRun {
  readonly directory: string
  readonly manifest: Pick<RunManifest, "version" | "experiment"> & Partial<RunManifest>
}

/** Steps from the experiment that a manifest of version v holds to that of version v + 1, by v. */
const MIGRATIONS: Readonly<Record<number, (experiment: unknown) => unknown>> = {}

const CURRENT: RunManifest["version"] = 1

const migrated = ({ version, experiment }: ManifestOfRun["manifest"]): unknown => {
  let value: unknown = experiment
  for (let at: number = version; at < CURRENT; at++) value = MIGRATIONS[at]!(value)
  return value
}

/** Whether it is that of a run, and not its experiment alone. */
const isWhole = (manifest: ManifestOfRun["manifest"]): manifest is RunManifest =>
  manifest.source !== undefined && manifest.fingerprint !== undefined

const decoded = new WeakMap<object, Experiment>()

/**
 * The experiment with its profile applied, as this program reads it. What the manifest says of it besides is derived
 * again.
 *
 * @throws RunError `damaged` with every place where the manifest holds none, or contradicts itself
 */
export const experimentOf = ({ directory, manifest }: ManifestOfRun): Experiment => {
  const known = decoded.get(manifest)
  if (known !== undefined) return known
  const file = join(directory, "manifest.json")
  try {
    const experiment = decodeValue(experimentSchema(), migrated(manifest), file)
    const problems = isWhole(manifest) ? contradictions(manifest, experiment) : []
    if (problems.length > 0)
      throw new RunError(
        "damaged",
        file,
        `it contradicts itself: ${problems.join("; ")}. Restore it from a copy of the run.`,
      )
    decoded.set(manifest, experiment)
    return experiment
  } catch (error) {
    if (!(error instanceof SpecError)) throw error
    const places = error.problems.map((problem) =>
      formatProblem({ ...problem, pointer: `/experiment${problem.pointer}` }),
    )
    if (error.more > 0) places.push(`And ${error.more} more.`)
    throw new RunError(
      "damaged",
      file,
      `it holds no experiment that this program reads: ${places.join(" ")} Restore it from a copy of the run, or use the version that wrote it.`,
      error,
    )
  }
}
