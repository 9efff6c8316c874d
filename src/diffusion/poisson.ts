/** Poisson counts by inversion of uniforms. */

/** exp(-500) is well within float64; a larger mean is a sum of as many equal parts as it takes. */
const LARGEST_MEAN = 500

/** Uniforms that a count of this mean takes. */
export const poissonUniforms = (mean: number): number => Math.max(1, Math.ceil(mean / LARGEST_MEAN))

/** Smallest k whose cumulative probability exceeds `uniform`. */
const invert = (mean: number, uniform: number): number => {
  let p = Math.exp(-mean)
  let sum = p
  let k = 0
  // Rounding can leave the sum short of 1: there the terms have died away.
  while (uniform >= sum && (k < mean || p > 0)) {
    k++
    p *= mean / k
    sum += p
  }
  return k
}

/**
 * A Poisson count of the given mean.
 *
 * @param uniform number i of the uniforms in [0, 1); `poissonUniforms(mean)` of them are taken
 * @throws RangeError when the mean is negative or not finite
 */
export const poissonCount = (mean: number, uniform: (i: number) => number): number => {
  if (!(mean >= 0) || !Number.isFinite(mean))
    throw new RangeError(`a Poisson count needs a finite mean of at least 0, found ${mean}`)
  if (mean === 0) return 0
  const parts = poissonUniforms(mean)
  let count = 0
  for (let i = 0; i < parts; i++) count += invert(mean / parts, uniform(i))
  return count
}
