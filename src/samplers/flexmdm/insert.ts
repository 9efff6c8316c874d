/** Insertion of masks, and what happens when they do not fit. */
import { OVERFLOWS } from "../../spec/sampling.js"
import { isOpenSlot, lengthOf, type RowRule } from "./row.js"

/**
 * When a row of n tokens asks for more masks than its canvas of L holds:
 *
 * - fill: as published. The tokens stay and everything behind them up to L becomes MASK, behind an EOS anchor too; text
 *   after a gap moves with the row's end, beyond the canvas, and is lost. Biases lengths to the full canvas.
 * - cancel: nothing is inserted in this step. Biases lengths down.
 * - clip: as many as fit, spread evenly over those asked for.
 */
export const OVERFLOW_POLICIES = OVERFLOWS
export type OverflowPolicy = (typeof OVERFLOW_POLICIES)[number]

export interface Inserted {
  readonly row: Int32Array
  /** Masks that were inserted between tokens. */
  readonly inserted: number
  readonly overflowed: boolean
}

/** Of `asked` counts in order, an even choice of `room` of them. */
const clipped = (counts: Int32Array, asked: number, room: number): Int32Array => {
  let seen = 0
  const keptBefore = (k: number): number => Math.floor((k * room) / asked)
  return counts.map((count) => {
    const kept = keptBefore(seen + count) - keptBefore(seen)
    seen += count
    return kept
  })
}

const spread = (row: Int32Array, counts: Int32Array, n: number, { padId, maskId }: RowRule): Int32Array => {
  const next = new Int32Array(row.length).fill(padId)
  let at = 0
  for (let slot = 0; slot <= n; slot++) {
    next.fill(maskId, at, at + counts[slot]!)
    at += counts[slot]!
    if (slot < n) next[at++] = row[slot]!
  }
  return next
}

/**
 * @param counts masks asked for before each token, and after the last; what stands in slots that are closed or behind
 *   the row is passed over
 * @param n tokens of the row; what stands behind them is lost
 */
export const insertMasks = (
  row: Int32Array,
  asked: ArrayLike<number>,
  rule: RowRule,
  policy: OverflowPolicy,
  n = lengthOf(row, rule.padId),
): Inserted => {
  const counts = Int32Array.from({ length: n + 1 }, (_, slot) =>
    slot < asked.length && isOpenSlot(rule, slot, n) ? asked[slot]! : 0,
  )
  const total = counts.reduce((a, b) => a + b, 0)
  const room = row.length - n
  if (total <= room) return { row: spread(row, counts, n, rule), inserted: total, overflowed: false }
  if (policy === "cancel") return { row: spread(row, counts.fill(0), n, rule), inserted: 0, overflowed: true }
  if (policy === "clip")
    return { row: spread(row, clipped(counts, total, room), n, rule), inserted: room, overflowed: true }
  const filled = spread(row, counts.fill(0), n, rule).fill(rule.maskId, n)
  if (!rule.anchored && rule.suffix > 0) {
    // The suffix is written where the row would end; its old place becomes part of the gap.
    const suffix = row.slice(n - rule.suffix, n)
    const start = n + total - rule.suffix
    filled.fill(rule.maskId, n - rule.suffix)
    suffix.forEach((token, k) => {
      if (start + k < row.length) filled[start + k] = token
    })
  }
  return { row: filled, inserted: room, overflowed: true }
}
