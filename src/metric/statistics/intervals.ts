/** Intervals of a mean across seeds and of a proportion. */
import { normalQuantile, studentQuantile } from "./distributions.js"

export interface Summary {
  readonly n: number
  readonly mean: number
  /** Sample standard deviation (divisor n - 1); undefined for one value. */
  readonly standardDeviation: number | undefined
}

/** @throws RangeError without values */
export const summarise = (values: readonly number[]): Summary => {
  const n = values.length
  if (n === 0) throw new RangeError("a mean needs one value at least")
  const mean = values.reduce((x, y) => x + y, 0) / n
  const squares = values.reduce((sum, x) => sum + (x - mean) ** 2, 0)
  return { n, mean, standardDeviation: n > 1 ? Math.sqrt(squares / (n - 1)) : undefined }
}

export interface MeanInterval extends Summary {
  readonly low: number
  readonly high: number
  readonly standardError: number
  readonly level: number
}

/**
 * Student-t interval of a mean, mean +- t_{n-1} s / sqrt(n): what another seed's mean would be, as far as seeds are
 * alike. Undefined for one value: one seed has no spread to speak of.
 */
export const studentInterval = (values: readonly number[], level = 0.95): MeanInterval | undefined => {
  const summary = summarise(values)
  if (summary.standardDeviation === undefined) return undefined
  const standardError = summary.standardDeviation / Math.sqrt(summary.n)
  const half = studentQuantile((1 + level) / 2, summary.n - 1) * standardError
  return { ...summary, low: summary.mean - half, high: summary.mean + half, standardError, level }
}

export interface ProportionInterval {
  readonly estimate: number
  readonly low: number
  readonly high: number
  readonly level: number
}

/**
 * Wilson score interval of a proportion (Wilson 1927); it stays inside 0..1 and has width at 0 and at n successes.
 *
 * @throws RangeError unless 0 <= successes <= trials and trials >= 1
 */
export const wilsonInterval = (successes: number, trials: number, level = 0.95): ProportionInterval => {
  if (!(trials >= 1 && successes >= 0 && successes <= trials))
    throw new RangeError(
      `a proportion needs 0 to n successes of n >= 1 trials, found ${successes} of ${trials}`,
    )
  const z = normalQuantile((1 + level) / 2)
  const p = successes / trials
  const scale = 1 + z ** 2 / trials
  const middle = (p + z ** 2 / (2 * trials)) / scale
  const half = (z / scale) * Math.sqrt((p * (1 - p)) / trials + z ** 2 / (4 * trials ** 2))
  return {
    estimate: p,
    low: successes === 0 ? 0 : middle - half,
    high: successes === trials ? 1 : middle + half,
    level,
  }
}
