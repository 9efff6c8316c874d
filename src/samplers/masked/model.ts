/** What sampling has to know of an experiment. */
import type { Experiment } from "../../spec/experiment.js"
import type { SampledModel } from "./settings.js"

export const sampledModel = ({ data, objective }: Experiment): SampledModel => {
  const { tokenizer, batching } = data
  const causal = objective.kind === "autoregressive"
  if (!causal && objective.kind !== "masked-diffusion")
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
    boundary: causal ? "maskable" : objective.boundary,
    schedule: causal ? { kind: "log-linear", eps: 0 } : objective.schedule,
    endsAtBoundary: causal && batching.kind === "document-chunks",
  }
}
