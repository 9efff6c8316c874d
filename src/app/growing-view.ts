/** Which places of a row that grows are new after a step: tokens that were revealed, and masks that were inserted. */

export interface GrownPlaces {
  readonly revealed: readonly number[]
  readonly inserted: readonly number[]
}

/** Masks in each gap between other tokens, before the first and behind the last. */
const runsOf = (row: ArrayLike<number>, maskId: number): readonly number[] => {
  const runs = [0]
  for (let i = 0; i < row.length; i++)
    if (row[i] === maskId) runs[runs.length - 1]!++
    else runs.push(0)
  return runs
}

/**
 * Tokens keep their order, so the k-th token that is no MASK is the same one before and after an insertion. Masks of one
 * gap cannot be told apart: the last of them are taken for the new ones.
 *
 * @param before the row at the beginning of the step, without padding
 * @param revealed its positions that became tokens
 * @param after the row at the end, without padding
 */
export const grownPlaces = (
  before: ArrayLike<number>,
  revealed: readonly number[],
  after: ArrayLike<number>,
  maskId: number,
): GrownPlaces => {
  const opened = new Set(revealed)
  const ranks = new Set<number>()
  const then: number[] = [0]
  let rank = 0
  for (let i = 0; i < before.length; i++) {
    if (before[i] === maskId && !opened.has(i)) {
      then[then.length - 1]!++
      continue
    }
    if (opened.has(i)) ranks.add(rank)
    rank++
    then.push(0)
  }
  const now = runsOf(after, maskId)
  const found = { revealed: [] as number[], inserted: [] as number[] }
  let [at, gap] = [0, 0]
  for (const run of now) {
    const more = Math.max(0, run - (then[gap] ?? 0))
    for (let k = run - more; k < run; k++) found.inserted.push(at + k)
    at += run
    if (gap < now.length - 1) {
      if (ranks.has(gap)) found.revealed.push(at)
      at++
    }
    gap++
  }
  return found
}
