/** What a comparison could have found: the power of a two-sided t test and the smallest effect it detects. */
import { logGamma } from "../code/boundary.js"
import { normalCdf, studentQuantile } from "./distributions.js"

export interface PowerOptions {
  /** Confidence of the two-sided test; 0.95 when absent. */
  readonly level?: number
  /** Probability of finding a difference of that size; 0.8 when absent. */
  readonly power?: number
}

/**
 * P(|T| > t) of the noncentral t: the mean of P(|Z + shift| > t s) over s = sqrt(chi-squared / freedom), by the
 * trapezoidal rule in ln s, which converges geometrically for such an integrand.
 */
const twoSided = (t: number, freedom: number, shift: number): number => {
  const width = 1 / Math.sqrt(2 * freedom)
  const step = Math.min(0.05, width / 3)
  const [from, to] = [-32 / freedom - 8 * width, Math.log(1 + 12 * width)]
  const scale = Math.LN2 + (freedom / 2) * Math.log(freedom / 2) - logGamma(freedom / 2)
  let sum = 0
  for (let x = from; x <= to; x += step) {
    const s = Math.exp(x)
    const density = Math.exp(scale + freedom * x - (freedom * s * s) / 2)
    sum += density * (normalCdf(shift - t * s) + normalCdf(-shift - t * s))
  }
  return sum * step
}

/** Power of the two-sided t test at 1 - `level` when the true difference is `shift` standard errors. */
export const testPower = (shift: number, freedom: number, level = 0.95): number =>
  twoSided(studentQuantile((1 + level) / 2, freedom), freedom, shift)

/**
 * The smallest true difference, in standard errors, that a two-sided t test finds with the given power (Student's
 * quantiles added up would understate it: by 5 % with two degrees of freedom, by 14 % with one).
 *
 * @throws RangeError for a power that the test has without any difference, or of 1
 */
export const detectableShift = (
  freedom: number,
  { level = 0.95, power = 0.8 }: PowerOptions = {},
): number => {
  if (!(power > 1 - level && power < 1))
    throw new RangeError(`power must lie between ${(1 - level).toPrecision(2)} and 1, found ${power}`)
  const critical = studentQuantile((1 + level) / 2, freedom)
  const excess = (shift: number): number => twoSided(critical, freedom, shift) - power
  let [lo, hi] = [0, critical]
  let [below, above] = [1 - level - power, excess(hi)]
  while (above < 0) {
    ;[lo, below] = [hi, above]
    hi *= 2
    above = excess(hi)
  }
  // Regula falsi; the end that stays has its value halved (Illinois).
  for (let i = 0; i < 100 && hi - lo > 1e-13 * hi; i++) {
    const middle = (lo * above - hi * below) / (above - below)
    const value = excess(middle)
    if (value === 0 || middle <= lo || middle >= hi) return middle
    if (value < 0) {
      ;[lo, below] = [middle, value]
      above /= 2
    } else {
      ;[hi, above] = [middle, value]
      below /= 2
    }
    if (Math.abs(value) < 1e-14) return middle
  }
  return (lo + hi) / 2
}

export interface SampleOptions extends PowerOptions {
  /** Two groups of n values each instead of n differences. */
  readonly twoGroups?: boolean
}

/**
 * Smallest true difference that n values of this sample standard deviation find with the given power: the shift times
 * s sqrt(1/n), sqrt(2/n) for two groups. Infinite for n = 1.
 */
export const minimumDetectable = (
  standardDeviation: number,
  n: number,
  options: SampleOptions = {},
): number => {
  const { twoGroups = false } = options
  const freedom = twoGroups ? 2 * (n - 1) : n - 1
  if (freedom < 1) return Number.POSITIVE_INFINITY
  return detectableShift(freedom, options) * standardDeviation * Math.sqrt((twoGroups ? 2 : 1) / n)
}

/** Fewest values (per group) that find a difference of `effect`. @throws RangeError unless the effect is positive */
export const valuesNeeded = (
  standardDeviation: number,
  effect: number,
  options: SampleOptions = {},
): number => {
  if (!(effect > 0)) throw new RangeError(`an effect must be positive, found ${effect}`)
  const found = (n: number): boolean => minimumDetectable(standardDeviation, n, options) <= effect
  let hi = 2
  while (!found(hi)) hi *= 2
  let lo = hi / 2
  if (hi === 2) return 2
  while (hi - lo > 1) {
    const middle = Math.floor((lo + hi) / 2)
    if (found(middle)) hi = middle
    else lo = middle
  }
  return hi
}
