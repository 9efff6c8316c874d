/** How the lengths of sampled texts differ from those of the data. Lengths in tokens, given ones included. */

const sorted = (values: Iterable<number>): Float64Array => Float64Array.from(values).sort()

const requireBoth = (a: Float64Array, b: Float64Array): void => {
  if (a.length === 0 || b.length === 0) throw new RangeError("both sets need a length at least")
}

/** Points of both sets in order, with the shares of each at or below them. */
function* steps(a: Float64Array, b: Float64Array): Generator<readonly [number, number, number]> {
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    const x = Math.min(a[i] ?? Number.POSITIVE_INFINITY, b[j] ?? Number.POSITIVE_INFINITY)
    while (i < a.length && a[i]! <= x) i++
    while (j < b.length && b[j]! <= x) j++
    yield [x, i / a.length, j / b.length]
  }
}

/**
 * Two-sample Kolmogorov-Smirnov statistic: the largest difference of the empirical distribution functions, in [0, 1].
 *
 * @throws RangeError where a set is empty
 */
export const kolmogorovSmirnov = (ours: Iterable<number>, data: Iterable<number>): number => {
  const [a, b] = [sorted(ours), sorted(data)]
  requireBoth(a, b)
  let most = 0
  for (const [, p, q] of steps(a, b)) most = Math.max(most, Math.abs(p - q))
  return most
}

/**
 * First Wasserstein distance of the empirical distributions, in tokens: the area between their distribution functions.
 *
 * @throws RangeError where a set is empty
 */
export const wasserstein = (ours: Iterable<number>, data: Iterable<number>): number => {
  const [a, b] = [sorted(ours), sorted(data)]
  requireBoth(a, b)
  let [area, from, gap] = [0, 0, 0]
  for (const [x, p, q] of steps(a, b)) {
    if (gap > 0) area += gap * (x - from)
    from = x
    gap = Math.abs(p - q)
  }
  return area
}

/** Points (length, share of texts at most so long), ascending: what a plot of the distribution function draws. */
export const lengthCurve = (
  lengths: Iterable<number>,
): readonly { readonly length: number; readonly share: number }[] => {
  const all = sorted(lengths)
  return Array.from(all.keys())
    .filter((i) => all[i] !== all[i + 1])
    .map((i) => ({ length: all[i]!, share: (i + 1) / all.length }))
}
