/** How sure a network is of a position, and which positions that picks. */
import { CONFIDENCE_KINDS } from "../spec/sampling.js"

/**
 * - position: the leftmost first; needs no prediction.
 * - top_prob: the largest probability.
 * - prob_diff: the largest less the second.
 * - entropy: the sum of p ln(p + 1e-10), so that the least entropy comes first.
 */
export const CONFIDENCES = CONFIDENCE_KINDS
export type Confidence = (typeof CONFIDENCES)[number]

const ENTROPY_OFFSET = 1e-10

export const confidenceOf = (
  kind: Confidence,
  probabilities: ArrayLike<number>,
  position: number,
): number => {
  if (kind === "position") return -position
  let [first, second, negentropy] = [0, 0, 0]
  for (let v = 0; v < probabilities.length; v++) {
    const p = probabilities[v]!
    if (p > first) [first, second] = [p, first]
    else if (p > second) second = p
    if (kind === "entropy") negentropy += p * Math.log(p + ENTROPY_OFFSET)
  }
  return kind === "top_prob" ? first : kind === "prob_diff" ? first - second : negentropy
}

/**
 * The published small-model samplers take a second softmax, of the rates p h, before they rank. The order is another
 * than that of the probabilities; it is here so that published runs can be repeated.
 */
export const softmaxOfRates = (probabilities: Float64Array, hazard: number): Float64Array => {
  const top = probabilities.reduce((a, b) => Math.max(a, b), 0)
  const powers = probabilities.map((p) => Math.exp((p - top) * hazard))
  const sum = powers.reduce((a, b) => a + b, 0)
  return powers.map((p) => p / sum)
}

/** Only the first masks from the left compete: min(trunc(factor K), most, masks) of them. */
export interface SlidingWindow {
  readonly factor: number
  readonly most: number
}

/** Masks that compete for `count` places. */
export const windowOf = (
  masks: readonly number[],
  count: number,
  window: SlidingWindow | undefined,
): readonly number[] =>
  window === undefined
    ? masks
    : masks.slice(0, Math.max(0, Math.min(Math.trunc(window.factor * count), window.most)))

/**
 * Indices of the `count` largest confidences, at most all of them, ascending; of equals the first. The published code
 * goes on past the eligible positions and overwrites tokens that are already clean.
 */
export const mostConfident = (confidences: ArrayLike<number>, count: number): readonly number[] =>
  Array.from(confidences, (_, i) => i)
    .sort((a, b) => confidences[b]! - confidences[a]! || a - b)
    .slice(0, count)
    .sort((a, b) => a - b)
