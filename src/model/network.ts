/**
 * Networks by spec: parameters, training loss, and scores of tokens.
 *
 * Logits are computed only where they are needed. A masked-diffusion objective scores the `capacity` positions
 * that its feeds list; the autoregressive objective scores every position. They run over the tokenizer's classes
 * alone, which is the published substitution head: MASK and PAD logits at minus a million contribute exactly 0.
 */
import type { Experiment } from "../spec/experiment.js"
import { gptHidden, gptLogits, gptParameters } from "./gpt.js"
import { gatherRows, get, type Tensors } from "./layers.js"
import { mdlmHidden, mdlmLogits, mdlmParameters } from "./mdlm.js"
import type { ParameterSpec } from "./parameters.js"
import * as tf from "./tf.js"

export interface FeedSpec {
  readonly name: string
  readonly dtype: "f32" | "i32"
  readonly shape: readonly number[]
}

export interface FeedSizes {
  readonly rows: number
  /** Sequence length in tokens. */
  readonly length: number
  /** Positions scored in one pass; every position, whatever is given, for the autoregressive objective. */
  readonly capacity: number
}

/** What a program is for; it says which feeds the program has. */
export type Use = "loss" | "nats" | "logProbs"

export interface Network {
  readonly parameters: readonly ParameterSpec[]
  /** `masked`: positions are listed by the feeds. `all`: every position, in order. */
  readonly scored: "masked" | "all"
  /** Predicted classes. */
  readonly vocabSize: number
  /** Scalar: the sum of weight times cross-entropy in nats. Feeds of use `loss`. */
  readonly loss: (parameters: Tensors, feeds: Tensors) => tf.Tensor
  /** [capacity]: cross-entropy in nats of each target. Feeds of use `nats`. */
  readonly nats: (parameters: Tensors, feeds: Tensors) => tf.Tensor
  /** [capacity, vocabSize]: natural log-probabilities. Feeds of use `logProbs`. */
  readonly logProbs: (parameters: Tensors, feeds: Tensors) => tf.Tensor
  /**
   * The feeds of a program: inputIds i32 [rows, length]; sigma f32 [rows] where the network is conditioned;
   * positions i32 [capacity] where they are listed; targets i32 [capacity] except for log-probabilities; for the
   * loss also weights f32 [capacity] and, with positions, slots i32 [rows * length] (see `gatherFeeds`).
   */
  readonly feeds: (use: Use, sizes: FeedSizes) => readonly FeedSpec[]
}

/** The parts of an experiment that determine its network. */
export interface NetworkSource {
  readonly model: Experiment["model"]
  readonly objective: { readonly kind: Experiment["objective"]["kind"] }
  readonly data: { readonly tokenizer: { readonly vocabSize: number } }
}

const feedIf = (name: string, dtype: FeedSpec["dtype"], shape: readonly number[], when = true): FeedSpec[] =>
  when ? [{ name, dtype, shape }] : []

/** The network of an experiment. */
export const networkOf = ({ model, objective, data }: NetworkSource): Network => {
  const { vocabSize } = data.tokenizer
  const scored = objective.kind === "autoregressive" ? "all" : "masked"
  const conditioned = model.kind === "mdlm" && model.conditioning.kind === "sigma"

  const logits = (parameters: Tensors, feeds: Tensors): tf.Tensor => {
    const positions = scored === "all" ? undefined : get(feeds, "positions")
    const select = (x: tf.Tensor): tf.Tensor =>
      positions === undefined ? x : gatherRows(x, positions, feeds["slots"])
    return model.kind === "mdlm"
      ? mdlmLogits(parameters, mdlmHidden(parameters, feeds, model, { select, positions }), vocabSize)
      : gptLogits(parameters, select(gptHidden(parameters, feeds, model)), vocabSize, model)
  }
  const nats = (parameters: Tensors, feeds: Tensors): tf.Tensor =>
    tf.crossEntropy(logits(parameters, feeds), get(feeds, "targets"))

  return {
    parameters: model.kind === "mdlm" ? mdlmParameters(model) : gptParameters(model, vocabSize),
    scored,
    vocabSize,
    loss: (parameters, feeds) => tf.sum(tf.mul(nats(parameters, feeds), get(feeds, "weights"))),
    nats,
    logProbs: (parameters, feeds) => tf.logSoftmax(logits(parameters, feeds)),
    feeds: (use, { rows, length, capacity }) => {
      const count = scored === "all" ? rows * length : capacity
      return [
        ...feedIf("inputIds", "i32", [rows, length]),
        ...feedIf("sigma", "f32", [rows], conditioned),
        ...feedIf("positions", "i32", [count], scored === "masked"),
        ...feedIf("targets", "i32", [count], use !== "logProbs"),
        ...feedIf("weights", "f32", [count], use === "loss"),
        ...feedIf("slots", "i32", [rows * length], use === "loss" && scored === "masked"),
      ]
    },
  }
}
