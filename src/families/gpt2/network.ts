/** GPT-2 in tensors. Matrices are [in, out], as its published files have them. */
import { geluTanh, get, layerNorm, type Tensors } from "../../model/layers.js"
import type { NetworkProgram } from "../../model/network.js"
import * as tf from "../../model/tf.js"
import type { Gpt2Model } from "./schema.js"

const affine = (x: tf.Tensor, p: Tensors, name: string): tf.Tensor =>
  tf.add(tf.matMul(x, get(p, `${name}.weight`)), get(p, `${name}.bias`))

const norm = (x: tf.Tensor, p: Tensors, name: string, eps: number): tf.Tensor =>
  tf.add(tf.mul(layerNorm(x, { eps }), get(p, `${name}.weight`)), get(p, `${name}.bias`))

/** The activations before the head, normalised: [rows * length, width]. feeds: inputIds i32 [rows, length]. */
export const gpt2Hidden = (
  p: Tensors,
  feeds: Tensors,
  { layers, width, heads, normEps }: Gpt2Model,
): tf.Tensor => {
  const ids = get(feeds, "inputIds")
  const [rows, length] = ids.shape as [number, number]
  const total = rows * length
  const tokens = tf.gather(get(p, "wte.weight"), tf.reshape(ids, [total]))
  const places = tf.slice(get(p, "wpe.weight"), [0, 0], [length, width])
  let x = tf.reshape(
    tf.add(tf.reshape(tokens, [rows, length, width]), tf.reshape(places, [1, length, width])),
    [total, width],
  )
  for (let i = 0; i < layers; i++) {
    const at = `h.${i}`
    const [q, k, v] = tf
      .split(affine(norm(x, p, `${at}.ln_1`, normEps), p, `${at}.attn.c_attn`), 3, 1)
      .map((each) => tf.reshape(each, [rows, length, heads, width / heads]))
    const y = tf.attention(q!, k!, v!, { scale: 1 / Math.sqrt(width / heads), causal: true })
    x = tf.add(x, affine(tf.reshape(y, [total, width]), p, `${at}.attn.c_proj`))
    const inner = geluTanh(affine(norm(x, p, `${at}.ln_2`, normEps), p, `${at}.mlp.c_fc`))
    x = tf.add(x, affine(inner, p, `${at}.mlp.c_proj`))
  }
  return norm(x, p, "ln_f", normEps)
}

export const gpt2Program: NetworkProgram<Gpt2Model> = {
  heads: (parameters, feeds, model, classes, { select }) => {
    const table = get(parameters, "wte.weight")
    const rows = classes === table.shape[0] ? table : tf.slice(table, [0, 0], [classes, model.width])
    return { tokens: tf.matMul(select(gpt2Hidden(parameters, feeds, model)), rows, false, true) }
  },
}
