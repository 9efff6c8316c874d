/**
 * The masked diffusion transformer of parameter-golf PR #1241 (and #1106, and with gates #820).
 *
 * Pre-norm blocks, AdaLN on the noise level, rotary positions, query/key normalisation after the rotation,
 * squared-ReLU MLP, untied head. Parameter names and shapes are those of the published script's state dict
 * (train_mdlm.py, `DiffusionLM`), so that its checkpoint loads by name; its buffers `cos`, `sin` and
 * `sigma_map.freqs` are computed here. Weight matrices are [out, in] as in PyTorch.
 *
 * What the script does not have is named in the same manner: `blocks.i.adaln.proj` (gated: six vectors in the
 * order shift, scale, gate of attention, then of the MLP), `final.proj` (gated: shift, scale before the head),
 * `mlp_fc.bias`, `mlp_proj.bias`, `head.bias`.
 */
import {
  get,
  linear,
  reluSquared,
  repeatHeads,
  rmsNorm,
  rotaryTables,
  silu,
  type RotaryTables,
  type Tensors,
} from "../../model/layers.js"
import * as tf from "../../model/tf.js"
import type { NetworkProgram, Scored } from "../../model/network.js"
import type { MdlmModel } from "./schema.js"
import { LEVEL_BASE, sizesOf } from "./parameters.js"

/** Which positions of [rows, length] a matrix of activations holds. */
interface Positions {
  readonly rows: number
  /** i32 [k]: the row of each position, where the positions are listed; without it all of them are there, in order. */
  readonly row?: tf.Tensor | undefined
}

/** f(x, v...) with vectors v [rows, width], or [1, width], held over the positions of their row. x: [n, width]. */
const perRow = (
  x: tf.Tensor,
  vectors: readonly tf.Tensor[],
  { rows, row }: Positions,
  f: (x: tf.Tensor, ...held: readonly tf.Tensor[]) => tf.Tensor,
): tf.Tensor => {
  const [total, width] = x.shape as [number, number]
  if (row !== undefined) return f(x, ...vectors.map((v) => (v.shape[0] === 1 ? v : tf.gather(v, row))))
  const held = vectors.map((v) => tf.reshape(v, [v.shape[0]!, 1, width]))
  return tf.reshape(f(tf.reshape(x, [rows, total / rows, width]), ...held), [total, width])
}

/** x times a gate [rows, width]. */
const gate = (x: tf.Tensor, by: tf.Tensor, at: Positions): tf.Tensor =>
  perRow(x, [by], at, (y, g) => tf.mul(y, g!))

/** The conditioning vectors [rows, condition] of noise levels [rows]; [1, condition] of level 0 without conditioning. */
const conditionOf = (parameters: Tensors, model: MdlmModel, sigma: tf.Tensor | undefined): tf.Tensor => {
  const { frequencies } = sizesOf(model)
  let embedding: tf.Tensor
  if (sigma === undefined) {
    embedding = tf.tensor2d(
      Float32Array.from({ length: 2 * frequencies }, (_, i) => (i < frequencies ? 0 : 1)),
      [1, 2 * frequencies],
    )
  } else {
    const table = Float32Array.from({ length: frequencies }, (_, i) => LEVEL_BASE ** (-i / frequencies))
    const angles = tf.mul(tf.reshape(sigma, [sigma.size, 1]), tf.tensor2d(table, [1, frequencies]))
    embedding = tf.concat([tf.sin(angles), tf.cos(angles)], 1)
  }
  const inner = silu(linear(embedding, parameters, "sigma_map.mlp.0"))
  return silu(linear(inner, parameters, "sigma_map.mlp.2"))
}

/** rmsNorm(x) * (1 + scale) + shift, with scale and shift [rows, width]. */
const modulate = (x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor, at: Positions): tf.Tensor =>
  perRow(rmsNorm(x), [tf.add(scale, 1), shift], at, (y, a, b) => tf.add(tf.mul(y, a!), b!))

/** Attention over h [rows * length, width], before the output projection. */
const attend = (
  h: tf.Tensor,
  parameters: Tensors,
  at: string,
  model: MdlmModel,
  rows: number,
  { cos, sin }: RotaryTables,
): tf.Tensor => {
  const { headWidth } = sizesOf(model)
  const [total, width] = h.shape as [number, number]
  const kvHeads = model.kvHeads ?? model.heads
  const split = (name: string, heads: number): tf.Tensor =>
    tf.reshape(linear(h, parameters, `${at}.${name}`), [rows, total / rows, heads, headWidth])
  const q = rmsNorm(tf.rotary(split("c_q", model.heads), cos, sin))
  const k = rmsNorm(tf.rotary(split("c_k", kvHeads), cos, sin))
  const y = tf.attention(q, repeatHeads(k, model.heads), repeatHeads(split("c_v", kvHeads), model.heads), {
    scale: 1 / Math.sqrt(headWidth),
    causal: model.attention === "causal",
  })
  return tf.reshape(y, [total, width])
}

/**
 * The activations before the head, normalised, at the positions asked for.
 *
 * Nothing looks at another position after the last attention: what follows it runs at those positions alone.
 *
 * feeds: inputIds i32 [rows, length]; sigma f32 [rows] where the model is conditioned.
 */
export const mdlmHidden = (
  parameters: Tensors,
  feeds: Tensors,
  model: MdlmModel,
  { select, positions }: Scored,
): tf.Tensor => {
  const ids = get(feeds, "inputIds")
  const [rows, length] = ids.shape as [number, number]
  const { headWidth } = sizesOf(model)
  const tables = rotaryTables(length, headWidth, model.ropeBase)
  const c = conditionOf(
    parameters,
    model,
    model.conditioning.kind === "sigma" ? get(feeds, "sigma") : undefined,
  )
  const mlp = (h: tf.Tensor, at: string): tf.Tensor =>
    linear(reluSquared(linear(h, parameters, `${at}.mlp_fc`)), parameters, `${at}.mlp_proj`)
  const vectors = (name: string, count: number): readonly tf.Tensor[] =>
    tf.split(linear(c, parameters, name), count, 1)
  const everywhere: Positions = { rows }
  const scored: Positions = {
    rows,
    row: positions && tf.floorDiv(positions, tf.scalar(length, "int32")),
  }

  let x = tf.gather(get(parameters, "wte.weight"), tf.reshape(ids, [rows * length]))
  for (let i = 0; i < model.layers; i++) {
    const name = `blocks.${i}`
    const last = i === model.layers - 1
    const at = last ? scored : everywhere
    const here = (y: tf.Tensor): tf.Tensor => (last ? select(y) : y)
    const attention = (scale: tf.Tensor, shift: tf.Tensor): tf.Tensor => {
      const y = attend(modulate(x, scale, shift, everywhere), parameters, `${name}.attn`, model, rows, tables)
      return linear(here(y), parameters, `${name}.attn.c_proj`)
    }
    if (model.modulation === "gated") {
      const [shiftA, scaleA, gateA, shiftM, scaleM, gateM] = vectors(`${name}.adaln.proj`, 6)
      x = tf.add(here(x), gate(attention(scaleA!, shiftA!), gateA!, at))
      x = tf.add(x, gate(mlp(modulate(x, scaleM!, shiftM!, at), name), gateM!, at))
    } else {
      const [scaleA, shiftA] = vectors(`${name}.adaln_attn.proj`, 2)
      const [scaleM, shiftM] = vectors(`${name}.adaln_mlp.proj`, 2)
      x = tf.add(here(x), attention(scaleA!, shiftA!))
      x = tf.add(x, mlp(modulate(x, scaleM!, shiftM!, at), name))
    }
  }
  if (model.modulation !== "gated") return rmsNorm(x)
  const [shift, scale] = vectors("final.proj", 2)
  return modulate(x, scale!, shift!, scored)
}

/** Logits [k, classes] of activations [k, width]: the first `classes` rows of the head table. */
export const mdlmLogits = (parameters: Tensors, hidden: tf.Tensor, classes: number): tf.Tensor => {
  const table = get(parameters, "head.weight")
  const rows = classes === table.shape[0] ? table : tf.slice(table, [0, 0], [classes, table.shape[1]!])
  const logits = tf.matMul(hidden, rows, false, true)
  const bias = parameters["head.bias"]
  return bias === undefined ? logits : tf.add(logits, tf.slice(bias, [0], [classes]))
}

export const mdlmProgram: NetworkProgram<MdlmModel> = {
  heads: (parameters, feeds, model, classes, at) => ({
    tokens: mdlmLogits(parameters, mdlmHidden(parameters, feeds, model, at), classes),
  }),
}
