/**
 * The continuous-time NELBO of the absorbing process, from evidence.
 *
 * With the log-linear schedule alpha(t) = 1 - (1 - eps) t, in bits for one window:
 *
 *   content * eps * log2 V  +  E_{t ~ U(0,1)}[ (1/t) sum over masked tokens of cross-entropy ] / ln 2,
 *
 * where each token is masked with probability (1 - eps) t and 1/t = (1 - eps) / (1 - alpha(t)) = dsigma / expm1(sigma).
 * It is the limit T -> infinity of the T-step NELBO (`elbo.ts`), so an upper bound in expectation; with eps -> 0 it is the
 * any-order bound (`any-order.ts`), whose mask sizes are here drawn instead of summed over, at more noise. Source: Sahoo
 * et al. 2024 (arXiv 2406.07524), whose `val/nll` is this with one draw a sequence and without the prior term.
 */

export interface ContinuousElboInput {
  readonly windows: number
  /** Times drawn per window. */
  readonly draws: number
  readonly eps: number
  /** [windows, draws] in [0, 1], ascending within a window */
  readonly times: ArrayLike<number>
  /** [windows, draws] sum of the masked tokens' cross-entropies, nats */
  readonly nats: ArrayLike<number>
  /** [windows] tokens charged with the prior term: non-PAD, boundary tokens included */
  readonly content: ArrayLike<number>
  readonly vocabSize: number
}

export interface ContinuousElboBits {
  /** Bits over all windows, prior term included. */
  readonly bits: number
  /** The prior term's part of `bits`. */
  readonly terminalBits: number
  readonly perWindowBits: Float64Array
  /**
   * Variance of `bits` over times and masks alone, bits squared; undefined with fewer than two draws. Draws of a window
   * are independent, one a stratum: half the squared differences of neighbours, the last and the first among them, hold
   * each stratum's variance once and its trend on top, so that in expectation it is never too small.
   */
  readonly monteCarloVariance: number | undefined
}

/**
 * Stratified times of one window, one in each of as many equal strata of [0, 1) as there are uniforms.
 *
 * @param uniforms in [0, 1), independent
 */
export const stratifiedTimes = (uniforms: ArrayLike<number>): Float64Array =>
  Float64Array.from({ length: uniforms.length }, (_, j) => (uniforms[j]! + j) / uniforms.length)

/** @throws RangeError when the evidence's sizes do not fit together or a time is outside [0, 1] */
export const continuousElbo = (input: ContinuousElboInput): ContinuousElboBits => {
  const { windows, draws, eps, times, nats, content, vocabSize } = input
  for (const [name, array, expected] of [
    ["times", times, windows * draws],
    ["nats", nats, windows * draws],
    ["content", content, windows],
  ] as const) {
    if (array.length !== expected)
      throw new RangeError(`continuous NELBO: ${name} has ${array.length} entries, expected ${expected}`)
  }
  const perWindowBits = new Float64Array(windows)
  let [bits, terminalBits, variance] = [0, 0, 0]
  for (let w = 0; w < windows; w++) {
    const estimates = new Float64Array(draws)
    for (let j = 0; j < draws; j++) {
      const t = times[w * draws + j]!
      if (!(t >= 0 && t <= 1))
        throw new RangeError(`continuous NELBO: draw ${j} of window ${w} is at time ${t}, expected 0 to 1`)
      const cost = nats[w * draws + j]!
      // At t = 0 nothing is masked, and nothing is what it costs.
      estimates[j] = cost === 0 ? 0 : cost / t / Math.LN2
    }
    const sum = estimates.reduce((a, b) => a + b, 0)
    const squares = estimates.reduce((all, each, j) => all + (each - estimates[(j + 1) % draws]!) ** 2, 0)
    const terminal = content[w]! * eps * Math.log2(vocabSize)
    const own = sum / draws + terminal
    perWindowBits[w] = own
    terminalBits += terminal
    bits += own
    variance += squares / 2 / draws ** 2
  }
  return { bits, terminalBits, perWindowBits, monteCarloVariance: draws > 1 ? variance : undefined }
}
