/** GPT-2 without its tensors. */
import { problem, type NetworkPart, type Rule } from "../part.js"
import { transformerActivations, transformerFlops } from "../transformer.js"
import { gpt2Name, gpt2Parameters } from "./parameters.js"
import { Gpt2Model } from "./schema.js"

const MLP_RATIO = 4

const rules: readonly Rule<Gpt2Model>[] = [
  ({ model: { width, heads } }) =>
    width % heads !== 0 && problem("/model/heads", `a divisor of the width ${width}`, heads),
  ({ model: { positions }, data: { batching } }) =>
    batching.length > positions &&
    problem("/model/positions", `at least the ${batching.length} tokens of a row`, positions),
  ({ objective }) =>
    objective.kind !== "autoregressive" &&
    problem(
      "/objective/kind",
      '"autoregressive" for a network with a causal mask',
      JSON.stringify(objective.kind),
    ),
]

export const gpt2Network: NetworkPart<Gpt2Model> = {
  kind: "gpt2",
  schema: Gpt2Model,
  rules,
  sections: [
    ["embedding (tied with the head)", /^wte\./],
    ["positions", /^wpe\./],
    ["attention", /\.attn\./],
    ["mlp", /\.mlp\./],
    ["norms", /(^|\.)ln_(1|2|f)\./],
  ],
  tokenRows: ({ tableRows }) => tableRows,
  attention: () => "causal",
  takes: () => [],
  publishedName: gpt2Name,
  parameters: (model) => gpt2Parameters(model),
  flops: (model, _vocabSize, length) =>
    transformerFlops({ ...model, mlpRatio: MLP_RATIO }, gpt2Parameters(model), model.tableRows, length),
  activationBytes: (model, _vocabSize, rows, length) =>
    transformerActivations({ ...model, mlpRatio: MLP_RATIO }, model.tableRows, rows, length),
}
