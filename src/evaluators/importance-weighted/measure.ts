/** Evidence of code lengths along orders that are drawn independently of the text. */
import { countMaskable } from "../../inference/masking.js"
import type { Measure } from "../job.js"
import { maskedScope, withScorer } from "../masked.js"
import { measurePaths } from "../orders.js"
import type { ImportanceWeighted } from "./part.js"

export const measure: Measure<ImportanceWeighted> = async (evaluation, job) => {
  const { samples, seed } = evaluation
  const scope = maskedScope(evaluation, job)
  const { windows, options } = scope
  const sequences = countMaskable(windows, options.rule) * samples
  const { nats, paths, forwards } = await withScorer(job, scope, { most: 1, mean: 1, sequences }, (scorer) =>
    measurePaths(scorer, windows, { ...options, paths: samples, seed }),
  )
  return {
    windows,
    forwards,
    tensors: { nats: { dtype: "F64", shape: [windows.count, paths], data: nats } },
  }
}
