/** What sampling has to know of an experiment. */
import { objectivePart } from "../../families/index.js"
import type { Experiment } from "../../spec/experiment.js"
import type { SampledModel } from "./settings.js"

/** @throws RangeError where the objective's rows grow */
export const sampledModel = ({ data, objective }: Pick<Experiment, "data" | "objective">): SampledModel => {
  const { tokenizer, batching } = data
  const part = objectivePart(objective)
  const rows = part.fixedRows?.(objective)
  if (rows === undefined)
    throw new RangeError(
      `rows of a fixed length are sampled here; an experiment with the objective "${objective.kind}" inserts its tokens`,
    )
  return {
    ...rows,
    window: batching.length,
    vocabSize: tokenizer.vocabSize,
    maskId: tokenizer.maskId,
    padId: tokenizer.padId,
    boundaryId: tokenizer.boundaryId,
    boundary: part.boundary(objective),
    endsAtBoundary: rows.kind === "causal" && batching.kind === "document-chunks",
  }
}
