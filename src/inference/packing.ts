/**
 * Packs masked sequences into forward passes of fixed shape.
 *
 * A pass takes `rows` sequences and scores at most `capacity` masked positions. Rows come with very different
 * numbers of masked positions; pairing heavy rows with light ones lets a capacity of about half the positions
 * serve all of them.
 */

/** One sequence of a forward pass. */
export interface PackRow {
  /** Position of the row in the caller's list. */
  readonly index: number
  readonly masked: number
}

/**
 * Groups rows into passes: heaviest with lightest, first fit. A row heavier than the capacity is an error of
 * the caller, which must choose a capacity of at least one full row.
 *
 * @throws RangeError when a row does not fit an empty pass
 */
export const packRows = (
  rows: readonly PackRow[],
  limit: { readonly rows: number; readonly capacity: number },
): readonly (readonly PackRow[])[] => {
  const sorted = [...rows].sort((a, b) => b.masked - a.masked || a.index - b.index)
  const passes: PackRow[][] = []
  let low = sorted.length - 1
  for (let high = 0; high <= low;) {
    const pass: PackRow[] = []
    let room = limit.capacity
    while (pass.length < limit.rows && high <= low && sorted[high]!.masked <= room) {
      const heavy = sorted[high++]!
      pass.push(heavy)
      room -= heavy.masked
      // As many light rows as heavy ones keep the average near one half.
      if (pass.length < limit.rows && high <= low && sorted[low]!.masked <= room) {
        const light = sorted[low--]!
        pass.push(light)
        room -= light.masked
      }
    }
    while (pass.length < limit.rows && high <= low && sorted[low]!.masked <= room) {
      const light = sorted[low--]!
      pass.push(light)
      room -= light.masked
    }
    if (pass.length === 0)
      throw new RangeError(
        `a row with ${sorted[high]!.masked} masked positions exceeds the capacity ${limit.capacity}`,
      )
    passes.push(pass)
  }
  return passes
}
