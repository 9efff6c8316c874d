/** Whether the stages that a run stands on were trained on the data as they are. */
import { join } from "node:path"
import { readRun } from "../run/directory.js"
import { dataChanges } from "../run/identity.js"
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
