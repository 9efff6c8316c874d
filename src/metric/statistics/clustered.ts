/** A mean whose items come in clusters, such as the lines of one problem or the samples of one item. */
import { normalQuantile } from "./distributions.js"

export interface ClusteredMean {
  readonly n: number
  readonly clusters: number
  readonly mean: number
  /** Standard error that lets items of one cluster agree (Liang and Zeger 1986); 0 when all values are equal. */
  readonly standardError: number
  readonly low: number
  readonly high: number
  readonly level: number
  /** Smallest true difference from 0 that such a sample finds with 80 % power. */
  readonly minimumDetectable: number
}

/**
 * Var = m/(m-1) sum over clusters of (sum of deviations)^2 / n^2, for m clusters; with one value a cluster it is the
 * usual s^2/n. Infinite for one cluster.
 *
 * @throws RangeError without values, or with lists of two lengths
 */
export const clusteredMean = (
  values: readonly number[],
  clusters: readonly string[],
  { level = 0.95, power = 0.8 }: { readonly level?: number; readonly power?: number } = {},
): ClusteredMean => {
  const n = values.length
  if (n === 0 || clusters.length !== n)
    throw new RangeError(`a clustered mean needs a cluster for each value, found ${n} and ${clusters.length}`)
  const mean = values.reduce((sum, x) => sum + x, 0) / n
  const deviations = new Map<string, number>()
  for (const [i, x] of values.entries())
    deviations.set(clusters[i]!, (deviations.get(clusters[i]!) ?? 0) + (x - mean))
  const m = deviations.size
  const squares = [...deviations.values()].reduce((sum, d) => sum + d * d, 0)
  const standardError = m === 1 ? Number.POSITIVE_INFINITY : Math.sqrt((m / (m - 1)) * squares) / n
  const z = normalQuantile((1 + level) / 2)
  return {
    n,
    clusters: m,
    mean,
    standardError,
    low: mean - z * standardError,
    high: mean + z * standardError,
    level,
    minimumDetectable: (z + normalQuantile(power)) * standardError,
  }
}
