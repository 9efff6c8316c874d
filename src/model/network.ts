/** What the rest of the program knows of a network: its parameters, its training loss, and scores of tokens. */
import type { FeedSpec } from "../families/part.js"
import type { Tensors } from "./layers.js"
import type { ParameterSpec } from "./parameters.js"
import type { SampledNetwork } from "./sampled-network.js"
import type * as tf from "./tf.js"

export type { FeedSpec } from "../families/part.js"

export interface FeedSizes {
  readonly rows: number
  /** Sequence length in tokens. */
  readonly length: number
  /** Positions scored in one pass; every position, whatever is given, for an objective that scores all. */
  readonly capacity: number
}

/** What a program is for; it says which feeds the program has. */
export type Use = "loss" | "nats" | "logProbs"

/** The positions whose activations are asked for: all of [rows, length], or those listed. */
export interface Scored {
  /** Their rows of a matrix [rows * length, width]. */
  readonly select: (x: tf.Tensor) => tf.Tensor
  /** i32 [k]: positions in [0, rows * length), where they are listed. */
  readonly positions?: tf.Tensor | undefined
}

/** What a network predicts; a network of fixed length has no gaps. */
export interface Heads {
  /** Logits [k, classes] at the scored positions. */
  readonly tokens: tf.Tensor
  /** f32 [rows, slots]: expected number of tokens still to be inserted in each slot. */
  readonly gaps?: tf.Tensor
}

/** The traced side of a network part. */
export interface NetworkProgram<M> {
  heads(parameters: Tensors, feeds: Tensors, model: M, classes: number, at: Scored): Heads
  /**
   * The network in its two parts for samplers; needed of one whose rows grow.
   *
   * @param objective that it is trained with, whose schedules it may be told
   */
  sampled?(model: M, objective: { readonly kind: string }, classes: number): SampledNetwork
}

/** The traced side of an objective part: a scalar, the loss of one slice in its share of the micro-batch. */
export interface ObjectiveProgram<O> {
  loss(heads: Heads, feeds: Tensors, objective: O): tf.Tensor
}

export interface Network {
  readonly parameters: readonly ParameterSpec[]
  /** `masked`: positions are listed by the feeds. `all`: every position, in order. */
  readonly scored: "masked" | "all"
  /** Predicted classes. */
  readonly vocabSize: number
  /** What the network predicts at the scored positions, and the gaps where rows grow. Feeds of use `logProbs`. */
  readonly heads: (parameters: Tensors, feeds: Tensors) => Heads
  /** Scalar: the objective's loss. Feeds of the objective's layout. */
  readonly loss: (parameters: Tensors, feeds: Tensors) => tf.Tensor
  /** [capacity]: cross-entropy in nats of each target. Feeds of use `nats`. */
  readonly nats: (parameters: Tensors, feeds: Tensors) => tf.Tensor
  /** [capacity, vocabSize]: natural log-probabilities. Feeds of use `logProbs`. */
  readonly logProbs: (parameters: Tensors, feeds: Tensors) => tf.Tensor
  /**
   * The feeds of a program: inputIds i32 [rows, length]; what else the network takes, such as sigma f32 [rows], or
   * lengths i32 [rows] and time f32 [rows] where rows grow;
   * positions i32 [capacity] where they are listed; targets i32 [capacity] except for log-probabilities; for the
   * loss also weights f32 [capacity] and, with positions, slots i32 [rows * length] (see `gatherFeeds`).
   */
  readonly feeds: (use: Use, sizes: FeedSizes) => readonly FeedSpec[]
  /** Its two parts for samplers; absent where samplers ask for log-probabilities of whole rows. */
  readonly sampled?: SampledNetwork
}

/** The parts of an experiment that determine its network. */
export interface NetworkSource {
  readonly model: { readonly kind: string }
  readonly objective: { readonly kind: string }
  readonly data: { readonly tokenizer: { readonly vocabSize: number } }
}
