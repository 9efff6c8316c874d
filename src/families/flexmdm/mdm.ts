/** The fixed-length baseline of brianlck/FlexMDM without its tensors. */
import { problem, type NetworkPart, type Rule } from "../part.js"
import { headRules, transformerActivations, transformerFlops } from "../transformer.js"
import { dropoutRule, SECTIONS } from "./model.js"
import { dropoutPlaces, trunkParameters } from "./parameters.js"
import { MdmModel } from "./schema.js"

const rules: readonly Rule<MdmModel>[] = [
  ...headRules,
  dropoutRule,
  ({ objective, parts }) => {
    const eps = parts.objective.eps(objective)
    return (
      eps !== 0 &&
      problem(
        "/objective",
        "an objective whose noise ends with every token masked (eps 0)",
        eps === undefined ? JSON.stringify(objective.kind) : `eps ${eps}`,
        "The network is told the visible share as exp(-sigma).",
      )
    )
  },
]

export const mdmNetwork: NetworkPart<MdmModel> = {
  kind: "mdm",
  schema: MdmModel,
  systems: ["flexmdm"],
  rules,
  sections: SECTIONS.filter(([name]) => name !== "gap head"),
  tokenRows: ({ tableRows }) => tableRows,
  attention: () => "bidirectional",
  // What stands behind a text are tokens like any other.
  padding: () => "seen",
  dropout: ({ dropout = 0, width, layers }) =>
    dropout === 0 ? undefined : { rate: dropout, width, places: dropoutPlaces(layers) },
  takes: () => ["sigma"],
  parameters: (model) => trunkParameters(model),
  flops: (model, _vocabSize, length) =>
    transformerFlops(model, trunkParameters(model), model.tableRows, length),
  activationBytes: (model, _vocabSize, rows, length) =>
    transformerActivations(model, model.tableRows, rows, length),
}
