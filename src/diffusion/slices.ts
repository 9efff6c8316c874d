/**
 * Slices of a micro-batch: equal numbers of its rows, whose losses add up to the micro-batch's.
 *
 * A slice keeps the weights of the whole (they hold its divisor), so the sum over slices is the loss itself; only
 * the order of the additions differs.
 */
import type { CorruptedBatch } from "./batch.js"

/**
 * The most equal slices of `rows` rows, `most` at the most, each of two rows or more: a row alone may be masked
 * wholly, which its program would need room for; rows that go together even that out.
 */
export const sliceCount = (rows: number, most: number): number => {
  let count = Math.max(1, Math.min(Math.floor(rows / 2), Math.floor(most)))
  while (rows % count !== 0) count--
  return count
}

/**
 * Deals rows to slices, those with many positions under the loss together with those with few: sorted by number,
 * then back and forth over the slices. With antithetic times every slice comes close to its share.
 */
const dealRows = (counts: readonly number[], slices: number): readonly (readonly number[])[] => {
  const order = counts.map((_, row) => row).sort((a, b) => counts[a]! - counts[b]! || a - b)
  const dealt: number[][] = Array.from({ length: slices }, () => [])
  order.forEach((row, i) => {
    const turn = i % (2 * slices)
    dealt[turn < slices ? turn : 2 * slices - 1 - turn]!.push(row)
  })
  return dealt.map((rows) => rows.sort((a, b) => a - b))
}

/**
 * A micro-batch in slices with about as many positions under the loss each.
 * @param slices a divisor of the batch's rows
 */
export const sliceBatch = (batch: CorruptedBatch, slices: number): readonly CorruptedBatch[] => {
  if (slices === 1) return [batch]
  const { rows, length, positions } = batch
  if (rows % slices !== 0) throw new RangeError(`${rows} rows are not ${slices} equal slices`)
  // Positions ascend, so those of a row are one run.
  const ends = new Int32Array(rows)
  positions.forEach((p, j) => (ends[Math.floor(p / length)] = j + 1))
  for (let r = 1; r < rows; r++) ends[r] = Math.max(ends[r]!, ends[r - 1]!)
  const start = (r: number): number => (r === 0 ? 0 : ends[r - 1]!)
  const counts = Array.from(ends, (end, r) => end - start(r))
  return dealRows(counts, slices).map((own) => {
    const inputIds = new Int32Array(own.length * length)
    const pick = own.flatMap((r, i) => {
      inputIds.set(batch.inputIds.subarray(r * length, (r + 1) * length), i * length)
      return Array.from({ length: counts[r]! }, (_, k) => ({
        from: start(r) + k,
        to: positions[start(r) + k]! + (i - r) * length,
      }))
    })
    return {
      rows: own.length,
      length,
      inputIds,
      sigma: Float64Array.from(own, (r) => batch.sigma[r]!),
      times: Float64Array.from(own, (r) => batch.times[r]!),
      positions: Int32Array.from(pick, ({ to }) => to),
      targets: Int32Array.from(pick, ({ from }) => batch.targets[from]!),
      weights: Float64Array.from(pick, ({ from }) => batch.weights[from]!),
      divisor: batch.divisor,
      dealt: own,
    }
  })
}
