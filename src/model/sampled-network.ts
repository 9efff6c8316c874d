/** A network as samplers run it: a body over whole rows, and a token head at the positions that change. */
import type { Tensors } from "./layers.js"
import type { Merge } from "../engine/weights.js"
import type { ParameterSpec } from "./parameters.js"
import type * as tf from "./tf.js"

/** An adapter that is added into its layer's weight once, so that samplers run the layer alone. */
export interface MergedAdapter extends Omit<Merge, "storage"> {
  /** What it is made of. */
  readonly parts: readonly ParameterSpec[]
}

export interface SampledNetwork {
  /** What each of the two programs holds. */
  readonly parameters: { readonly body: readonly ParameterSpec[]; readonly head: readonly ParameterSpec[] }
  /** Adapters of those parameters; none when absent. */
  readonly merged?: { readonly body: readonly MergedAdapter[]; readonly head: readonly MergedAdapter[] }
  /** Width of the features that the body gives and the head reads. */
  readonly width: number
  /** The head predicts the ids 0 .. classes - 1. */
  readonly classes: number
  /** Feeds of the body beside inputIds i32 [rows, length]: lengths i32 [rows], time f32 [rows]. */
  readonly takes: { readonly lengths: boolean; readonly time: boolean }
  /** What is fed for time t. */
  readonly embeddedTime: (t: number) => number
  /** extra: a row of n tokens is given one PAD more, whose position carries slot n. none: as it is. */
  readonly endSlot: "extra" | "none"
  /** unseen: what stands behind a row changes nothing in it. seen: it is attended to, and every row has one width. */
  readonly padding: "unseen" | "seen"
  /** f32 features [rows * length, width]; where rows grow, gaps [rows * length] of the slot before each position. */
  readonly body: (
    parameters: Tensors,
    feeds: Tensors,
  ) => { readonly features: tf.Tensor; readonly gaps?: tf.Tensor }
  /** Logits [k, classes] of features [k, width]. */
  readonly logits: (parameters: Tensors, features: tf.Tensor) => tf.Tensor
}
