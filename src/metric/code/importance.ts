/**
 * Importance-weighted bounds: L_K = -E ln (1/K) sum of K path weights.
 *
 * The forward and the reverse chain share the reveal probabilities, so the weight of a sampled path is the model's
 * probability of the values along it: ln w = -(sum of cross-entropies, each at the step where its token is revealed)
 * - (tokens still visible at step T) ln V. L_1 is the T-step NELBO; L_K falls with K and stays an upper bound on
 * -ln p. With one token a step a path is an order, and L_K estimates the mixture of orders, which lies between the
 * best order's length and that plus ln K. Paths must be drawn independently of the text. Source: Burda, Grosse and
 * Salakhutdinov 2016, theorem 1.
 */

/** -ln of the mean of exp(-nats): the code length of an even mixture, without underflow. */
export const mixtureNats = (nats: ArrayLike<number>): number => {
  let least = Number.POSITIVE_INFINITY
  for (let j = 0; j < nats.length; j++) least = Math.min(least, nats[j]!)
  if (!Number.isFinite(least)) return least
  let sum = 0
  for (let j = 0; j < nats.length; j++) sum += Math.exp(least - nats[j]!)
  return least - Math.log(sum / nats.length)
}

/**
 * -ln of a path's weight.
 *
 * @param revealNats cross-entropy of each token at the step where the path reveals it, nats
 * @param visibleAtEnd tokens the path leaves visible at step T: coded by the prior, ln V each
 */
export const pathNats = (revealNats: ArrayLike<number>, visibleAtEnd: number, vocabSize: number): number => {
  let sum = visibleAtEnd * Math.log(vocabSize)
  for (let i = 0; i < revealNats.length; i++) sum += revealNats[i]!
  return sum
}

export interface ImportanceInput {
  readonly windows: number
  /** Paths drawn per window. */
  readonly paths: number
  /** [windows, paths] -ln w of each path, nats */
  readonly nats: ArrayLike<number>
  /** K: paths mixed in one bound; must divide `paths`. All of them when absent. */
  readonly samples?: number
}

export interface ImportanceBits {
  /** L_K over all windows: the mean over disjoint groups of K paths, an unbiased estimate of the bound. */
  readonly bits: number
  readonly perWindowBits: Float64Array
  /** Variance of `bits` over paths alone, bits squared; undefined with fewer than two groups. */
  readonly monteCarloVariance: number | undefined
}

/** @throws RangeError when the evidence's sizes do not fit together or K does not divide the paths */
export const importanceBound = (input: ImportanceInput): ImportanceBits => {
  const { windows, paths, nats, samples = paths } = input
  if (nats.length !== windows * paths)
    throw new RangeError(
      `importance bound: nats has ${nats.length} entries, expected ${windows} windows of ${paths} paths`,
    )
  if (!Number.isInteger(paths / samples) || samples < 1)
    throw new RangeError(`importance bound: groups of ${samples} do not divide ${paths} paths`)
  const groups = paths / samples
  const perWindowBits = new Float64Array(windows)
  let [bits, variance] = [0, 0]
  for (let w = 0; w < windows; w++) {
    const values = Float64Array.from({ length: groups }, (_, g) => {
      const from = w * paths + g * samples
      return mixtureNats(Array.from({ length: samples }, (_unused, j) => nats[from + j]!)) / Math.LN2
    })
    const mean = values.reduce((x, y) => x + y, 0) / groups
    perWindowBits[w] = mean
    bits += mean
    if (groups > 1) variance += values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (groups - 1) / groups
  }
  return { bits, perWindowBits, monteCarloVariance: groups > 1 ? variance : undefined }
}
