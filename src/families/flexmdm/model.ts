/** The FlexMDM network, and its fixed-length baseline, without their tensors. */
import { problem, type NetworkPart, type Rule, type Section } from "../part.js"
import { headRules, transformerActivations, transformerFlops } from "../transformer.js"
import { dropoutPlaces, flexmdmParameters, trunkParameters } from "./parameters.js"
import { FlexmdmModel, MdmModel } from "./schema.js"

/** How the plan groups the parameters of the transformer and its heads. */
const SECTIONS: readonly Section[] = [
  ["embedding", /^vocab_embed\./],
  ["conditioning", /^sigma_map\./],
  ["attention", /\.attn_(qkv|out)\./],
  ["mlp", /\.mlp\.[02]\.(weight|bias)$/],
  ["modulation", /^blocks\.\d+\.adaLN_modulation\./],
  ["norms", /\.norm[12]\./],
  ["head", /^output_layer\./],
  ["gap head", /^len_pred\./],
]

const dropoutRule: Rule<{ readonly kind: string; readonly dropout?: number }> = ({
  model: { dropout = 0 },
}) => dropout === 1 && problem("/model/dropout", "a share below 1", dropout, "With 1 nothing is left.")

const rules: readonly Rule<FlexmdmModel>[] = [
  ...headRules,
  ({ objective, parts }) =>
    parts.objective.kind !== "flexmdm" &&
    problem(
      "/objective/kind",
      '"flexmdm" for a network that inserts tokens',
      JSON.stringify(objective.kind),
      "Its gap head would not be trained.",
    ),
  dropoutRule,
  ({ model: { endSlot }, data: { batching } }) => {
    if (batching.kind !== "documents") return false
    const meant = endSlot === "eos-anchor" ? "anchor" : "none"
    const { end = "none" } = batching
    return (
      end !== meant &&
      problem(
        "/data/batching/end",
        `"${meant}" for the end slot "${endSlot}" of the network`,
        JSON.stringify(end),
        endSlot === "eos-anchor"
          ? "Tokens behind the last one are inserted before the boundary token that ends each row."
          : "Tokens behind the last one have a slot of their own, so rows end without a boundary token.",
      )
    )
  },
  ({ model: { rotaryWidth, width, heads } }) =>
    rotaryWidth !== undefined &&
    (rotaryWidth % 2 !== 0 || rotaryWidth > width / heads) &&
    problem("/model/rotaryWidth", `an even number of at most the head width ${width / heads}`, rotaryWidth),
  ({ model: { endSlot }, data: { tokenizer } }) =>
    endSlot === "eos-anchor" &&
    tokenizer.padId === tokenizer.boundaryId &&
    problem(
      "/data/tokenizer/padId",
      `an id other than the boundary token ${tokenizer.boundaryId}, which closes each row`,
      tokenizer.padId,
      "PAD means that there is no token, so a row that ends with it has no end: give the tokenizer a padding token of its own.",
    ),
]

export const flexmdmNetwork: NetworkPart<FlexmdmModel> = {
  kind: "flexmdm",
  schema: FlexmdmModel,
  systems: ["flexmdm"],
  rules,
  sections: SECTIONS,
  tokenRows: ({ tableRows }) => tableRows,
  classes: ({ softmax, tableRows }, vocabSize) => (softmax === "table" ? tableRows : vocabSize),
  attention: () => "bidirectional",
  endSlot: ({ endSlot }) => endSlot,
  dropout: ({ dropout = 0, width, layers }) =>
    dropout === 0 ? undefined : { rate: dropout, width, places: dropoutPlaces(layers) },
  takes: ({ timeInput }) => ["lengths", timeInput === "time" ? "time" : "insertionAlpha"],
  parameters: (model) => flexmdmParameters(model),
  flops: (model, _vocabSize, length) =>
    transformerFlops(model, flexmdmParameters(model), model.tableRows, length),
  activationBytes: (model, _vocabSize, rows, length) =>
    transformerActivations(model, model.tableRows, rows, length),
}

const mdmRules: readonly Rule<MdmModel>[] = [
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

/** The fixed-length baseline of brianlck/FlexMDM: the same transformer without a gap head. */
export const mdmNetwork: NetworkPart<MdmModel> = {
  kind: "mdm",
  schema: MdmModel,
  systems: ["flexmdm"],
  rules: mdmRules,
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
