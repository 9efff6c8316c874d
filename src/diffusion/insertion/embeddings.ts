/**
 * How a state x_t may lie in its sequence x1: order-preserving embeddings, MASK standing for any token.
 *
 * Tokens are noised independently and alike, so given x_t and x1 every embedding is equally likely. Averaging over them
 * replaces the hidden indices that the published loss is conditioned on by what x_t itself says: mean gaps, and a
 * distribution over the tokens that a MASK may stand for. O(n L) by counting.
 *
 * Counts overflow float64 from about 1000 tokens on (C(1030, 515) > 2^1023), so a number is a mantissa and an exponent
 * in blocks of 2^512; only ratios of counts are kept, and those are probabilities.
 */

const BLOCK = 2 ** 512
const LN_BLOCK = 512 * Math.LN2

export interface SoftTarget {
  /** Position of the MASK in x_t. */
  readonly position: number
  /** Tokens it may stand for, ascending, and their probabilities. */
  readonly tokens: Int32Array
  readonly probabilities: Float64Array
}

export interface EmbeddingPosterior {
  /** ln of the number of embeddings. */
  readonly logCount: number
  /** [n + 1] mean number of missing tokens before each token of x_t, and after the last. */
  readonly gaps: Float64Array
  /** One for each MASK of x_t, in order. */
  readonly targets: readonly SoftTarget[]
}

export interface EmbeddingOptions {
  readonly maskId: number
  /** Positions of x1 that are never noised: each is in every embedding, under a token that is not MASK. */
  readonly fixed?: (position: number) => boolean
}

/** A non-negative number mantissa * 2^(512 exponent). */
interface Counts {
  readonly mantissas: Float64Array
  readonly exponents: Int32Array
}

const counts = (size: number): Counts => ({
  mantissas: new Float64Array(size),
  exponents: new Int32Array(size),
})

/** b's mantissa at a's exponent. */
const aligned = (mantissa: number, exponent: number, to: number): number => {
  if (mantissa === 0 || exponent === to) return mantissa
  return exponent === to - 1 ? mantissa / BLOCK : 0
}

interface Chain {
  readonly n: number
  readonly length: number
  readonly logCount: number
  /** [length, n + 1]: with j tokens of x_t placed before position i, the probability that i is token j of x_t. */
  readonly match: Float64Array
}

/** The embedding as a walk over x1 that at each position takes the next token of x_t or passes. */
const embeddingChain = (
  xt: ArrayLike<number>,
  x1: ArrayLike<number>,
  { maskId, fixed = () => false }: EmbeddingOptions,
): Chain => {
  const [n, length] = [xt.length, x1.length]
  const width = n + 1
  const match = new Float64Array(length * width)
  let after = counts(width)
  after.mantissas[n] = 1
  let here = counts(width)
  for (let i = length - 1; i >= 0; i--) {
    const must = fixed(i)
    const token = x1[i]!
    for (let j = 0; j <= n; j++) {
      const passed = must ? 0 : after.mantissas[j]!
      const takes = j < n && (xt[j] === token || (!must && xt[j] === maskId))
      const taken = takes ? after.mantissas[j + 1]! : 0
      const passedAt = passed === 0 ? -1 : after.exponents[j]!
      const takenAt = taken === 0 ? -1 : after.exponents[j + 1]!
      let exponent = Math.max(0, passedAt, takenAt)
      const takenHere = aligned(taken, takenAt, exponent)
      let sum = aligned(passed, passedAt, exponent) + takenHere
      match[i * width + j] = sum === 0 ? 0 : takenHere / sum
      if (sum >= BLOCK) {
        sum /= BLOCK
        exponent++
      }
      here.mantissas[j] = sum
      here.exponents[j] = exponent
    }
    ;[after, here] = [here, after]
  }
  return { n, length, match, logCount: Math.log(after.mantissas[0]!) + after.exponents[0]! * LN_BLOCK }
}

/** ln of the number of embeddings; -Infinity when there is none. */
export const logEmbeddings = (
  xt: ArrayLike<number>,
  x1: ArrayLike<number>,
  options: EmbeddingOptions,
): number => embeddingChain(xt, x1, options).logCount

/**
 * @param xt [n] without padding
 * @param x1 [length] without padding
 * @throws RangeError when x_t cannot come from x1
 */
export const embeddingPosterior = (
  xt: ArrayLike<number>,
  x1: ArrayLike<number>,
  options: EmbeddingOptions,
): EmbeddingPosterior => {
  const { n, length, match, logCount } = embeddingChain(xt, x1, options)
  if (logCount === Number.NEGATIVE_INFINITY)
    throw new RangeError(`a state of ${n} tokens is not part of its sequence of ${length}`)
  const width = n + 1
  const gaps = new Float64Array(width)
  const byMask = Array.from({ length: n }, (_, j) =>
    xt[j] === options.maskId ? new Map<number, number>() : undefined,
  )
  // at[j]: probability that j tokens of x_t stand before position i.
  const at = new Float64Array(width)
  at[0] = 1
  for (let i = 0; i < length; i++) {
    for (let j = Math.min(n, i); j >= 0; j--) {
      const p = at[j]!
      if (p === 0) continue
      const taken = p * match[i * width + j]!
      gaps[j]! += p - taken
      at[j] = p - taken
      if (taken === 0) continue
      at[j + 1]! += taken
      const target = byMask[j]
      if (target !== undefined) target.set(x1[i]!, (target.get(x1[i]!) ?? 0) + taken)
    }
  }
  const targets = byMask.flatMap((found, position): readonly SoftTarget[] => {
    if (found === undefined) return []
    const sorted = [...found].sort(([a], [b]) => a - b)
    return [
      {
        position,
        tokens: Int32Array.from(sorted, ([token]) => token),
        probabilities: Float64Array.from(sorted, ([, p]) => p),
      },
    ]
  })
  return { logCount, gaps, targets }
}
