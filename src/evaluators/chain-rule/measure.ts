/** Evidence of the chain rule in one order: given, drawn, or the network's own. */
import { countMaskable } from "../../inference/masking.js"
import { measureConfidence, TIE_NATS } from "../confidence.js"
import { makePredictor } from "../../inference/predictor.js"
import type { EvaluateJob, Measure } from "../job.js"
import { maskedScope, withScorer, type MaskedScope } from "../masked.js"
import { measureOrder, orderTensors, type OrderEvidence } from "../orders.js"
import type { ChainRule } from "./part.js"

const measureOwnOrder = async (
  { executor, network, parameters, experiment }: EvaluateJob,
  { windows, options }: MaskedScope,
): Promise<OrderEvidence> => {
  const predictor = await makePredictor(executor, network, parameters, {
    length: windows.length,
    batch: experiment.execution?.evaluationBatch,
  })
  try {
    return await measureConfidence(predictor, windows, options)
  } finally {
    await predictor.dispose()
  }
}

export const measure: Measure<ChainRule> = async (evaluation, job) => {
  const { order, seed } = evaluation
  const scope = maskedScope(evaluation, job)
  const { windows, options } = scope
  const sequences = countMaskable(windows, options.rule)
  if (order === "confidence") {
    job.onStart?.(sequences)
    const evidence = await measureOwnOrder(job, scope)
    return {
      windows,
      forwards: evidence.forwards,
      tensors: orderTensors(evidence),
      tieNats: TIE_NATS,
    }
  }
  const evidence = await withScorer(job, scope, { most: 1, mean: 1, sequences }, (scorer) =>
    measureOrder(scorer, windows, { ...options, order, seed }),
  )
  return { windows, forwards: evidence.forwards, tensors: orderTensors(evidence) }
}
