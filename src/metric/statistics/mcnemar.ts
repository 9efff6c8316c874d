/** McNemar's test: two graders, or two models, on the same items. */
import { incompleteBeta } from "./distributions.js"

export interface McNemar {
  /** Items that the first alone has right, and the second alone. */
  readonly first: number
  readonly second: number
  /** Exact two-sided p: the discordant items as fair coins. 1 where none is discordant. */
  readonly p: number
}

/** P(X <= k) of the binomial with n fair coins. */
const fairCoins = (k: number, n: number): number => (k >= n ? 1 : incompleteBeta(0.5, n - k, k + 1))

/** @throws RangeError unless both counts are whole and not negative */
export const mcnemar = (first: number, second: number): McNemar => {
  if (![first, second].every((count) => Number.isInteger(count) && count >= 0))
    throw new RangeError(`McNemar's test counts items, found ${first} and ${second}`)
  const n = first + second
  return { first, second, p: n === 0 ? 1 : Math.min(1, 2 * fairCoins(Math.min(first, second), n)) }
}
