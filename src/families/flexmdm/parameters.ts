/**
 * Parameters of the FlexMDM network, under the names of the first published state dict (brianlck/FlexMDM
 * model/transformer.py), and the names that xlm-core gives the same tensors.
 */
import { linearInit, ones, zeros, type Initial, type ParameterSpec } from "../../model/parameters.js"
import type { FlexmdmModel, MdmModel } from "./schema.js"

const vector = (name: string, size: number, init: Initial): ParameterSpec => ({
  name,
  shape: [size],
  init,
  group: "rest",
})

/** Weight [out, fanIn] and bias of a layer that conditions; both start at zero where it modulates. */
const condition = (name: string, out: number, fanIn: number, quiet: boolean): readonly ParameterSpec[] => [
  { name: `${name}.weight`, shape: [out, fanIn], init: quiet ? zeros : linearInit(fanIn), group: "rest" },
  vector(`${name}.bias`, out, quiet ? zeros : linearInit(fanIn)),
]

const matrix = (name: string, out: number, fanIn: number): ParameterSpec => ({
  name: `${name}.weight`,
  shape: [out, fanIn],
  init: linearInit(fanIn),
  group: "matrix",
})

export const mlpWidth = ({ width, mlpRatio }: Pick<FlexmdmModel, "width" | "mlpRatio">): number =>
  Math.floor(width * mlpRatio)

/** Where activations are dropped: behind attention and MLP of each block, before their gates. */
export const dropoutPlaces = (layers: number): readonly string[] =>
  Array.from({ length: layers }, (_, i) => [`blocks.${i}.attention`, `blocks.${i}.mlp`]).flat()

/** Every parameter, in the order of the published state dict. */
export const flexmdmParameters = (model: FlexmdmModel): readonly ParameterSpec[] => [
  ...trunkParameters(model),
  ...gapHeadParameters(model),
]

/** Every parameter but those of the gap head. */
export const trunkParameters = (model: FlexmdmModel | MdmModel): readonly ParameterSpec[] => {
  const { width, layers, tableRows, conditioning } = model
  const hidden = mlpWidth(model)
  const c = conditioning.width
  const block = (at: string): readonly ParameterSpec[] => [
    vector(`${at}.norm1.weight`, width, ones),
    matrix(`${at}.attn_qkv`, 3 * width, width),
    matrix(`${at}.attn_out`, width, width),
    vector(`${at}.norm2.weight`, width, ones),
    matrix(`${at}.mlp.0`, hidden, width),
    vector(`${at}.mlp.0.bias`, hidden, linearInit(width)),
    matrix(`${at}.mlp.2`, width, hidden),
    vector(`${at}.mlp.2.bias`, width, linearInit(hidden)),
    ...condition(`${at}.adaLN_modulation`, 6 * width, c, true),
  ]
  const bound = 1 / Math.sqrt(width)
  return [
    {
      name: "vocab_embed.embedding",
      shape: [tableRows, width],
      init: model.embeddingInit === "uniform" ? { kind: "uniform", bound } : { kind: "normal", std: 1 },
      group: "embedding",
    },
    ...condition("sigma_map.mlp.0", c, 2 * conditioning.frequencies, false),
    ...condition("sigma_map.mlp.2", c, c, false),
    ...Array.from({ length: layers }, (_, i) => block(`blocks.${i}`)).flat(),
    vector("output_layer.norm_final.weight", width, ones),
    { name: "output_layer.linear.weight", shape: [tableRows, width], init: zeros, group: "embedding" },
    ...(model.headBias ? [vector("output_layer.linear.bias", tableRows, zeros)] : []),
    ...condition("output_layer.adaLN_modulation", 2 * width, c, true),
  ]
}

const gapHeadParameters = ({
  width,
  conditioning,
  gapHead,
}: Pick<FlexmdmModel, "width" | "conditioning" | "gapHead">): readonly ParameterSpec[] => {
  const c = conditioning.width
  return [
    vector("len_pred.norm.weight", width, ones),
    ...condition("len_pred.adaLN", 2 * width, c, true),
    ...condition("len_pred.proj1", width, width, false),
    { name: "len_pred.proj2.weight", shape: [1, width], init: linearInit(width), group: "rest" },
    vector(
      "len_pred.proj2.bias",
      1,
      gapHead.bias === undefined ? linearInit(width) : { kind: "constant", value: gapHead.bias },
    ),
  ]
}

/** Pieces of a name in xlm-core (xlm-models/flexmdm/model_flexmdm.py), and what they are called here. */
const XLM_PIECES: readonly (readonly [RegExp, string])[] = [
  [/^encoder\.(\d+)\./, "blocks.$1."],
  [/ada_ln_modulations\.modulation\./, "adaLN_modulation."],
  [/\.o_proj\./, ".attn_out."],
  [/\.norm([12])\.norm$/, ".norm$1.weight"],
  [/^embed_tokens\.weight$/, "vocab_embed.embedding"],
  [/^len_pred\.adaLN_modulation\.modulation\./, "len_pred.adaLN."],
  [/adaLN_modulation\.modulation\./, "adaLN_modulation."],
  [/\.norm_final\.norm$/, ".norm_final.weight"],
  [/^len_pred\.norm\.norm$/, "len_pred.norm.weight"],
]

/** Buffers that a published state dict holds beside its parameters; they are computed here. */
const BUFFERS = /(^|\.)(rotary_emb\.inv_freq|sigma_map\.freqs)$/

/** The name here of a tensor of either published state dict; null for a buffer. */
export const flexmdmName = (published: string): string | null =>
  BUFFERS.test(published)
    ? null
    : XLM_PIECES.reduce((name, [piece, ours]) => name.replace(piece, ours), published)
