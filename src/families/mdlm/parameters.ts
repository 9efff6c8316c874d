/** Sizes and parameters of the masked diffusion transformer, with names and shapes of the published state dict. */
import {
  linearInit,
  zeros,
  type Initial,
  type ParameterGroup,
  type ParameterSpec,
} from "../../model/parameters.js"
import type { MdlmModel } from "./schema.js"

export interface Sizes {
  readonly frequencies: number
  readonly hidden: number
  readonly condition: number
  readonly headWidth: number
  readonly kvWidth: number
  readonly mlp: number
}

/** Conditioning of the published network, kept with constant noise level 0 when the model has none. */
const PUBLISHED_CONDITIONING = { frequencies: 64, hidden: 512 } as const

/** Of the frequencies of the noise level's embedding. */
export const LEVEL_BASE = 10000

export const sizesOf = (model: MdlmModel): Sizes => {
  const given = model.conditioning.kind === "sigma" ? model.conditioning : PUBLISHED_CONDITIONING
  const { frequencies, hidden } = given
  const headWidth = model.width / model.heads
  return {
    frequencies,
    hidden,
    condition: ("output" in given ? given.output : undefined) ?? 2 * frequencies,
    headWidth,
    kvWidth: headWidth * (model.kvHeads ?? model.heads),
    mlp: Math.floor(model.width * model.mlpRatio),
  }
}

/** A linear layer: weight [out, fanIn], and a bias. */
const dense = (
  name: string,
  out: number,
  fanIn: number,
  bias: boolean,
  group: ParameterGroup,
  init: Initial = linearInit(fanIn),
): readonly ParameterSpec[] => [
  { name: `${name}.weight`, shape: [out, fanIn], init, group },
  ...(bias ? [{ name: `${name}.bias`, shape: [out], init, group: "rest" } as const] : []),
]

/** Every parameter in the order of the published state dict. */
export const mdlmParameters = (model: MdlmModel): readonly ParameterSpec[] => {
  const { width, layers, tableRows } = model
  const { frequencies, hidden, condition, kvWidth, mlp } = sizesOf(model)
  const quiet = model.init === "zero-output"
  const output = quiet ? zeros : undefined
  const adaln = (name: string, vectors: number) =>
    dense(name, vectors * width, condition, true, "rest", output)
  const gated = model.modulation === "gated"
  const block = (at: string): readonly ParameterSpec[] => [
    ...dense(`${at}.attn.c_q`, width, width, false, "matrix"),
    ...dense(`${at}.attn.c_k`, kvWidth, width, false, "matrix"),
    ...dense(`${at}.attn.c_v`, kvWidth, width, false, "matrix"),
    // With gates at zero a zero projection would stop every gradient of the block.
    ...dense(`${at}.attn.c_proj`, width, width, false, "matrix", gated ? undefined : output),
    ...(gated
      ? adaln(`${at}.adaln.proj`, 6)
      : [...adaln(`${at}.adaln_attn.proj`, 2), ...adaln(`${at}.adaln_mlp.proj`, 2)]),
    ...dense(`${at}.mlp_fc`, mlp, width, model.mlpBias ?? false, "matrix"),
    ...dense(`${at}.mlp_proj`, width, mlp, model.mlpBias ?? false, "matrix", gated ? undefined : output),
  ]
  return [
    { name: "wte.weight", shape: [tableRows, width], init: { kind: "normal", std: 1 }, group: "embedding" },
    ...dense("sigma_map.mlp.0", hidden, 2 * frequencies, true, "rest"),
    ...dense("sigma_map.mlp.2", condition, hidden, true, "rest"),
    ...Array.from({ length: layers }, (_, i) => block(`blocks.${i}`)).flat(),
    ...(gated ? adaln("final.proj", 2) : []),
    ...dense("head", tableRows, width, model.headBias ?? false, "embedding", output),
  ]
}
