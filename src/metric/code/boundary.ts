/**
 * What the positions of boundary tokens cost, when a model gets them free.
 *
 * A model that never masks boundary tokens tells the receiver nothing about where they are, so its code is not
 * complete: summed over strings its 2^-bits can exceed 1. These are codes for the positions alone.
 */

/** Lanczos coefficients (g = 7, n = 9); relative error below 1e-14 for positive arguments. */
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
] as const

/** ln Gamma(x) for x > 0. */
export const logGamma = (x: number): number => {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x)
  const y = x - 1
  let sum: number = LANCZOS[0]
  for (let i = 1; i < LANCZOS.length; i++) sum += LANCZOS[i]! / (y + i)
  const t = y + 7.5
  return 0.5 * Math.log(2 * Math.PI) + (y + 0.5) * Math.log(t) - t + Math.log(sum)
}

/** log2 of the binomial coefficient C(n, k). Summed directly for small k, where the gamma function would cancel. */
export const log2Binomial = (n: number, k: number): number => {
  const few = Math.min(k, n - k)
  if (few < 0) return Number.NEGATIVE_INFINITY
  if (few <= 100_000) {
    let bits = 0
    for (let i = 1; i <= few; i++) bits += Math.log2((n - few + i) / i)
    return bits
  }
  return (logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1)) / Math.LN2
}

/** Entropy in bits per token of independent boundaries at a rate: the ideal adaptive code's limit. */
export const boundaryEntropyBits = (rate: number): number =>
  rate <= 0 || rate >= 1 ? 0 : -(rate * Math.log2(rate) + (1 - rate) * Math.log2(1 - rate))

/** Bits for which `count` of a window's positions are boundaries: the count uniformly on 0..length, then the set. */
export const enumerativeWindowBits = (length: number, count: number): number =>
  log2Binomial(length, count) + Math.log2(length + 1)

/** Bits for which `count` of a split's tokens are boundaries, the count being known. */
export const enumerativeSplitBits = (tokens: number, count: number): number => log2Binomial(tokens, count)

/**
 * Bits of a document's length in document-aligned evaluation, where PAD gives it away: -log2 of its share among
 * the documents' own lengths (an empirical code; the receiver must hold the histogram).
 */
export const documentLengthBits = (lengths: ArrayLike<number>): Float64Array => {
  const counts = new Map<number, number>()
  for (let i = 0; i < lengths.length; i++) counts.set(lengths[i]!, (counts.get(lengths[i]!) ?? 0) + 1)
  return Float64Array.from(
    { length: lengths.length },
    (_, i) => -Math.log2(counts.get(lengths[i]!)! / lengths.length),
  )
}
