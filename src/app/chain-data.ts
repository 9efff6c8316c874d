/** Whether the stages that a run stands on were trained on the data as they are. */
import { join } from "node:path"
import { readRun } from "../run/directory.js"
import { dataChanges, findRuns, type WantedRun } from "../run/identity.js"
import type { RunSummary } from "../run/list.js"
import type { RunManifest } from "../run/manifest.js"
import type { LoadedSpec } from "../spec/spec-file.js"
import { presentContent } from "./present-content.js"

/**
 * Which stage under a run was trained on other data than lie here now, as a clause, the nearest first; undefined where
 * none was. A stage whose run is gone, or whose data are not here, cannot be compared and says nothing.
 */
export const changedStage = async (
  { began }: Pick<RunManifest, "began">,
  { parent }: LoadedSpec,
  runs: string,
): Promise<string | undefined> => {
  if (parent === undefined || began?.parent === undefined) return undefined
  const run = await readRun(join(runs, began.parent.run)).catch(() => undefined)
  if (run === undefined) return undefined
  const content = await presentContent(parent.experiment.data)
  const changes = content === undefined ? [] : dataChanges(run.manifest, parent.experiment, content)
  return changes.length > 0
    ? `it stands on ${run.manifest.id}, which was trained on other data than lie here now: ${changes.join("; ")}`
    : changedStage(run.manifest, parent, runs)
}

/** Those of the runs of a spec whose every stage was trained on the data as they are; `onChanged` is told of the others. */
export const standingOf = async (
  found: readonly RunSummary[],
  spec: LoadedSpec,
  runs: string,
  onChanged: (run: string, why: string) => void = () => {},
): Promise<readonly RunSummary[]> => {
  if (spec.parent === undefined) return found
  const standing: RunSummary[] = []
  for (const each of found) {
    const changed = await changedStage((await readRun(join(runs, each.id))).manifest, spec, runs)
    if (changed === undefined) standing.push(each)
    else onChanged(each.id, changed)
  }
  return standing
}

/** The runs of an experiment that stand so. */
export const standingRuns = async (
  runs: string,
  wanted: WantedRun,
  onChanged?: (run: string, why: string) => void,
): Promise<readonly RunSummary[]> =>
  standingOf((await findRuns(runs, [wanted]))[0]!, wanted.spec, runs, onChanged)
