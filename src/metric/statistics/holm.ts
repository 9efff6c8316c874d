/** Several tests at once. */

/**
 * Adjusted p-values of Holm's step-down procedure (Holm 1979), in the order given: rejecting those at or below alpha
 * keeps the probability of any false rejection at alpha or less, whatever the dependence between the tests.
 *
 * @throws RangeError for a p-value outside 0..1
 */
export const holm = (values: readonly number[]): readonly number[] => {
  for (const p of values)
    if (!(p >= 0 && p <= 1)) throw new RangeError(`a p-value lies between 0 and 1, found ${p}`)
  const order = values.map((_, index) => index).sort((a, b) => values[a]! - values[b]!)
  const adjusted = Array.from<number>({ length: values.length })
  let highest = 0
  order.forEach((index, rank) => {
    highest = Math.max(highest, Math.min(1, (values.length - rank) * values[index]!))
    adjusted[index] = highest
  })
  return adjusted
}
