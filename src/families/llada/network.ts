/**
 * The LLaDA transformer (GSAI-ML/LLaDA-8B-Base, modeling_llada.py) and its extension to FlexMDM (brianlck/FlexMDM
 * 99eb7b7 scaling_flexmdm/llada_dit.py): one source, whose differences are fields of the model.
 *
 * For FlexMDM one PAD is appended to each row; its position carries the slot after the last token.
 */
import { block } from "../../engine/trace/trace.js"
import {
  dropout,
  gelu,
  get,
  layerNorm,
  linear,
  perRow,
  rotaryTables,
  silu,
  timeEmbedding,
  type Held,
  type Tensors,
} from "../../model/layers.js"
import { adapted } from "../../model/lora.js"
import type { NetworkProgram } from "../../model/network.js"
import * as tf from "../../model/tf.js"
import { maskName } from "../part.js"
import type { LladaModel } from "./schema.js"
import {
  ADAPTED,
  BLOCKS,
  EMBEDDING,
  HEAD,
  HEAD_PLACE,
  LAST_NORM,
  layerParameters,
  modulationOf,
} from "./parameters.js"

const norm = (x: tf.Tensor, p: Tensors, name: string, { rmsEps }: LladaModel): tf.Tensor =>
  tf.mul(tf.rmsNorm(x, { eps: rmsEps }), get(p, `${name}.weight`))

/** Default of `torch.nn.LayerNorm`. */
const GAP_NORM_EPS = 1e-5

/** Scale and shift [rows, width] of a layer's group. */
interface Modulation {
  readonly scale: tf.Tensor
  readonly shift: tf.Tensor
}

/** Modulations of every group, from times f32 [rows]; undefined without a time path. */
const modulations = (p: Tensors, model: LladaModel, time: tf.Tensor | undefined): readonly Modulation[] => {
  const { flex, width, layers } = model
  if (flex === undefined || time === undefined) return []
  const inner = silu(linear(timeEmbedding(time, width / 2), p, "time_mlp.0"))
  const embedded = linear(inner, p, "time_mlp.2")
  return Array.from({ length: Math.ceil(layers / flex.groupSize) }, (_, g) => {
    const [scale, shift] = tf.split(
      linear(embedded, p, modulationOf(g * flex.groupSize, flex.groupSize)),
      2,
      1,
    )
    return { scale: tf.add(scale!, 1), shift: shift! }
  })
}

const modulate = (x: tf.Tensor, by: Modulation | undefined, held: Held): tf.Tensor =>
  by === undefined
    ? x
    : perRow(x, [by.scale, by.shift], held, (y, scale, shift) => tf.add(tf.mul(y, scale!), shift!))

/** What an adapter reads: its layer's input, with what dropout leaves of it where a mask is fed. */
const left = (x: tf.Tensor, feeds: Tensors, place: string, { lora }: LladaModel): tf.Tensor => {
  const kept = feeds[maskName(place)]
  return kept === undefined ? x : dropout(x, kept, lora?.dropout ?? 0)
}

const attend = (h: tf.Tensor, inputs: Tensors, rows: number, model: LladaModel): tf.Tensor => {
  const [cos, sin] = [get(inputs, "cos"), get(inputs, "sin")]
  const { width, heads, lora } = model
  const [total] = h.shape as [number, number]
  const headWidth = width / heads
  const project = (name: string): tf.Tensor =>
    tf.reshape(adapted(h, inputs, name, lora, left(h, inputs, name, model)), [
      rows,
      total / rows,
      heads,
      headWidth,
    ])
  const q = tf.rotary(project("q_proj"), cos, sin)
  const k = tf.rotary(project("k_proj"), cos, sin)
  const options = { scale: 1 / Math.sqrt(headWidth), causal: false }
  const y = tf.attention(q, k, project("v_proj"), options, inputs["lengths"])
  return linear(tf.reshape(y, [total, width]), inputs, "attn_out")
}

/** x f32 [rows * length, width] behind one layer, whose tensors are named without it. */
const layer = (inputs: Tensors, rows: number, model: LladaModel): tf.Tensor => {
  const held: Held = { rows }
  const [scale, shift] = [inputs["scale"], inputs["shift"]]
  const by = scale === undefined || shift === undefined ? undefined : { scale, shift }
  const x = get(inputs, "x")
  const h = modulate(norm(x, inputs, "attn_norm", model), by, held)
  const y = tf.add(x, attend(h, inputs, rows, model))
  const m = modulate(norm(y, inputs, "ff_norm", model), by, held)
  const gated = tf.mul(silu(linear(m, inputs, "ff_proj")), linear(m, inputs, "up_proj"))
  return tf.add(y, linear(gated, inputs, "ff_out"))
}

/** The tensors of `names` that are there, under their names without `prefix`. */
const own = (all: Tensors, prefix: string, names: readonly string[]): Tensors =>
  Object.fromEntries(
    names.flatMap((name) => {
      const tensor = all[`${prefix}${name}`]
      return tensor === undefined ? [] : [[name, tensor]]
    }),
  )

/**
 * Hidden states f32 [rows * length, width] after the last norm. Each layer is a block (docs/adr/0008): compiled once, and
 * computed again in the backward pass where that is asked for.
 *
 * feeds: inputIds i32 [rows, length]; time f32 [rows] where the model has a time path; lengths i32 [rows], the
 * positions that may be attended to, where the attention mask is honoured; in training with dropout the masks of
 * `dropoutPlaces`.
 */
export const lladaHidden = (p: Tensors, feeds: Tensors, model: LladaModel): tf.Tensor => {
  const ids = get(feeds, "inputIds")
  const [rows, length] = ids.shape as [number, number]
  const { cos, sin } = rotaryTables(length, model.width / model.heads, model.ropeBase)
  // The published rotation turns the other way than the composite: y1 = x1 cos - x2 sin.
  const tables = { cos, sin: tf.neg(sin) }
  const groups = modulations(p, model, model.flex === undefined ? undefined : get(feeds, "time"))
  let x = tf.gather(get(p, `${EMBEDDING}.weight`), tf.reshape(ids, [rows * length]))
  for (let i = 0; i < model.layers; i++) {
    const by = groups[Math.floor(i / (model.flex?.groupSize ?? model.layers))]
    x = block("layer", (inputs) => layer(inputs, rows, model), {
      x,
      ...tables,
      ...by,
      ...(model.attentionMask === "honoured" ? { lengths: get(feeds, "lengths") } : {}),
      ...own(p, `${BLOCKS}.${i}.`, layerParameters),
      ...Object.fromEntries(
        Object.entries(own(feeds, maskName(`blocks.${i}.`), ADAPTED)).map(([name, mask]) => [
          maskName(name),
          mask,
        ]),
      ),
    })
  }
  return norm(x, p, LAST_NORM, model)
}

/** Token logits [k, tableRows] of hidden states [k, width]. @param adapter what the head's adapter reads, where dropout leaves less of it */
export const lladaLogits = (
  p: Tensors,
  hidden: tf.Tensor,
  { lora }: LladaModel,
  adapter: tf.Tensor = hidden,
): tf.Tensor => adapted(hidden, p, HEAD, lora, adapter)

/** Expected numbers of absent tokens [k] of hidden states [k, width]. */
export const lladaGaps = (p: Tensors, hidden: tf.Tensor, { flex }: LladaModel): tf.Tensor => {
  if (flex === undefined) throw new Error("the network has no gap head; give model.flex")
  const head = "scalar_length_head"
  const centred = tf.mul(layerNorm(hidden, { eps: GAP_NORM_EPS }), get(p, `${head}.norm.weight`))
  const h = tf.add(centred, get(p, `${head}.norm.bias`))
  const raw = linear(gelu(linear(h, p, `${head}.proj1`)), p, `${head}.proj2`)
  return tf.mul(tf.softplus(tf.reshape(raw, [raw.shape[0]!])), flex.gapScale)
}

/**
 * Token logits at the scored positions, over the first `classes` rows of the head; with a gap head the gaps of every
 * position of [rows, length], each that of the slot before it.
 */
export const lladaProgram: NetworkProgram<LladaModel> = {
  heads: (parameters, feeds, model, classes, { select }) => {
    const hidden = lladaHidden(parameters, feeds, model)
    const scored = select(hidden)
    const dropped = left(hidden, feeds, HEAD_PLACE, model)
    const logits = lladaLogits(parameters, scored, model, dropped === hidden ? scored : select(dropped))
    const [count, rows] = logits.shape as [number, number]
    const tokens = classes === rows ? logits : tf.slice(logits, [0, 0], [count, classes])
    return model.flex === undefined
      ? { tokens }
      : { tokens, gaps: tf.reshape(lladaGaps(parameters, hidden, model), [...get(feeds, "inputIds").shape]) }
  },
}
