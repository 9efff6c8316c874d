/** Evidence of the code length of a network that inserts, and of its published validation loss, from the same states. */
import { cleanRow } from "../../diffusion/insertion/batch.js"
import { networkPart, objectivePart } from "../../families/index.js"
import type { StoredTensor } from "../../files/safetensors.js"
import { EvaluationError, type Measure } from "../job.js"
import { windowsOf } from "../windows.js"
import type { InsertionNelbo } from "./part.js"
import { measureInsertion } from "./states.js"

/** States in one forward pass, where the spec does not say. */
const BATCH = 16

export const measure: Measure<InsertionNelbo> = async (evaluation, job) => {
  const { executor, network, parameters } = job
  const { model, objective, data, execution } = job.experiment
  const endSlot = networkPart(model).endSlot?.(model)
  const growing = objectivePart(objective).growingRows?.(objective)
  if (growing === undefined || endSlot === undefined)
    throw new EvaluationError(
      evaluation.id,
      "the kind insertion-nelbo needs a network that inserts its tokens, and an objective that says how rows grow",
    )
  const windows = windowsOf(evaluation, job)
  const { strata, draws, seed } = evaluation
  const rows = { tokens: windows.tokens, length: windows.length, ...windows.rows }
  job.onStart?.(windows.count * strata * draws)
  const evidence = await measureInsertion({
    network,
    parameters,
    executor,
    rows: Array.from({ length: windows.count }, (_, w) =>
      cleanRow(rows, w, data.tokenizer, growing.fixed, endSlot),
    ),
    ids: data.tokenizer,
    endSlot,
    schedules: growing.schedules,
    ...(growing.hitting === undefined ? {} : { hitting: growing.hitting }),
    strata,
    draws,
    seed,
    batch: execution?.evaluationBatch ?? BATCH,
    ...(job.onProgress === undefined ? {} : { onProgress: job.onProgress }),
  })
  const stored = (values: Float64Array): StoredTensor => ({
    dtype: "F64",
    shape: [windows.count, draws, strata],
    data: values,
  })
  return {
    windows,
    forwards: evidence.forwards,
    tensors: {
      times: stored(evidence.times),
      insert: stored(evidence.insert),
      unmask: stored(evidence.unmask),
      publishedInsert: stored(evidence.publishedInsert),
      publishedUnmask: stored(evidence.publishedUnmask),
      floorInsert: stored(evidence.floorInsert),
      floorUnmask: stored(evidence.floorUnmask),
    },
  }
}
