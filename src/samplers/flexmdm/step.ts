/** One step of one row, once its events are known. */
import { insertMasks, type OverflowPolicy } from "./insert.js"
import { lengthOf, reveal, type RowRule } from "./row.js"

/** Events of a step. Inserted masks are not revealed in the step that inserts them. */
export interface StepEvents {
  readonly positions: readonly number[]
  readonly tokens: ArrayLike<number>
  /** Masks asked for in each slot; absent in the last step, which inserts nothing. */
  readonly insertions?: ArrayLike<number>
}

export interface Stepped {
  readonly row: Int32Array
  readonly inserted: number
  readonly overflowed: boolean
}

/**
 * When the published samplers count a row's tokens for insertion: before the step reveals any (small models), or after
 * (8B). It matters only where PAD may be drawn, which shortens the row.
 */
export type CountedLength = "before" | "after"

export const applyEvents = (
  row: Int32Array,
  { positions, tokens, insertions }: StepEvents,
  rule: RowRule,
  overflow: OverflowPolicy,
  counted: CountedLength = "before",
): Stepped => {
  const revealed = reveal(row, positions, tokens)
  return insertions === undefined
    ? { row: revealed, inserted: 0, overflowed: false }
    : insertMasks(
        revealed,
        insertions,
        rule,
        overflow,
        lengthOf(counted === "before" ? row : revealed, rule.padId),
      )
}

/**
 * The token that a position takes from one Poisson count for each token, under the published rule: exactly one event,
 * MASK not counted; two events cancel each other.
 *
 * @returns undefined when the position stays MASK
 */
export const exactlyOneEvent = (counts: ArrayLike<number>, maskId: number): number | undefined => {
  let [events, token] = [0, -1]
  for (let v = 0; v < counts.length; v++) {
    if (v === maskId || counts[v] === 0) continue
    events += counts[v]!
    token = v
  }
  return events === 1 ? token : undefined
}

/** Published Euler step: weights min(1, f h dt) against 1 for staying, normalised. */
export const eulerWeights = (
  probabilities: ArrayLike<number>,
  events: number,
  maskId: number,
): Float64Array => {
  const weights = Float64Array.from(probabilities, (p, v) => (v === maskId ? 1 : Math.min(1, p * events)))
  const sum = weights.reduce((a, b) => a + b, 0)
  return weights.map((w) => w / sum)
}
