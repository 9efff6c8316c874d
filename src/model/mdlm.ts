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
import type { MdlmModel } from "../spec/model.js"
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
} from "./layers.js"
import { linearInit, zeros, type Initial, type ParameterGroup, type ParameterSpec } from "./parameters.js"
import * as tf from "./tf.js"

interface Sizes {
  readonly frequencies: number
  readonly hidden: number
  readonly condition: number
  readonly headWidth: number
  readonly kvWidth: number
  readonly mlp: number
}

/** Conditioning of the published network, kept with constant noise level 0 when the model has none. */
const PUBLISHED_CONDITIONING = { frequencies: 64, hidden: 512 } as const

const sizesOf = (model: MdlmModel): Sizes => {
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

/** x times a gate [rows, width] held over each sequence. */
const gate = (x: tf.Tensor, by: tf.Tensor, rows: number): tf.Tensor => {
  const [total, width] = x.shape as [number, number]
  const y = tf.mul(tf.reshape(x, [rows, total / rows, width]), tf.reshape(by, [by.shape[0]!, 1, width]))
  return tf.reshape(y, [total, width])
}

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
    const table = Float32Array.from({ length: frequencies }, (_, i) => 10000 ** (-i / frequencies))
    const angles = tf.mul(tf.reshape(sigma, [sigma.size, 1]), tf.tensor2d(table, [1, frequencies]))
    embedding = tf.concat([tf.sin(angles), tf.cos(angles)], 1)
  }
  const inner = silu(linear(embedding, parameters, "sigma_map.mlp.0"))
  return silu(linear(inner, parameters, "sigma_map.mlp.2"))
}

/** rmsNorm(x) * (1 + scale) + shift, with scale and shift [rows, width] held over each sequence of x [rows * length, width]. */
const modulate = (x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor, rows: number): tf.Tensor => {
  const [total, width] = x.shape as [number, number]
  const held = (v: tf.Tensor): tf.Tensor => tf.reshape(v, [v.shape[0]!, 1, width])
  const normed = tf.reshape(rmsNorm(x), [rows, total / rows, width])
  return tf.reshape(tf.add(tf.mul(normed, held(tf.add(scale, 1))), held(shift)), [total, width])
}

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
  return linear(tf.reshape(y, [total, width]), parameters, `${at}.c_proj`)
}

/**
 * The activations before the head, normalised, at the positions that `select` takes from [rows * length, width].
 *
 * Nothing looks at another position after the last attention, so the last MLP runs at those positions alone.
 *
 * feeds: inputIds i32 [rows, length]; sigma f32 [rows] where the model is conditioned.
 */
export const mdlmHidden = (
  parameters: Tensors,
  feeds: Tensors,
  model: MdlmModel,
  select: (x: tf.Tensor) => tf.Tensor,
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

  let x = tf.gather(get(parameters, "wte.weight"), tf.reshape(ids, [rows * length]))
  for (let i = 0; i < model.layers; i++) {
    const at = `blocks.${i}`
    if (model.modulation === "gated") {
      const [shiftA, scaleA, gateA, shiftM, scaleM, gateM] = vectors(`${at}.adaln.proj`, 6)
      const attended = attend(
        modulate(x, scaleA!, shiftA!, rows),
        parameters,
        `${at}.attn`,
        model,
        rows,
        tables,
      )
      x = tf.add(x, gate(attended, gateA!, rows))
      x = tf.add(x, gate(mlp(modulate(x, scaleM!, shiftM!, rows), at), gateM!, rows))
    } else {
      const [scaleA, shiftA] = vectors(`${at}.adaln_attn.proj`, 2)
      const [scaleM, shiftM] = vectors(`${at}.adaln_mlp.proj`, 2)
      x = tf.add(
        x,
        attend(modulate(x, scaleA!, shiftA!, rows), parameters, `${at}.attn`, model, rows, tables),
      )
      const h = modulate(x, scaleM!, shiftM!, rows)
      x = i === model.layers - 1 ? tf.add(select(x), mlp(select(h), at)) : tf.add(x, mlp(h, at))
    }
  }
  if (model.modulation !== "gated") return rmsNorm(x)
  const [shift, scale] = vectors("final.proj", 2)
  return select(modulate(x, scale!, shift!, rows))
}

/** Logits [k, classes] of activations [k, width]: the first `classes` rows of the head table. */
export const mdlmLogits = (parameters: Tensors, hidden: tf.Tensor, classes: number): tf.Tensor => {
  const table = get(parameters, "head.weight")
  const rows = classes === table.shape[0] ? table : tf.slice(table, [0, 0], [classes, table.shape[1]!])
  const logits = tf.matMul(hidden, rows, false, true)
  const bias = parameters["head.bias"]
  return bias === undefined ? logits : tf.add(logits, tf.slice(bias, [0], [classes]))
}
