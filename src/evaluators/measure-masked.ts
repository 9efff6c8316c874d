/** Evaluations of a masked-diffusion network: each kind to its evaluator, with a scorer of the right shape. */
import type { MaskRule } from "../diffusion/corrupt.js"
import { scoredTargets, slidingWindows } from "../metric/code/sliding.js"
import type { Evaluation } from "../spec/evaluation.js"
import type { MaskedDiffusionObjective } from "../spec/objective.js"
import { measureBlocks } from "./blocks.js"
import { makePredictor } from "../inference/predictor.js"
import { measureConfidence } from "./confidence.js"
import { measureDiscreteElbo } from "./discrete-elbo.js"
import { blockTensors, discreteElboTensors, orderTensors, pathTensors, streamTensors } from "./evidence.js"
import { EvaluationError, type EvaluateJob, type Measured } from "./job.js"
import { countMaskable } from "../inference/masking.js"
import { measureOrder, measurePaths, type FixedOrder } from "./orders.js"
import { makeScorer } from "../inference/scorer.js"
import { measureSliding } from "./sliding.js"
import type { ScoredWindows } from "../inference/windows.js"

/** Columns an evaluation scores per sequence, and how many sequences there are. */
const rowsOf = (
  evaluation: Exclude<Evaluation, { readonly kind: "autoregressive" }>,
  windows: ScoredWindows,
  rule: MaskRule,
): { readonly most: number; readonly mean: number; readonly sequences: number } => {
  const { count, length } = windows
  const tokens = countMaskable(windows, rule)
  switch (evaluation.kind) {
    case "discrete-elbo":
      return { most: length, mean: length / 2, sequences: count * evaluation.steps * evaluation.draws }
    case "any-order":
      return { most: length, mean: (length + 1) / 2, sequences: count * evaluation.draws }
    case "block-nelbo": {
      const block = Math.min(evaluation.block, length)
      return {
        most: block,
        mean: (block + 1) / 2,
        sequences: count * Math.ceil(length / block) * evaluation.draws,
      }
    }
    case "chain-rule":
      return { most: 1, mean: 1, sequences: tokens }
    case "sliding":
      return {
        most: 1,
        mean: 1,
        sequences: scoredTargets(slidingWindows(count * length, length, evaluation.stride, evaluation.tail)),
      }
    case "importance-weighted":
      return { most: 1, mean: 1, sequences: tokens * evaluation.samples }
  }
}

export const measureMasked = async (
  job: EvaluateJob,
  windows: ScoredWindows,
  { schedule }: MaskedDiffusionObjective,
  rule: MaskRule,
): Promise<Measured> => {
  const { evaluation, experiment, executor, network, parameters } = job
  const { length } = windows
  if (evaluation.kind === "autoregressive")
    throw new EvaluationError(
      evaluation.id,
      "the kind autoregressive needs an autoregressive objective; use the kind chain-rule",
    )
  if (evaluation.kind === "sliding" && evaluation.windows.alignment === "document-chunks")
    throw new EvaluationError(
      evaluation.id,
      "sliding scoring needs windows of the raw stream; change the alignment or use the kind chain-rule",
    )
  const batch = experiment.execution?.evaluationBatch
  const { most, mean, sequences } = rowsOf(evaluation, windows, rule)
  const options = { schedule, rule, onProgress: (done: number): void => job.onProgress?.(done) }
  job.onStart?.(sequences)
  if (evaluation.kind === "chain-rule" && evaluation.order === "confidence") {
    const predictor = await makePredictor(executor, network, parameters, { length, batch })
    try {
      const evidence = await measureConfidence(predictor, windows, options)
      return { tensors: (previous) => orderTensors(evidence, previous), forwards: evidence.forwards }
    } finally {
      await predictor.dispose()
    }
  }
  const scorer = await makeScorer(executor, network, parameters, { length, batch, columns: { most, mean } })
  try {
    switch (evaluation.kind) {
      case "discrete-elbo": {
        const { steps, draws, seed } = evaluation
        const evidence = await measureDiscreteElbo(scorer, windows, { ...options, steps, draws, seed })
        return { tensors: (previous) => discreteElboTensors(evidence, previous), forwards: evidence.forwards }
      }
      case "any-order":
      case "block-nelbo": {
        const { draws, seed } = evaluation
        const block = evaluation.kind === "any-order" ? length : evaluation.block
        const evidence = await measureBlocks(scorer, windows, { ...options, block, draws, seed })
        return { tensors: (previous) => blockTensors(evidence, previous), forwards: evidence.forwards }
      }
      case "chain-rule": {
        const order = evaluation.order as FixedOrder
        const evidence = await measureOrder(scorer, windows, { ...options, order, seed: evaluation.seed })
        return { tensors: (previous) => orderTensors(evidence, previous), forwards: evidence.forwards }
      }
      case "sliding": {
        const { stride, tail } = evaluation
        const evidence = await measureSliding(scorer, windows, { ...options, stride, tail })
        return { tensors: (previous) => streamTensors(evidence, previous), forwards: evidence.forwards }
      }
      case "importance-weighted": {
        const { samples, seed } = evaluation
        const evidence = await measurePaths(scorer, windows, { ...options, paths: samples, seed })
        return { tensors: (previous) => pathTensors(evidence, previous), forwards: evidence.forwards }
      }
    }
  } finally {
    await scorer.dispose()
  }
}
