/** What sampling has to know of an experiment. */
import type { Experiment } from "../../spec/experiment.js"
import type { SampledModel } from "./settings.js"

export const sampledModel = ({ data, objective }: Experiment): SampledModel => {
  const { tokenizer, batching } = data
  const causal = objective.kind === "autoregressive"
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
