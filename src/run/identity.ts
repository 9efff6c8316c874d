/** Whether a run is of an experiment, and of its data as they are. */
import { contentChanges, type DataContent } from "../spec/content.js"
import type { Experiment } from "../spec/experiment.js"
import { fingerprint, isOfWeights, runFingerprint, unstatedFiles } from "../spec/fingerprint.js"
import type { LoadedSpec } from "../spec/spec-file.js"
import { listRuns, type RunSummary } from "./list.js"
import type { RunManifest } from "./manifest.js"

type Identified = Pick<RunManifest, "fingerprint" | "experiment" | "data">

/** Whether a run was made to train and measure this experiment, on whatever data. */
export const isRunOf = (
  { fingerprint: own, experiment }: Pick<Identified, "fingerprint" | "experiment">,
  spec: Pick<LoadedSpec, "fingerprint">,
): boolean => {
  if (own === spec.fingerprint) return true
  return !isOfWeights(own) && settingsOf(experiment) === spec.fingerprint
}

const settings = new WeakMap<object, string | undefined>()

/** Fingerprint of a stored experiment, without the digests of its data; undefined when it is of another form. */
const settingsOf = (experiment: RunManifest["experiment"]): string | undefined => {
  if (typeof experiment !== "object" || experiment === null) return undefined
  if (!settings.has(experiment)) {
    try {
      settings.set(experiment, fingerprint(experiment as unknown as Experiment))
    } catch {
      settings.set(experiment, undefined)
    }
  }
  return settings.get(experiment)
}

/** Whether the experiment alone fixes the content of its data, so that a run needs no digests of its own. */
const fixesContent = (experiment: Experiment): boolean => unstatedFiles(experiment).length === 0

/**
 * How the data of a run of this experiment differ from `now`, as clauses; empty when they are the same. A run that
 * kept no digests has the same data only where the experiment fixes them.
 */
export const dataChanges = (
  { data }: Pick<Identified, "data">,
  experiment: Experiment,
  now: DataContent,
): readonly string[] =>
  data !== undefined
    ? contentChanges(data, now)
    : fixesContent(experiment)
      ? []
      : ["the run was made by an earlier version, which kept no digests of its data"]

/** The experiment, with the data that a run must have; undefined where no data lie on disk to compare with. */
export interface WantedRun {
  readonly spec: LoadedSpec
  readonly content: DataContent | undefined
}

/** The fingerprint of a run made now. */
export const wantedFingerprint = ({ spec, content }: WantedRun): string =>
  content === undefined ? spec.fingerprint : runFingerprint(spec.experiment, content)

/** Whether a run is the wanted one: the experiment, and the data where they are known. */
export const isWanted = (run: Identified, wanted: WantedRun): boolean => {
  const { spec, content } = wanted
  if (content === undefined) return isRunOf(run, spec)
  return (
    (isRunOf(run, spec) || run.fingerprint === wantedFingerprint(wanted)) &&
    dataChanges(run, spec.experiment, content).length === 0
  )
}

/** The runs under `root` of each wanted one, oldest first. */
export const findRuns = async (
  root: string,
  wanted: readonly WantedRun[],
): Promise<readonly (readonly RunSummary[])[]> => {
  const found = wanted.map(() => new Set<string>())
  const runs = await listRuns(root, (manifest) => {
    const matching = wanted.flatMap((each, i) => (isWanted(manifest, each) ? [i] : []))
    for (const i of matching) found[i]!.add(manifest.id)
    return matching.length > 0
  })
  return found.map((ids) => runs.filter(({ id }) => ids.has(id)))
}
