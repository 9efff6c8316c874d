/** Which rows go through a network together. */

/** Positions in one pass: enough to fill the matrix kernels, little enough to stay in cache. */
const POSITIONS = 2048
/** Widths are multiples of it. */
const STEP = 8
/** Widths that programs are compiled for: the whole canvas, half of it, a quarter, an eighth. */
const HALVINGS = 3

/** Ascending; the last holds the whole canvas. */
export const widthsOf = (whole: number): readonly number[] => {
  const widths = Array.from({ length: HALVINGS + 1 }, (_, i) =>
    Math.min(whole, Math.ceil(whole / 2 ** (HALVINGS - i) / STEP) * STEP),
  )
  return [...new Set(widths)]
}

/** Rows of one pass of a width at most. */
export const rowsOf = (width: number, most: number): number =>
  Math.max(1, Math.min(most, Math.floor(POSITIONS / width)))

/** Rows of the program for `count` of them: the next power of two, so that few are compiled and few rows are empty. */
export const roomFor = (count: number, width: number, most: number): number =>
  Math.min(rowsOf(width, most), 2 ** Math.ceil(Math.log2(count)))

export interface Batch {
  readonly width: number
  /** Indices of rows. */
  readonly rows: readonly number[]
}

/**
 * Rows by falling length; each batch has the width of its longest row, and room that is left is taken by shorter ones.
 *
 * @param widthOf the program's width for a row of n positions
 */
export const batchesOf = (
  lengths: readonly number[],
  widthOf: (n: number) => number,
  most: number,
): readonly Batch[] => {
  const order = Array.from(lengths.keys()).sort((a, b) => lengths[b]! - lengths[a]! || a - b)
  const batches: Batch[] = []
  for (let at = 0; at < order.length;) {
    const width = widthOf(lengths[order[at]!]!)
    const rows = order.slice(at, at + rowsOf(width, most))
    batches.push({ width, rows })
    at += rows.length
  }
  return batches
}
