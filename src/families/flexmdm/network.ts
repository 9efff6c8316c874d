/**
 * The FlexMDM transformer (brianlck/FlexMDM 99eb7b7 model/transformer.py 252-352 and xlm-core 51c7813
 * xlm-models/flexmdm/model_flexmdm.py): one source for both, whose differences are fields of the model.
 *
 * Rows hold their tokens first and PAD after them. With an extra end slot a row of n tokens is given with one PAD
 * more, which attends and is attended to and carries the slot after the last token; with an EOS anchor it is not.
 */
import {
  dropout,
  gelu,
  geluTanh,
  get,
  layerNorm,
  linear,
  perRow,
  rotaryTables,
  silu,
  timeEmbedding,
  type Held,
  type RotaryTables,
  type Tensors,
} from "../../model/layers.js"
import type { NetworkProgram } from "../../model/network.js"
import * as tf from "../../model/tf.js"
import { maskName } from "../part.js"
import type { FlexmdmModel, MdmModel } from "./schema.js"

/** The transformer below the heads, which both networks have. */
type Trunk = Pick<
  FlexmdmModel,
  "layers" | "width" | "heads" | "mlpRatio" | "activation" | "conditioning" | "ropeBase" | "dropout"
> &
  Partial<Pick<FlexmdmModel, "residual" | "rotaryWidth">>

/** Default of `torch.nn.LayerNorm`. */
const NORM_EPS = 1e-5

/** Normalised over the last axis, times a weight; no bias. x: [n, width]. */
const norm = (x: tf.Tensor, p: Tensors, name: string): tf.Tensor =>
  tf.mul(layerNorm(x, { eps: NORM_EPS }), get(p, name))

const ACTIVATIONS = { "gelu-tanh": geluTanh, gelu, relu: tf.relu } as const

/**
 * Conditioning vectors [rows, conditioning width] of times f32 [rows]: cosines then sines of t / 10000^(k / count),
 * two SiLU layers, and a SiLU after them.
 */
const conditionOf = (
  p: Tensors,
  { conditioning }: Pick<Trunk, "conditioning">,
  time: tf.Tensor,
): tf.Tensor => {
  const inner = silu(linear(timeEmbedding(time, conditioning.frequencies), p, "sigma_map.mlp.0"))
  return silu(linear(inner, p, "sigma_map.mlp.2"))
}

/** (1 + scale) x + shift. */
const modulate = (x: tf.Tensor, shift: tf.Tensor, scale: tf.Tensor, held: Held): tf.Tensor =>
  perRow(x, [shift, tf.add(scale, 1)], held, (y, b, a) => tf.add(tf.mul(y, a!), b!))

const rotated = (x: tf.Tensor, model: Trunk, { cos, sin }: RotaryTables): tf.Tensor => {
  const headWidth = model.width / model.heads
  const turned = model.rotaryWidth ?? headWidth
  if (turned === headWidth) return tf.rotary(x, cos, sin)
  const [head, rest] = tf.split(x, [turned, headWidth - turned], 3)
  return tf.concat([tf.rotary(head!, cos, sin), rest!], 3)
}

/** Attention over h [rows * length, width] among the first `lengths` positions of each row, projected. */
const attend = (
  h: tf.Tensor,
  p: Tensors,
  at: string,
  model: Trunk,
  rows: number,
  lengths: tf.Tensor | undefined,
  tables: RotaryTables,
): tf.Tensor => {
  const { width, heads } = model
  const [total] = h.shape as [number, number]
  const headWidth = width / heads
  const [q, k, v] = tf
    .split(linear(h, p, `${at}.attn_qkv`), 3, 1)
    .map((x) => tf.reshape(x, [rows, total / rows, heads, headWidth]))
  const scale = 1 / Math.sqrt(headWidth)
  const y = tf.attention(
    rotated(q!, model, tables),
    rotated(k!, model, tables),
    v!,
    { scale, causal: false },
    lengths,
  )
  return linear(tf.reshape(y, [total, width]), p, `${at}.attn_out`)
}

/** Hidden states and conditioning of a batch, from which both heads read. */
export interface FlexmdmHidden {
  /** f32 [rows * length, width] */
  readonly x: tf.Tensor
  /** f32 [rows, conditioning width] */
  readonly condition: tf.Tensor
  readonly rows: number
  readonly length: number
}

/**
 * feeds: inputIds i32 [rows, length]; lengths i32 [rows], the positions of a row that are there (its end slot
 * included), all of them without it; time f32 [rows], what the model embeds; in training with dropout the masks of `dropoutPlaces`.
 */
export const flexmdmHidden = (p: Tensors, feeds: Tensors, model: Trunk): FlexmdmHidden => {
  const ids = get(feeds, "inputIds")
  const lengths = feeds["lengths"]
  const [rows, length] = ids.shape as [number, number]
  const held: Held = { rows }
  const condition = conditionOf(p, model, get(feeds, "time"))
  const { cos, sin } = rotaryTables(length, model.rotaryWidth ?? model.width / model.heads, model.ropeBase)
  // The published rotation turns the other way than the composite: y1 = x1 cos - x2 sin.
  const tables = { cos, sin: tf.neg(sin) }
  const activation = ACTIVATIONS[model.activation]
  let x = tf.gather(get(p, "vocab_embed.embedding"), tf.reshape(ids, [rows * length]))
  for (let i = 0; i < model.layers; i++) {
    const at = `blocks.${i}`
    const [shiftA, scaleA, gateA, shiftM, scaleM, gateM] = tf.split(
      linear(condition, p, `${at}.adaLN_modulation`),
      6,
      1,
    )
    const gated = (y: tf.Tensor, gate: tf.Tensor, place: string): tf.Tensor => {
      const kept = feeds[maskName(`${at}.${place}`)]
      const left = kept === undefined ? y : dropout(y, kept, model.dropout ?? 0)
      return perRow(left, [gate], held, (z, g) => tf.mul(z, g!))
    }
    const h = modulate(norm(x, p, `${at}.norm1.weight`), shiftA!, scaleA!, held)
    const from = model.residual === "modulated" ? h : x
    x = tf.add(from, gated(attend(h, p, at, model, rows, lengths, tables), gateA!, "attention"))
    const m = modulate(norm(x, p, `${at}.norm2.weight`), shiftM!, scaleM!, held)
    const inner = activation(linear(m, p, `${at}.mlp.0`))
    x = tf.add(x, gated(linear(inner, p, `${at}.mlp.2`), gateM!, "mlp"))
  }
  return { x, condition, rows, length }
}

/** Where a head reads: listed positions (row * length + column), or all of them. */
export interface HeadPositions {
  readonly positions?: tf.Tensor | undefined
  readonly select?: ((x: tf.Tensor) => tf.Tensor) | undefined
}

const headInput = (
  p: Tensors,
  { x, condition, rows, length }: FlexmdmHidden,
  names: { readonly norm: string; readonly modulation: string },
  { positions, select }: HeadPositions,
): tf.Tensor => {
  const here = positions === undefined ? x : (select?.(x) ?? tf.gather(x, positions))
  const row = positions === undefined ? undefined : tf.floorDiv(positions, tf.scalar(length, "int32"))
  const [shift, scale] = tf.split(linear(condition, p, names.modulation), 2, 1)
  return modulate(norm(here, p, names.norm), shift!, scale!, { rows, row })
}

/** What the token head reads, f32 [k, width], at the positions asked for. */
export const flexmdmFeatures = (p: Tensors, hidden: FlexmdmHidden, at: HeadPositions = {}): tf.Tensor =>
  headInput(
    p,
    hidden,
    { norm: "output_layer.norm_final.weight", modulation: "output_layer.adaLN_modulation" },
    at,
  )

/** Token logits [k, classes] of features [k, width]: the first `classes` rows of the head table. */
export const flexmdmClasses = (p: Tensors, features: tf.Tensor, classes: number): tf.Tensor => {
  const table = get(p, "output_layer.linear.weight")
  const rows = classes === table.shape[0] ? table : tf.slice(table, [0, 0], [classes, table.shape[1]!])
  const logits = tf.matMul(features, rows, false, true)
  const bias = p["output_layer.linear.bias"]
  return bias === undefined ? logits : tf.add(logits, tf.slice(bias, [0], [classes]))
}

/** Token logits [k, classes] at the positions asked for. */
export const flexmdmLogits = (
  p: Tensors,
  hidden: FlexmdmHidden,
  classes: number,
  at: HeadPositions = {},
): tf.Tensor => flexmdmClasses(p, flexmdmFeatures(p, hidden, at), classes)

/** Expected numbers of absent tokens [k] in the slots asked for: softplus of the head times its scale. */
export const flexmdmGaps = (
  p: Tensors,
  hidden: FlexmdmHidden,
  { gapHead }: FlexmdmModel,
  at: HeadPositions = {},
): tf.Tensor => {
  const names = { norm: "len_pred.norm.weight", modulation: "len_pred.adaLN" }
  const h = gelu(linear(headInput(p, hidden, names, at), p, "len_pred.proj1"))
  const raw = linear(h, p, "len_pred.proj2")
  return tf.mul(tf.softplus(tf.reshape(raw, [raw.shape[0]!])), gapHead.scale)
}

/** Token logits at the scored positions, gaps of every position of [rows, length]: each carries the slot before it. */
export const flexmdmProgram: NetworkProgram<FlexmdmModel> = {
  heads: (parameters, feeds, model, classes, at) => {
    const time = get(feeds, model.timeInput === "time" ? "time" : "insertionAlpha")
    const hidden = flexmdmHidden(parameters, { ...feeds, time }, model)
    const gaps = flexmdmGaps(parameters, hidden, model)
    return {
      tokens: flexmdmLogits(parameters, hidden, classes, at),
      gaps: tf.reshape(gaps, [hidden.rows, hidden.length]),
    }
  },
}

/** Its time is the share of tokens that are visible, exp(-sigma) without a floor of the schedule. */
export const mdmProgram: NetworkProgram<MdmModel> = {
  heads: (parameters, feeds, model, classes, at) => {
    const time = tf.exp(tf.neg(get(feeds, "sigma")))
    const hidden = flexmdmHidden(parameters, { ...feeds, time }, model)
    return { tokens: flexmdmLogits(parameters, hidden, classes, at) }
  },
}
