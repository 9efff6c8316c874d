/** Bootstrap intervals of a ratio of sums over windows or documents. */
import { normalCdf, studentQuantile } from "./distributions.js"

export interface Pair {
  readonly numerator: number
  readonly denominator: number
}

export interface BootstrapOptions {
  /** Coverage of the interval; 0.95 when absent. */
  readonly level?: number
  readonly resamples?: number
  readonly seed?: number
}

export interface BootstrapResult {
  /** sum of numerators / sum of denominators */
  readonly estimate: number
  readonly low: number
  readonly high: number
  readonly standardError: number
  readonly level: number
  readonly method: string
}

/**
 * SplitMix32: a small generator with a 32-bit counter, so that an interval is the same on every machine. Only
 * resampling uses it; experiments draw from Philox streams.
 */
export const splitMix32 = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }
}

/** Linear interpolation between order statistics (type 7). `sorted` is ascending. */
export const quantile = (sorted: ArrayLike<number>, p: number): number => {
  const at = (sorted.length - 1) * p
  const low = Math.floor(at)
  const high = Math.min(low + 1, sorted.length - 1)
  return sorted[low]! + (at - low) * (sorted[high]! - sorted[low]!)
}

const sum = (values: Float64Array): number => values.reduce((x, y) => x + y, 0)

const RESAMPLES = 2000

/** With fewer windows no resample reaches far enough, and Student's interval is given. */
const FEWEST_RESAMPLED = 8

/**
 * Expanded percentile bootstrap of sum(numerator) / sum(denominator): pairs are drawn with replacement, so that bits
 * and bytes of a window stay together (Efron and Tibshirani 1993, chapter 13). Plain percentiles are too narrow for
 * few windows, because resampling divides by n where the variance needs n - 1 and takes the normal law for Student's;
 * percentiles at Phi(-sqrt(n / (n - 1)) t) and the standard error times sqrt(n / (n - 1)) undo both (Hesterberg 2015,
 * "What Teachers Should Know About the Bootstrap"). bench/COVERAGE.md holds what that covers.
 *
 * With fewer than eight windows: the ratio plus and minus t standard errors of its linearisation (Cochran 1977,
 * chapter 6), sqrt(n / (n - 1) * sum (a - r b)^2) / sum b.
 *
 * @throws RangeError with fewer than two pairs
 */
export const bootstrapRatio = (pairs: readonly Pair[], options: BootstrapOptions = {}): BootstrapResult => {
  const { level = 0.95, resamples = RESAMPLES, seed = 0 } = options
  const n = pairs.length
  if (n < 2) throw new RangeError(`a bootstrap needs two windows at least, found ${n}`)
  const t = studentQuantile((1 + level) / 2, n - 1)
  const widening = Math.sqrt(n / (n - 1))
  const numerators = Float64Array.from(pairs, (p) => p.numerator)
  const denominators = Float64Array.from(pairs, (p) => p.denominator)
  const estimate = sum(numerators) / sum(denominators)
  if (n < FEWEST_RESAMPLED) {
    const residuals = Float64Array.from(pairs, (p) => (p.numerator - estimate * p.denominator) ** 2)
    const standardError = (widening * Math.sqrt(sum(residuals))) / Math.abs(sum(denominators))
    const method = `Student-t over ${n} windows`
    return {
      estimate,
      low: estimate - t * standardError,
      high: estimate + t * standardError,
      standardError,
      level,
      method,
    }
  }
  const next = splitMix32(seed)
  const ratios = new Float64Array(resamples)
  for (let r = 0; r < resamples; r++) {
    let [a, b] = [0, 0]
    for (let i = 0; i < n; i++) {
      const j = Math.floor((next() / 4294967296) * n)
      a += numerators[j]!
      b += denominators[j]!
    }
    ratios[r] = a / b
  }
  ratios.sort()
  const mean = ratios.reduce((x, y) => x + y, 0) / resamples
  const variance = ratios.reduce((x, y) => x + (y - mean) ** 2, 0) / (resamples - 1)
  const tail = normalCdf(-widening * t)
  return {
    estimate,
    low: quantile(ratios, tail),
    high: quantile(ratios, 1 - tail),
    standardError: widening * Math.sqrt(variance),
    level,
    method: `bootstrap over ${n} windows`,
  }
}
