/** Parameters of the autoregressive baseline, with names and shapes of the published state dict. */
import { linearInit, ones, zeros, type Initial, type ParameterSpec } from "../../model/parameters.js"
import type { GptModel } from "./schema.js"

/** Blocks whose outputs are kept as skips for the others. */
export const encoderLayers = ({ layers }: GptModel): number => Math.floor(layers / 2)
const skips = (model: GptModel): number => Math.min(encoderLayers(model), model.layers - encoderLayers(model))

const matrix = (
  name: string,
  out: number,
  fanIn: number,
  init: Initial = linearInit(fanIn),
): ParameterSpec => ({ name: `${name}.weight`, shape: [out, fanIn], init, group: "matrix" })

const rest = (name: string, shape: readonly number[], init: Initial): ParameterSpec => ({
  name,
  shape,
  init,
  group: "rest",
})

/** Every parameter in the order of the published state dict. `vocabSize` is the table's height when the model names none. */
export const gptParameters = (model: GptModel, vocabSize: number): readonly ParameterSpec[] => {
  const { width, heads, layers } = model
  const kvWidth = (width / heads) * model.kvHeads
  const mlp = Math.floor(width * model.mlpRatio)
  const block = (at: string): readonly ParameterSpec[] => [
    rest(`${at}.attn_scale`, [width], ones),
    rest(`${at}.mlp_scale`, [width], ones),
    rest(`${at}.resid_mix`, [2, width], { kind: "rows", values: [1, 0] }),
    rest(`${at}.attn.q_gain`, [heads], { kind: "constant", value: model.qGain }),
    matrix(`${at}.attn.c_q`, width, width),
    matrix(`${at}.attn.c_k`, kvWidth, width),
    matrix(`${at}.attn.c_v`, kvWidth, width),
    matrix(`${at}.attn.proj`, width, width, zeros),
    matrix(`${at}.mlp.fc`, mlp, width),
    matrix(`${at}.mlp.proj`, width, mlp, zeros),
  ]
  return [
    ...(skips(model) === 0 ? [] : [rest("skip_weights", [skips(model), width], ones)]),
    {
      name: "tok_emb.weight",
      shape: [model.tableRows ?? vocabSize, width],
      init: { kind: "normal", std: model.tiedEmbeddingStd },
      group: "embedding",
    },
    ...Array.from({ length: layers }, (_, i) => block(`blocks.${i}`)).flat(),
  ]
}
