/** The run of `repro eval` that was stopped and is gone on with when the same is asked again. */
import { join } from "node:path"
import type { Choice } from "../engine/choose.js"
import { wantedFingerprint } from "../run/identity.js"
import { listRuns } from "../run/list.js"
import type { RunManifest } from "../run/manifest.js"
import { reproVersion, type ExecutorProvenance } from "../run/provenance.js"
import { canonicalJson } from "../spec/canonical.js"
import type { LoadedSpec } from "../spec/spec-file.js"
import { identified, type GivenWeights } from "./given-weights.js"
import { presentContent } from "./present-content.js"

interface Asked {
  readonly spec: LoadedSpec
  readonly given: GivenWeights
  readonly choice: Choice
}

/** What was asked, and what answers it: another evaluation, executor or version is another run. */
const asked = (experiment: unknown, executor: Partial<ExecutorProvenance>, repro: string): string => {
  const { name, precision, device, threads } = executor
  return canonicalJson({ experiment, name, precision, device, threads, repro })
}

/**
 * Folder of the newest run that measures these weights under this spec, and was stopped or failed before its end;
 * undefined where there is none. One that a live process writes is left to it.
 */
export const stoppedEvaluation = async (
  runs: string,
  { spec, given, choice }: Asked,
): Promise<string | undefined> => {
  const content = await presentContent(spec.experiment.data)
  const { fingerprint } = identified(wantedFingerprint({ spec, content }), spec.differences, given)
  const executor = { name: choice.engine, ...choice.options }
  const wanted = asked(spec.experiment, executor, await reproVersion())
  const isWanted = ({ fingerprint: own, experiment, provenance }: RunManifest): boolean =>
    own === fingerprint && asked(experiment, provenance?.executor ?? {}, provenance?.repro) === wanted
  const found = await listRuns(runs, isWanted)
  const last = found.findLast(({ status }) => status === "stopped" || status === "failed")
  return last === undefined ? undefined : join(runs, last.id)
}
