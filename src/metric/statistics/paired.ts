/** Two runs on the same windows or the same seeds: the noise they share cancels. */
import { bootstrapRatio, type BootstrapOptions, type BootstrapResult, type Pair } from "./bootstrap.js"
import { studentInterval, type MeanInterval } from "./intervals.js"

export interface PairedComparison extends BootstrapResult {
  /** Standard error of the difference if the windows were not the same; 1 - (paired / this)^2 is what pairing saves. */
  readonly unpairedStandardError: number
  /** Share of windows where `a` needs fewer bits; ties count half. */
  readonly wins: number
  readonly windows: number
}

/**
 * Difference a - b of two ratios of sums over the same windows, with a bootstrap over windows that keeps both runs'
 * bits of a window together. Negative: `a` needs fewer bits. Draw both runs' masks from the same stream (common
 * random numbers), or the mask noise does not cancel.
 *
 * @throws RangeError unless both lists hold the same windows: equal denominators, in the same order
 */
export const pairedComparison = (
  a: readonly Pair[],
  b: readonly Pair[],
  options: BootstrapOptions = {},
): PairedComparison => {
  if (a.length !== b.length)
    throw new RangeError(`a paired comparison needs the same windows, found ${a.length} and ${b.length}`)
  const differences = a.map((pair, w) => {
    if (pair.denominator !== b[w]!.denominator)
      throw new RangeError(
        `a paired comparison needs the same windows: window ${w} has ${pair.denominator} in one run and ${b[w]!.denominator} in the other`,
      )
    return { numerator: pair.numerator - b[w]!.numerator, denominator: pair.denominator }
  })
  const result = bootstrapRatio(differences, options)
  const apart = Math.hypot(
    bootstrapRatio(a, options).standardError,
    bootstrapRatio(b, { ...options, seed: (options.seed ?? 0) + 1 }).standardError,
  )
  const wins = differences.reduce(
    (sum, { numerator }) => sum + (numerator < 0 ? 1 : numerator === 0 ? 0.5 : 0),
    0,
  )
  return {
    ...result,
    method: `paired ${result.method}`,
    unpairedStandardError: apart,
    wins: wins / a.length,
    windows: a.length,
  }
}

/** Student-t interval of the mean difference a - b over seeds that share their streams; undefined for one seed. */
export const pairedSeeds = (
  a: readonly number[],
  b: readonly number[],
  level = 0.95,
): MeanInterval | undefined => {
  if (a.length !== b.length)
    throw new RangeError(`paired seeds need as many values on both sides, found ${a.length} and ${b.length}`)
  return studentInterval(
    a.map((x, i) => x - b[i]!),
    level,
  )
}
