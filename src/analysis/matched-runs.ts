/** Reads finished runs for a matched comparison. */
import type { RunReader } from "../run/directory.js"
import type { StoredEvent } from "../run/events.js"
import { experimentOf } from "../run/experiment-of.js"
import { unstatedFiles } from "../spec/fingerprint.js"
import type { ResolvedClaim } from "../spec/claim.js"
import { publishedConstantOf } from "./claim-marks.js"
import { ladderOf } from "./ladder.js"
import { headlines, modelsOf } from "./matched.js"
import type { MatchedRun } from "./matched-model.js"
import { sampleCurves } from "./matched-samples.js"
import { readStudyRun } from "./study-runs.js"
import type { LadderPlot } from "./ladder-plot.js"
import { TableError } from "./table.js"

/** What of the stored plan is needed. */
interface StoredPlan {
  readonly parameters: { readonly total: number }
  readonly training: { readonly steps: number; readonly positions: number }
}

/**
 * Seconds spent in training, from the events: from each start or resumption to the last step after it. Null without
 * steps.
 */
export const trainingSeconds = (events: readonly StoredEvent[]): number | null => {
  let [total, from, to]: [number | null, number | undefined, number | undefined] = [
    null,
    undefined,
    undefined,
  ]
  const close = (): void => {
    if (from !== undefined && to !== undefined) total = (total ?? 0) + (to - from) / 1000
    from = to = undefined
  }
  for (const { type, time } of events) {
    if (type === "started" || type === "resumed") {
      close()
      from = Date.parse(time)
    } else if (type === "step") to = Date.parse(time)
  }
  close()
  return total
}

/**
 * @param claims those of the run's experiment; what they divide by is its published definition.
 * @throws TableError when evidence or floors are missing
 */
export const readMatchedRun = async (
  run: RunReader,
  claims: readonly ResolvedClaim[],
): Promise<MatchedRun> => {
  const { manifest } = run
  const experiment = experimentOf(run)
  const plan = manifest.plan as unknown as StoredPlan
  const measured = await readStudyRun(run)
  if (measured.floors.length === 0 || measured.evaluations.length === 0)
    throw new TableError(
      `${run.directory}: the run has no evidence to compare; finish it with "repro run ${manifest.spec} --profile ${manifest.profile} --resume ${manifest.id}".`,
    )
  const publishedConstant = publishedConstantOf(claims)
  const { executor } = manifest.provenance
  return {
    ...measured,
    profile: manifest.profile,
    experiment,
    ...(manifest.data === undefined || unstatedFiles(experiment).length === 0
      ? {}
      : { trainDigests: manifest.data.train.map(({ sha256 }) => sha256) }),
    parameters: plan.parameters.total,
    steps: plan.training.steps,
    positions: plan.training.positions,
    trainingSeconds: trainingSeconds(await run.events()),
    differences: manifest.differences,
    executor: `${executor.name} ${executor.precision}`,
    ...(publishedConstant === undefined ? {} : { publishedConstant }),
  }
}

/** What sampled texts are like against what they cost. */
export const matchedCurves = (runs: readonly MatchedRun[]): readonly LadderPlot[] =>
  sampleCurves(modelsOf(runs))

/** Every model's headline evaluations in one picture, means over its seeds. */
export const matchedLadder = (runs: readonly MatchedRun[]): LadderPlot | undefined =>
  ladderOf(
    modelsOf(runs).map(({ id, seeds: [first, ...others] }) => ({
      evaluations: headlines(first!.evaluations),
      otherSeeds: others.map(({ evaluations }) => headlines(evaluations)),
      series: id,
    })),
    runs[0]?.floors ?? [],
  )
