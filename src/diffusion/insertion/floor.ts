/** What the published loss cannot go below, though nothing is left to learn. */

import type { EmbeddingPosterior } from "./embeddings.js"
import { rowLoss, type RowLoss, type RowWeights } from "./loss.js"

/** What the noise chose and x_t does not show. */
export interface Hidden {
  /** Missing tokens of each slot. */
  readonly hiddenGaps: ArrayLike<number>
  /** Token behind each MASK, in order. */
  readonly hiddenTargets: readonly number[]
}

/**
 * The published loss, nats, of a network that knows the row and not which of its tokens survive: it predicts the means
 * over all embeddings. Its mean over t and x_t is the floor of the loss for that row, whatever the network.
 */
export const knownRowLoss = (
  { hiddenGaps, hiddenTargets }: Hidden,
  { gaps, targets }: EmbeddingPosterior,
  weights: RowWeights,
): RowLoss =>
  rowLoss({
    crossEntropies: hiddenTargets.map((token, m) => {
      const { tokens, probabilities } = targets[m]!
      return -Math.log(probabilities[tokens.indexOf(token)]!)
    }),
    gaps: hiddenGaps,
    predicted: gaps.subarray(0, hiddenGaps.length),
    weights,
  })

/** ln k! for k = 0..n. */
const logFactorials = (n: number): Float64Array => {
  const out = new Float64Array(n + 1)
  for (let k = 2; k <= n; k++) out[k] = out[k - 1]! + Math.log(k)
  return out
}

/**
 * Optimum of the published insertion loss, nats per sequence, for a known number of equal tokens, whose code length
 * is 0: the loss is conditioned on which tokens survive, and a model cannot know that. The same for every schedule.
 *
 * With n of L tokens left, each of the n + 1 slots misses k with probability C(L - k - 1, n - 1) / C(L, n); the best
 * prediction is the mean m = (L - n) / (n + 1), and the loss E[k ln k] - m ln m. Integrated over t the weight of n is
 * 1 / (L - n). Limit per token 1.2035 nats.
 */
export const contentFreeFloor = (length: number): number => {
  const f = logFactorials(length)
  const logChoose = (n: number, k: number): number => f[n]! - f[k]! - f[n - k]!
  let floor = 0
  for (let n = 1; n < length; n++) {
    const mean = (length - n) / (n + 1)
    let entropy = -mean * Math.log(mean)
    const whole = logChoose(length, n)
    for (let k = 2; k <= length - n; k++)
      entropy += Math.exp(logChoose(length - k - 1, n - 1) - whole) * k * Math.log(k)
    floor += ((n + 1) * entropy) / (length - n)
  }
  return floor
}
