/** What evaluations of a masked network share: the rule of its masks, its noise levels, a scorer of the right shape. */
import type { MaskRule } from "../diffusion/corrupt.js"
import type { NoiseSchedule } from "../diffusion/schedule.js"
import { objectivePart } from "../families/index.js"
import type { MaskedOptions } from "../inference/masking.js"
import { makeScorer, type Scorer } from "../inference/scorer.js"
import type { ScoredWindows } from "../inference/windows.js"
import type { Experiment } from "../spec/experiment.js"
import type { EvaluateJob } from "./job.js"
import type { OfWindows } from "./part.js"
import { windowsOf } from "./windows.js"

/** Which tokens may be masked, by the experiment's objective. */
export const maskRuleOf = ({ objective, data }: Experiment): MaskRule => {
  const { maskId, padId, boundaryId } = data.tokenizer
  return { maskId, padId, boundaryId, boundary: objectivePart(objective).boundary(objective) }
}

/** The noise levels that the network was trained on; down to nothing visible where its objective has no schedule. */
export const scheduleOf = ({ objective }: Experiment): NoiseSchedule => ({
  kind: "log-linear",
  eps: objectivePart(objective).eps(objective) ?? 0,
})

/** The token behind a text that the network has learned as its end, where there is one. */
export const textEndOf = ({ objective, data }: Experiment): number | undefined =>
  objectivePart(objective).textEnd?.(objective, data.tokenizer)

/** Windows, and how they are masked. */
export interface MaskedScope {
  readonly windows: ScoredWindows
  readonly options: MaskedOptions
}

export const maskedScope = (evaluation: OfWindows, job: EvaluateJob): MaskedScope => ({
  windows: windowsOf(evaluation, job),
  options: {
    schedule: scheduleOf(job.experiment),
    rule: maskRuleOf(job.experiment),
    onProgress: (done) => job.onProgress?.(done),
  },
})

/** Columns that are scored per sequence, at most and on average, and the number of sequences. */
export interface ScoredRows {
  readonly most: number
  readonly mean: number
  readonly sequences: number
}

/** Measures with a scorer that is made for the given rows and released afterwards. */
export const withScorer = async <A>(
  job: EvaluateJob,
  { windows }: MaskedScope,
  { most, mean, sequences }: ScoredRows,
  measure: (scorer: Scorer) => Promise<A>,
): Promise<A> => {
  const { executor, network, parameters, experiment } = job
  job.onStart?.(sequences)
  const scorer = await makeScorer(executor, network, parameters, {
    length: windows.length,
    batch: experiment.execution?.evaluationBatch,
    columns: { most, mean },
  })
  try {
    return await measure(scorer)
  } finally {
    await scorer.dispose()
  }
}
