/** The network of parameter-golf PR #1106 and #1241 (with gates #820) without its tensors. */
import type { NetworkPart, Rule } from "../part.js"
import { problem } from "../part.js"
import { headRules, transformerActivations, transformerFlops } from "../transformer.js"
import { LEVEL_BASE, mdlmParameters, sizesOf } from "./parameters.js"
import { MdlmModel } from "./schema.js"

const conditioning: Rule<MdlmModel> = ({ model, parts }) =>
  parts.objective.scored === "all" &&
  model.conditioning.kind !== "none" &&
  problem(
    "/model/conditioning/kind",
    '"none" for the autoregressive objective',
    JSON.stringify(model.conditioning.kind),
    "There is no noise level.",
  )

export const mdlmNetwork: NetworkPart<MdlmModel> = {
  kind: "mdlm",
  schema: MdlmModel,
  systems: ["mdlm"],
  rules: [...headRules, conditioning],
  sections: [
    ["embedding", /^wte\./],
    ["conditioning", /^sigma_map\./],
    ["attention", /\.attn\./],
    ["mlp", /\.mlp_(fc|proj)\./],
    ["modulation", /\.adaln/],
    ["final modulation", /^final\./],
    ["head", /^head\./],
  ],
  tokenRows: ({ tableRows }) => tableRows,
  attention: ({ attention }) => attention,
  takes: ({ conditioning: { kind } }) => (kind === "sigma" ? ["sigma"] : []),
  levelFrequencies: (model) => ({ count: sizesOf(model).frequencies, base: LEVEL_BASE }),
  parameters: (model) => mdlmParameters(model),
  flops: (model, _vocabSize, length) =>
    transformerFlops(model, mdlmParameters(model), model.tableRows, length),
  activationBytes: (model, _vocabSize, rows, length) =>
    transformerActivations(model, model.tableRows, rows, length),
}
