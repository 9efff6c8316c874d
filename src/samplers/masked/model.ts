/** What sampling rows of a fixed length has to know of an experiment. */
import { networkPart, objectivePart } from "../../families/index.js"
import type { Experiment } from "../../spec/experiment.js"
import type { SampledModel } from "./settings.js"

export const sampledModel = ({ data, objective, model }: Experiment): SampledModel => {
  const { tokenizer, batching } = data
  const part = objectivePart(objective)
  const causal = part.scored === "all"
  if (networkPart(model).endSlot?.(model) !== undefined)
    throw new RangeError(
      `rows of a fixed length are sampled here; an experiment with the objective "${objective.kind}" inserts its tokens`,
    )
  return {
    kind: causal ? "causal" : "masked",
    window: batching.length,
    vocabSize: tokenizer.vocabSize,
    maskId: tokenizer.maskId,
    padId: tokenizer.padId,
    boundaryId: tokenizer.boundaryId,
    boundary: causal ? "maskable" : part.boundary(objective),
    // An objective without a schedule of noise levels masks any share, up to everything.
    schedule: { kind: "log-linear", eps: causal ? 0 : (part.eps(objective) ?? 0) },
    endsAtBoundary: causal && batching.kind === "document-chunks",
  }
}
