/**
 * The autoregressive baseline of parameter-golf (train_gpt.py, `GPT`): tied embeddings, the first half of the
 * blocks kept as skips for the second, grouped queries with a gain per head, a residual mix with the embedding,
 * squared-ReLU MLP, soft-capped logits. Parameter names and shapes are those of the published state dict.
 *
 * With bidirectional attention it is a network for masked diffusion without a noise level, as in PR #1699.
 */
import {
  get,
  linear,
  reluSquared,
  repeatHeads,
  rmsNorm,
  rotaryTables,
  type RotaryTables,
  type Tensors,
} from "../../model/layers.js"
import type { NetworkProgram } from "../../model/network.js"
import * as tf from "../../model/tf.js"
import type { GptModel } from "./schema.js"
import { encoderLayers } from "./parameters.js"

const row = (x: tf.Tensor, index: number): tf.Tensor => tf.slice(x, [index, 0], [1, x.shape[1]!])

const attend = (
  h: tf.Tensor,
  parameters: Tensors,
  at: string,
  model: GptModel,
  rows: number,
  { cos, sin }: RotaryTables,
): tf.Tensor => {
  const [total, width] = h.shape as [number, number]
  const headWidth = width / model.heads
  const split = (name: string, heads: number): tf.Tensor =>
    tf.reshape(linear(h, parameters, `${at}.${name}`), [rows, total / rows, heads, headWidth])
  const gain = tf.reshape(get(parameters, `${at}.q_gain`), [model.heads, 1])
  const q = tf.mul(tf.rotary(rmsNorm(split("c_q", model.heads)), cos, sin), gain)
  const k = tf.rotary(rmsNorm(split("c_k", model.kvHeads)), cos, sin)
  const y = tf.attention(
    q,
    repeatHeads(k, model.heads),
    repeatHeads(split("c_v", model.kvHeads), model.heads),
    {
      scale: 1 / Math.sqrt(headWidth),
      causal: (model.attention ?? "causal") === "causal",
    },
  )
  return linear(tf.reshape(y, [total, width]), parameters, `${at}.proj`)
}

/** The activations before the head, normalised: [rows * length, width]. feeds: inputIds i32 [rows, length]. */
export const gptHidden = (parameters: Tensors, feeds: Tensors, model: GptModel): tf.Tensor => {
  const ids = get(feeds, "inputIds")
  const [rows, length] = ids.shape as [number, number]
  const tables = rotaryTables(length, model.width / model.heads, model.ropeBase)
  const first = rmsNorm(tf.gather(get(parameters, "tok_emb.weight"), tf.reshape(ids, [rows * length])))

  const block = (input: tf.Tensor, index: number): tf.Tensor => {
    const at = `blocks.${index}`
    const mix = get(parameters, `${at}.resid_mix`)
    const x = tf.add(tf.mul(input, row(mix, 0)), tf.mul(first, row(mix, 1)))
    const attended = attend(rmsNorm(x), parameters, `${at}.attn`, model, rows, tables)
    const y = tf.add(x, tf.mul(attended, get(parameters, `${at}.attn_scale`)))
    const inner = reluSquared(linear(rmsNorm(y), parameters, `${at}.mlp.fc`))
    return tf.add(y, tf.mul(linear(inner, parameters, `${at}.mlp.proj`), get(parameters, `${at}.mlp_scale`)))
  }

  let x = first
  const kept: tf.Tensor[] = []
  const encoder = encoderLayers(model)
  for (let i = 0; i < encoder; i++) {
    x = block(x, i)
    kept.push(x)
  }
  for (let i = 0; i < model.layers - encoder; i++) {
    const skip = kept.pop()
    if (skip !== undefined) x = tf.add(x, tf.mul(skip, row(get(parameters, "skip_weights"), i)))
    x = block(x, encoder + i)
  }
  return rmsNorm(x)
}

/** Soft-capped logits [k, classes] of activations [k, width], by the first rows of the embedding table. */
export const gptLogits = (
  parameters: Tensors,
  hidden: tf.Tensor,
  classes: number,
  { logitSoftcap }: GptModel,
): tf.Tensor => {
  const table = get(parameters, "tok_emb.weight")
  const rows = classes === table.shape[0] ? table : tf.slice(table, [0, 0], [classes, table.shape[1]!])
  const logits = tf.matMul(hidden, rows, false, true)
  return logitSoftcap === 0 ? logits : tf.mul(tf.tanh(tf.mul(logits, 1 / logitSoftcap)), logitSoftcap)
}

export const gptProgram: NetworkProgram<GptModel> = {
  heads: (parameters, feeds, model, classes, { select }) => ({
    tokens: gptLogits(parameters, select(gptHidden(parameters, feeds, model)), classes, model),
  }),
}
