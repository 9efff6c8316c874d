/** Parameters of LLaDA under their published names (safetensors of GSAI-ML/LLaDA-8B-Base), and of what is added. */
import { loraNames, loraParameters } from "../../model/lora-parameters.js"
import { linearInit, ones, zeros, type Initial, type ParameterSpec } from "../../model/parameters.js"
import type { LladaModel } from "./schema.js"

export const BLOCKS = "model.transformer.blocks"
export const EMBEDDING = "model.transformer.wte"
export const LAST_NORM = "model.transformer.ln_f"
/** The token head; `ff_out` of a block is its MLP's last layer. */
export const HEAD = "model.transformer.ff_out"

/** Layers of a block that adapters stand on. */
export const ADAPTED = ["q_proj", "k_proj", "v_proj"] as const

/** The place of the head's adapter among those of dropout. */
export const HEAD_PLACE = "ff_out"

/** Where training drops inputs of adapters: each adapter has a mask of its own, as in PEFT. */
export const dropoutPlaces = (layers: number): readonly string[] => [
  ...Array.from({ length: layers }, (_, i) => ADAPTED.map((name) => `blocks.${i}.${name}`)).flat(),
  HEAD_PLACE,
]

/** Names of a layer's parameters within it; its modulation belongs to a group of layers. */
export const layerParameters: readonly string[] = [
  ...["attn_norm", "ff_norm", "attn_out", "ff_out", "ff_proj", "up_proj", ...ADAPTED].map(
    (n) => `${n}.weight`,
  ),
  ...ADAPTED.flatMap((name) => Object.values(loraNames(name))),
]

/** Where the modulation of layer i is: at the first layer of its group. */
export const modulationOf = (layer: number, groupSize: number): string =>
  `${BLOCKS}.${layer - (layer % groupSize)}.temb_mod`

/** Initial weights of a backbone that is trained here; the published one is loaded. */
const INIT: Initial = { kind: "normal", std: 0.02 }

const matrix = (name: string, out: number, fanIn: number): ParameterSpec => ({
  name: `${name}.weight`,
  shape: [out, fanIn],
  init: INIT,
  group: "matrix",
})

/** The backbone, in the order of its state dict; where it is frozen it is kept in bf16, as the published code holds it. */
export const backboneParameters = (model: LladaModel): readonly ParameterSpec[] =>
  model.frozen ? backbone(model).map((spec) => ({ ...spec, frozen: true, storage: "bf16" })) : backbone(model)

const backbone = ({ width, layers, mlpWidth, tableRows }: LladaModel): readonly ParameterSpec[] => {
  const norm = (name: string): ParameterSpec => ({
    name: `${name}.weight`,
    shape: [width],
    init: ones,
    group: "rest",
  })
  const table = (name: string): ParameterSpec => ({
    name: `${name}.weight`,
    shape: [tableRows, width],
    init: INIT,
    group: "embedding",
  })
  const block = (at: string): readonly ParameterSpec[] => [
    matrix(`${at}.attn_out`, width, width),
    matrix(`${at}.ff_out`, width, mlpWidth),
    norm(`${at}.attn_norm`),
    norm(`${at}.ff_norm`),
    matrix(`${at}.q_proj`, width, width),
    matrix(`${at}.k_proj`, width, width),
    matrix(`${at}.v_proj`, width, width),
    matrix(`${at}.ff_proj`, mlpWidth, width),
    matrix(`${at}.up_proj`, mlpWidth, width),
  ]
  return [
    table(EMBEDDING),
    norm(LAST_NORM),
    ...Array.from({ length: layers }, (_, i) => block(`${BLOCKS}.${i}`)).flat(),
    table(HEAD),
  ]
}

/** Adapters of the query, key and value projections and of the token head. */
const adapterParameters = ({ width, layers, tableRows, lora }: LladaModel): readonly ParameterSpec[] =>
  lora === undefined
    ? []
    : [
        ...Array.from({ length: layers }, (_, i) =>
          ADAPTED.flatMap((name) => loraParameters(`${BLOCKS}.${i}.${name}`, width, width, lora)),
        ).flat(),
        ...loraParameters(HEAD, tableRows, width, lora),
      ]

/** Weight [out, fanIn] and bias. */
const dense = (
  name: string,
  out: number,
  fanIn: number,
  init: Initial = linearInit(fanIn),
  bias: Initial = init,
): readonly ParameterSpec[] => [
  { name: `${name}.weight`, shape: [out, fanIn], init, group: "rest" },
  { name: `${name}.bias`, shape: [out], init: bias, group: "rest" },
]

/** Time path, grouped modulation and gap head. */
const flexParameters = ({ width, layers, flex }: LladaModel): readonly ParameterSpec[] => {
  if (flex === undefined) return []
  const groups = Math.ceil(layers / flex.groupSize)
  return [
    ...dense("time_mlp.0", 4 * width, width),
    ...dense("time_mlp.2", width, 4 * width),
    ...Array.from({ length: groups }, (_, g) =>
      dense(modulationOf(g * flex.groupSize, flex.groupSize), 2 * width, width, zeros),
    ).flat(),
    { name: "scalar_length_head.norm.weight", shape: [width], init: ones, group: "rest" },
    { name: "scalar_length_head.norm.bias", shape: [width], init: zeros, group: "rest" },
    ...dense("scalar_length_head.proj1", width, width),
    ...dense(
      "scalar_length_head.proj2",
      1,
      width,
      linearInit(width),
      flex.gapBias === undefined ? linearInit(width) : { kind: "constant", value: flex.gapBias },
    ),
  ]
}

/** What is trained beside the backbone. */
export const addedParameters = (model: LladaModel): readonly ParameterSpec[] => [
  ...adapterParameters(model),
  ...flexParameters(model),
]

/** Every parameter: the backbone first. */
export const lladaParameters = (model: LladaModel): readonly ParameterSpec[] => [
  ...backboneParameters(model),
  ...addedParameters(model),
]

/**
 * The name here of a tensor that PEFT or the published FlexMDM modules name: wrappers fall away, `.default` too.
 * scaling_flexmdm/llada_dit.py at brianlck/FlexMDM 99eb7b7; peft 0.15.1.
 */
export const lladaName = (published: string): string =>
  published
    .replace(/^(dit\.|peft\.)/, "")
    .replace(/^backbone\./, "")
    .replace(/^base_model\.model\./, "")
    .replace(/\.base_layer\./, ".")
    .replace(/\.(lora_[AB])\.default\./, ".$1.")
