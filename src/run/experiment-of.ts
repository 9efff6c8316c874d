/** The experiment of a run, decoded from its manifest: what a program that reads runs may rely on. */
import { join } from "node:path"
import { decodeValue } from "../spec/decode.js"
import { experimentSchema, type Experiment } from "../spec/experiment.js"
import { formatProblem, SpecError } from "../spec/spec-error.js"
import { RunError } from "./errors.js"
import type { RunManifest } from "./manifest.js"

/** What `experimentOf` reads. */
export interface ManifestOfRun {
  readonly directory: string
  readonly manifest: Pick<RunManifest, "version" | "experiment">
}

/** Steps from the experiment that a manifest of version v holds to that of version v + 1, by v. */
const MIGRATIONS: Readonly<Record<number, (experiment: unknown) => unknown>> = {}

const CURRENT: RunManifest["version"] = 1

const migrated = ({ version, experiment }: ManifestOfRun["manifest"]): unknown => {
  let value: unknown = experiment
  for (let at: number = version; at < CURRENT; at++) value = MIGRATIONS[at]!(value)
  return value
}

const decoded = new WeakMap<object, Experiment>()

/**
 * The experiment with its profile applied, as this program reads it.
 *
 * @throws RunError `damaged` with every place where the manifest holds none
 */
export const experimentOf = ({ directory, manifest }: ManifestOfRun): Experiment => {
  const known = decoded.get(manifest)
  if (known !== undefined) return known
  const file = join(directory, "manifest.json")
  try {
    const experiment = decodeValue(experimentSchema(), migrated(manifest), file)
    decoded.set(manifest, experiment)
    return experiment
  } catch (error) {
    if (!(error instanceof SpecError)) throw error
    const places = error.problems.map((problem) =>
      formatProblem({ ...problem, pointer: `/experiment${problem.pointer}` }),
    )
    throw new RunError(
      "damaged",
      file,
      `it holds no experiment that this program reads: ${places.join(" ")} Restore it from a copy of the run, or use the version that wrote it.`,
      error,
    )
  }
}
