/** Parameters of GPT-2 under the names and in the layout of its published state dict: matrices are [in, out]. */
import { ones, zeros, type Initial, type ParameterSpec } from "../../model/parameters.js"
import type { Gpt2Model } from "./schema.js"

/** Standard deviation of the initial matrices, and of those that write to the residual stream over sqrt(2 layers). */
const STD = 0.02

const normal = (std: number): Initial => ({ kind: "normal", std })

const vector = (name: string, size: number, init: Initial): ParameterSpec => ({
  name,
  shape: [size],
  init,
  group: "rest",
})

const linear = (name: string, fanIn: number, out: number, std = STD): readonly ParameterSpec[] => [
  { name: `${name}.weight`, shape: [fanIn, out], init: normal(std), group: "matrix" },
  vector(`${name}.bias`, out, zeros),
]

const norm = (name: string, width: number): readonly ParameterSpec[] => [
  vector(`${name}.weight`, width, ones),
  vector(`${name}.bias`, width, zeros),
]

/** Every parameter, in the order of the published state dict. */
export const gpt2Parameters = ({
  width,
  layers,
  positions,
  tableRows,
}: Gpt2Model): readonly ParameterSpec[] => {
  const residual = STD / Math.sqrt(2 * layers)
  return [
    { name: "wte.weight", shape: [tableRows, width], init: normal(STD), group: "embedding" },
    { name: "wpe.weight", shape: [positions, width], init: normal(STD), group: "embedding" },
    ...Array.from({ length: layers }, (_, i) => [
      ...norm(`h.${i}.ln_1`, width),
      ...linear(`h.${i}.attn.c_attn`, width, 3 * width),
      ...linear(`h.${i}.attn.c_proj`, width, width, residual),
      ...norm(`h.${i}.ln_2`, width),
      ...linear(`h.${i}.mlp.c_fc`, width, 4 * width),
      ...linear(`h.${i}.mlp.c_proj`, 4 * width, width, residual),
    ]).flat(),
    ...norm("ln_f", width),
  ]
}

/** Causal masks, which older files hold beside the parameters, and the head, which is the embedding. */
const DERIVED = /(^|\.)attn\.(bias|masked_bias)$|^lm_head\.weight$/

/** The name here of a tensor of a published file, with or without its prefix; null for what is derived. */
export const gpt2Name = (published: string): string | null => {
  const name = published.replace(/^transformer\./, "")
  return DERIVED.test(name) ? null : name
}
