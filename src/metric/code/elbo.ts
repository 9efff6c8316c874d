/**
 * The T-step discrete NELBO of the absorbing process, from evidence.
 *
 * For a chain alpha_0 = 1 > alpha_1 > ... > alpha_T of visible shares, in bits for one window:
 *
 *   content * alpha_T * log2 V  +  sum_k r_k * E[ sum over masked tokens of cross-entropy ] / ln 2,
 *   r_k = (alpha_{k-1} - alpha_k) / (1 - alpha_k)
 *
 * It is an upper bound on -log2 p of the T-step model (prior term, reconstruction included by r_1 = 1). Source:
 * parameter-golf PR #1241, `train_mdlm.py` `variational_elbo_bits`; derivation: KL of the forward posterior
 * to the model's, which share r_k. The one-draw estimate is unbiased, so its value is a bound in expectation.
 */

export interface ElboInput {
  readonly windows: number
  readonly steps: number
  /** Independent mask draws per window and step. */
  readonly draws: number
  /** alpha_0 .. alpha_T */
  readonly alphas: ArrayLike<number>
  /** [windows, steps, draws] sum of the masked tokens' cross-entropies, nats */
  readonly nats: ArrayLike<number>
  /** [windows, steps, draws] masked tokens */
  readonly masked: ArrayLike<number>
  /** [windows] tokens charged with the prior term: non-PAD, boundary tokens included as published */
  readonly content: ArrayLike<number>
  readonly vocabSize: number
}

export interface ElboBits {
  /** Bits over all windows, prior term included. */
  readonly bits: number
  /** The prior term's part of `bits`. */
  readonly terminalBits: number
  readonly perWindowBits: Float64Array
  /** Variance of `bits` over mask draws alone, bits squared; undefined with fewer than two draws. */
  readonly monteCarloVariance: number | undefined
}

/** r_1 .. r_T of a chain alpha_0 .. alpha_T. */
export const revealProbabilities = (alphas: ArrayLike<number>): Float64Array =>
  Float64Array.from(
    { length: alphas.length - 1 },
    (_, i) => (alphas[i]! - alphas[i + 1]!) / (1 - alphas[i + 1]!),
  )

/** @throws RangeError when the evidence's sizes do not fit together */
export const discreteElbo = (input: ElboInput): ElboBits => {
  const { windows, steps, draws, alphas, nats, masked, content, vocabSize } = input
  const size = windows * steps * draws
  if (alphas.length !== steps + 1)
    throw new RangeError(`discrete NELBO: ${steps} steps need ${steps + 1} alphas, found ${alphas.length}`)
  for (const [name, array, expected] of [
    ["nats", nats, size],
    ["masked", masked, size],
    ["content", content, windows],
  ] as const) {
    if (array.length !== expected)
      throw new RangeError(`discrete NELBO: ${name} has ${array.length} entries, expected ${expected}`)
  }
  const reveal = revealProbabilities(alphas)
  const terminalPerToken = alphas[steps]! * Math.log2(vocabSize)
  const perWindowBits = new Float64Array(windows)
  let [bits, terminalBits, variance] = [0, 0, 0]
  for (let w = 0; w < windows; w++) {
    let sum = 0
    for (let k = 0; k < steps; k++) {
      const at = (w * steps + k) * draws
      let mean = 0
      for (let j = 0; j < draws; j++) mean += nats[at + j]! / draws
      sum += (reveal[k]! * mean) / Math.LN2
      if (draws > 1) {
        let squares = 0
        for (let j = 0; j < draws; j++) squares += (nats[at + j]! - mean) ** 2
        variance += (reveal[k]! / Math.LN2) ** 2 * (squares / (draws - 1) / draws)
      }
    }
    const terminal = content[w]! * terminalPerToken
    perWindowBits[w] = sum + terminal
    terminalBits += terminal
    bits += sum + terminal
  }
  return { bits, terminalBits, perWindowBits, monteCarloVariance: draws > 1 ? variance : undefined }
}

/**
 * Expected bits of a uniform model: every maskable token costs exactly log2 V (sum_k r_k (1 - alpha_k) + alpha_T
 * = 1), a boundary token that is never masked costs only its share of the prior term.
 */
export const uniformElboBits = (
  maskable: number,
  free: number,
  alphas: ArrayLike<number>,
  vocabSize: number,
): number => {
  const reveal = revealProbabilities(alphas)
  const last = alphas[alphas.length - 1]!
  let revealed = 0
  for (let k = 0; k < reveal.length; k++) revealed += reveal[k]! * (1 - alphas[k + 1]!)
  return (maskable * (revealed + last) + free * last) * Math.log2(vocabSize)
}

/**
 * Variance in bits squared of one window's estimate under a uniform model with `maskable` independent tokens and
 * one draw per step: sum_k r_k^2 n alpha_k (1 - alpha_k) (log2 V)^2.
 */
export const uniformElboVariance = (
  maskable: number,
  alphas: ArrayLike<number>,
  vocabSize: number,
): number => {
  const reveal = revealProbabilities(alphas)
  let sum = 0
  for (let k = 0; k < reveal.length; k++)
    sum += reveal[k]! ** 2 * maskable * alphas[k + 1]! * (1 - alphas[k + 1]!)
  return sum * Math.log2(vocabSize) ** 2
}
