/** The LLaDA network, and FlexMDM made from it, without tensors. */
import { countParameters } from "../../model/parameters.js"
import { problem, type NetworkPart, type Rule } from "../part.js"
import { headRules, transformerActivations } from "../transformer.js"
import { addedParameters, dropoutPlaces, lladaParameters } from "./parameters.js"
import { LladaModel } from "./schema.js"

const rules: readonly Rule<LladaModel>[] = [
  ...headRules.map(
    (rule): Rule<LladaModel> =>
      (subject) =>
        rule({ ...subject, model: sizesOf(subject.model) }),
  ),
  ({ model: { flex }, objective }) =>
    (flex !== undefined) !== (objective.kind === "flexmdm") &&
    problem(
      "/objective/kind",
      flex === undefined
        ? '"llada" for a network without a gap head'
        : '"flexmdm" for a network with a gap head',
      JSON.stringify(objective.kind),
      "model.flex makes FlexMDM of LLaDA: it adds the time path and the gap head.",
    ),
  ({ model: { flex, attentionMask } }) =>
    attentionMask === "honoured" &&
    flex === undefined &&
    problem(
      "/model/attentionMask",
      '"ignored" for a network of fixed length',
      '"honoured"',
      "Every position of its rows is a token: what stands behind a text is the boundary token.",
    ),
  ({ model: { lora } }) =>
    lora?.dropout === 1 && problem("/model/lora/dropout", "a share below 1", 1, "With 1 nothing is left."),
  ({ model, training: { stepsPerGroup } }) =>
    model.frozen &&
    stepsPerGroup > 0 &&
    addedParameters(model).length === 0 &&
    problem(
      "/model/frozen",
      "false, or model.lora or model.flex beside it",
      true,
      "With a frozen backbone and nothing added there is nothing to train.",
    ),
]

/** The sizes in the terms that transformers share. */
const sizesOf = (model: LladaModel) => ({ ...model, mlpRatio: model.mlpWidth / model.width })

/** Share of the positions whose logits a training step computes: half are masked, a quarter where rows grow. */
const scoredShare = ({ flex }: LladaModel): number => (flex === undefined ? 1 / 2 : 1 / 4)

/** Weights of the products of one position, the head aside. */
const productsOf = (model: LladaModel): { readonly backbone: number; readonly adapters: number } => {
  const all = lladaParameters(model)
  const adapters = all.filter(
    ({ name }) => name.includes(".lora_") || name.startsWith("scalar_length_head.proj"),
  )
  return {
    backbone: countParameters(all.filter(({ group }) => group === "matrix")),
    adapters: countParameters(adapters),
  }
}

export const lladaNetwork: NetworkPart<LladaModel> = {
  kind: "llada",
  schema: LladaModel,
  systems: ["flexmdm-8b"],
  specials: "inside",
  rules,
  sections: [
    ["adapters", /\.lora_[AB]\./],
    ["embedding", /\.wte\./],
    ["attention", /\.(q_proj|k_proj|v_proj|attn_out)\.weight$/],
    ["mlp", /\.blocks\.\d+\.(ff_proj|up_proj|ff_out)\.weight$/],
    ["norms", /\.(attn_norm|ff_norm|ln_f)\./],
    ["head", /^model\.transformer\.ff_out\.weight$/],
    ["time path", /^time_mlp\./],
    ["modulation", /\.temb_mod\./],
    ["gap head", /^scalar_length_head\./],
  ],
  tokenRows: ({ tableRows }) => tableRows,
  attention: () => "bidirectional",
  endSlot: ({ flex }) => (flex === undefined ? undefined : "extra"),
  padding: ({ attentionMask }) => (attentionMask === "honoured" ? "unseen" : "seen"),
  dropout: ({ lora, width, layers }) =>
    lora === undefined || (lora.dropout ?? 0) === 0
      ? undefined
      : { rate: lora.dropout!, width, places: dropoutPlaces(layers) },
  takes: ({ flex, attentionMask }) => [
    ...(flex === undefined ? [] : ["time"]),
    ...(attentionMask === "honoured" ? ["lengths"] : []),
  ],
  parameters: (model) => lladaParameters(model),
  flops: (model, _vocabSize, length) => {
    const { backbone, adapters } = productsOf(model)
    const { width, layers, tableRows } = model
    return 2 * (backbone + adapters + tableRows * width) + 4 * length * width * layers
  },
  // Frozen weights need the gradient of their inputs alone; logits are computed where a token is masked.
  trainingFlops: (model, _vocabSize, length) => {
    const { backbone, adapters } = productsOf(model)
    const { width, layers, tableRows, frozen } = model
    const passes = frozen ? 2 : 3
    const head = scoredShare(model) * tableRows * width
    return 2 * (passes * (backbone + head) + 3 * adapters) + 3 * 4 * length * width * layers
  },
  activationBytes: (model, _vocabSize, rows, length) =>
    transformerActivations(sizesOf(model), model.tableRows, rows, length),
  // bf16, attention without its squares: 14 vectors of the width and 4 of the MLP's for each layer and position, and
  // three copies of the logits that are computed, in fp32. A mask of dropout is a byte an entry, and what it leaves bf16.
  acceleratorBytes: (model, _vocabSize, rows, length) => {
    const { layers, width, mlpWidth, tableRows, lora } = model
    const dropped = (lora?.dropout ?? 0) === 0 ? 0 : 3 * width * dropoutPlaces(layers).length
    const kept = 2 * layers * (14 * width + 4 * mlpWidth) + 12 * scoredShare(model) * tableRows
    return rows * length * (kept + dropped)
  },
}
