/** The denominator that two printed figures leave possible. */
import type { Interval } from "../metric/contract/units.js"

export interface Inferred {
  readonly bytesPerToken: number
  /** All ratios that rounding leaves possible. */
  readonly interval: Interval
  /** bytesPerToken * tokens, where the tokens are known. */
  readonly bytes?: { readonly value: number; readonly interval: Interval }
}
