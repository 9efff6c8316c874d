/** The autoregressive baseline of parameter-golf without its tensors. */
import type { NetworkPart } from "../part.js"
import { headRules, transformerActivations, transformerFlops } from "../transformer.js"
import { gptParameters } from "./parameters.js"
import { GptModel } from "./schema.js"

const tokenRows = (model: GptModel, vocabSize: number): number => model.tableRows ?? vocabSize

export const gptNetwork: NetworkPart<GptModel> = {
  kind: "gpt",
  schema: GptModel,
  systems: ["mdlm"],
  rules: headRules,
  sections: [
    ["embedding (tied with the head)", /^tok_emb\./],
    ["attention", /\.attn\.(c_[qkv]|proj)\./],
    ["mlp", /\.mlp\./],
    ["scales and gains", /(_scale|resid_mix|q_gain)$/],
    ["skip weights", /^skip_weights$/],
  ],
  tokenRows,
  attention: ({ attention = "causal" }) => attention,
  takes: () => [],
  parameters: gptParameters,
  flops: (model, vocabSize, length) =>
    transformerFlops(model, gptParameters(model, vocabSize), tokenRows(model, vocabSize), length),
  activationBytes: (model, vocabSize, rows, length) =>
    transformerActivations(model, tokenRows(model, vocabSize), rows, length),
}
