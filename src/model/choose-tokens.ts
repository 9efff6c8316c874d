/**
 * Choosing tokens inside a program, so that ids and confidences come back to the host and logits of every class do not.
 *
 * The rules are those of `src/diffusion/categorical.ts`, in float32: temperature, then the nucleus, then the token at one
 * uniform of the cumulative distribution in order of ids. A token differs from the host's where the uniform lies within
 * float32 rounding of a boundary between two classes, nowhere else.
 */
import * as tf from "./tf.js"

type T = tf.Tensor

/** Below every logit; its exponential is exactly zero in float32. */
const BANNED = -1e30

/** Logits [N,V] with those of the banned classes, bool [V], far below the others. */
export const banTokens = (logits: T, banned: T): T =>
  tf.where(tf.reshape(banned, [1, banned.size]), tf.scalar(BANNED), logits)

/** i32 [N]: the class of the largest logit, the first of equals. logits: [N,V] */
export const largestTokens = (logits: T): T => tf.argMax(logits, 1)

/** The k largest classes of logits [N,V] in falling order, the first of equals first, with their log-probabilities. */
export const topTokens = (logits: T, k: number): { readonly ids: T; readonly logProbs: T } => {
  const { values, indices } = tf.topk(tf.logSoftmax(logits), k, true)
  return { ids: indices, logProbs: values }
}

/** exp(logits - largest) [N,V], the largest logit being 0 and nothing overflowing. */
const unnormalised = (logits: T): T => tf.exp(tf.sub(logits, tf.max(logits, 1, true)))

/** How many entries of the last axis hold, i32. */
const count = (holds: T): T => tf.sum(tf.cast(holds, "int32"), -1)

/** Index of the last positive entry of the last axis, i32. x >= 0, with one positive entry at least. */
const lastPositive = (x: T): T => {
  const at = tf.range(0, x.shape.at(-1)!, 1, "float32")
  return tf.cast(tf.max(tf.mul(tf.step(x), at), -1), "int32")
}

/** Weights [N,V] with 0 outside the nucleus of mass `topP`: in falling order, equal ones in order of ids, the shortest beginning that reaches it. */
const withinNucleus = (weights: T, topP: number): T => {
  const [rows, classes] = weights.shape as [number, number]
  const sorted = tf.topk(weights, classes, true).values
  const goal = tf.mul(tf.sum(weights, 1, true), topP)
  const kept = tf.less(tf.cumsum(sorted, 1, true), goal)
  const smallest = tf.min(tf.where(kept, sorted, tf.scalar(2)), 1, true)
  const ofEqual = tf.logicalAnd(kept, tf.equal(sorted, smallest))
  const room = tf.reshape(tf.cast(count(ofEqual), "float32"), [rows, 1])
  const equal = tf.equal(weights, smallest)
  // Counts up to 2^24 are exact in float32.
  const first = tf.lessEqual(tf.cumsum(tf.cast(equal, "float32"), 1), room)
  const inside = tf.logicalOr(tf.greater(weights, smallest), tf.logicalAnd(equal, first))
  return tf.where(inside, weights, tf.scalar(0))
}

/**
 * i32 [N]: the class in which `goal` of the total falls. The sum runs over blocks first and then within one, so that
 * rounding grows with the root of the number of classes.
 */
const invert = (weights: T, uniforms: T): T => {
  const [rows, classes] = weights.shape as [number, number]
  const width = Math.ceil(Math.sqrt(classes))
  const blocks = Math.ceil(classes / width)
  const padded = tf.pad(weights, [
    [0, 0],
    [0, blocks * width - classes],
  ])
  const inBlocks = tf.reshape(padded, [rows, blocks, width])
  const sums = tf.sum(inBlocks, 2)
  const ends = tf.cumsum(sums, 1)
  const total = tf.slice(ends, [0, blocks - 1], [rows, 1])
  const goal = tf.mul(tf.reshape(uniforms, [rows, 1]), total)
  const block = tf.minimum(count(tf.lessEqual(ends, goal)), lastPositive(sums))
  const at = tf.add(tf.mul(tf.range(0, rows, 1, "int32"), tf.scalar(blocks, "int32")), block)
  const pick = (x: T): T => tf.gather(x, at)
  const before = pick(tf.reshape(tf.sub(ends, sums), [rows * blocks]))
  const own = pick(tf.reshape(inBlocks, [rows * blocks, width]))
  const rest = tf.sub(goal, tf.reshape(before, [rows, 1]))
  const within = tf.minimum(count(tf.lessEqual(tf.cumsum(own, 1), rest)), lastPositive(own))
  return tf.add(tf.mul(block, tf.scalar(width, "int32")), within)
}

export interface DrawOptions {
  /** Scalar or number: logits are divided by it; above 0. */
  readonly temperature?: T | number
  /** Mass of the nucleus, in (0, 1]; 1 keeps every class and sorts nothing. */
  readonly topP?: number
}

/** i32 [N]: the class at each uniform, f32 [N] in [0, 1), of the distributions of logits [N,V]. A class of probability 0 is never drawn. */
export const drawTokens = (logits: T, uniforms: T, { temperature = 1, topP = 1 }: DrawOptions = {}): T => {
  const weights = unnormalised(temperature === 1 ? logits : tf.div(logits, temperature))
  return invert(topP < 1 ? withinNucleus(weights, topP) : weights, uniforms)
}

/** f32 [N]: log-probability of one class of each row. logits: [N,V]; tokens: i32 [N] */
export const tokenLogProbs = (logits: T, tokens: T): T => tf.neg(tf.crossEntropy(logits, tokens))

/** f32 [N]: how sure a distribution is, by one of the rules of confidence samplers; larger is surer. */
export const confidence = (
  logits: T,
  /**
   * top_prob: the largest probability. prob_diff: the largest less the second largest. entropy: sum of p ln(p + 1e-10),
   * the negative entropy as published (brianlck/FlexMDM).
   */
  rule: "top_prob" | "prob_diff" | "entropy",
): T => {
  const [, classes] = logits.shape as [number, number]
  const weights = unnormalised(logits)
  const total = tf.sum(weights, 1)
  if (rule === "entropy") {
    const p = tf.div(weights, tf.reshape(total, [-1, 1]))
    return tf.sum(tf.mul(p, tf.log(tf.add(p, 1e-10))), 1)
  }
  // The largest weight is exp(0) = 1.
  if (rule === "top_prob") return tf.reciprocal(total)
  const first = tf.reshape(tf.argMax(logits, 1), [-1, 1])
  const others = tf.notEqual(tf.range(0, classes, 1, "int32"), first)
  const second = tf.max(tf.mul(weights, tf.cast(others, "float32")), 1)
  return tf.div(tf.sub(1, second), total)
}
