/** Two files on the same items: the noise that they share cancels. */
import { clusteredMean } from "../../metric/statistics/clustered.js"
import { mcnemar } from "../../metric/statistics/mcnemar.js"
import type { Scored } from "./grade.js"
import { rightPerItem } from "./summary.js"

export interface PairedScore {
  readonly grader: string
  readonly items: number
  readonly clusters: number
  /** Mean shares of right samples over the common items, 0 to 1. */
  readonly first: number
  readonly second: number
  /** first - second, with an interval from the clustered standard error. */
  readonly difference: number
  readonly standardError: number
  readonly low: number
  readonly high: number
  /** Smallest true difference that these items find with 80 % power. */
  readonly minimumDetectable: number
  /** Items right in one file alone, where each item has one sample in both; undefined otherwise. */
  readonly mcnemar: { readonly first: number; readonly second: number; readonly p: number } | undefined
  readonly firstOnly: readonly string[]
  readonly secondOnly: readonly string[]
}

export interface Comparison {
  readonly common: number
  /** Items of one file alone: they are left out. */
  readonly onlyFirst: number
  readonly onlySecond: number
  readonly graders: readonly PairedScore[]
}

const samplesOf = ({ items }: Scored): ReadonlyMap<number, number> =>
  rightPerItem(
    items,
    items.map(() => true),
  )

export const compareScored = (a: Scored, b: Scored): Comparison => {
  const numberInB = new Map(b.ids.map((id, number) => [id, number]))
  const [na, nb] = [samplesOf(a), samplesOf(b)]
  const pairs = [...na.keys()]
    .sort((x, y) => x - y)
    .flatMap((number) => {
      const other = numberInB.get(a.ids[number]!)
      return other === undefined || !nb.has(other) ? [] : [{ id: a.ids[number]!, number, other }]
    })
  const single = pairs.every(({ number, other }) => na.get(number) === 1 && nb.get(other) === 1)
  const graders = a.columns.flatMap(({ grader, correct }): readonly PairedScore[] => {
    const column = b.columns.find((each) => each.grader.id === grader.id)
    if (column === undefined || pairs.length === 0) return []
    const [ra, rb] = [rightPerItem(a.items, correct), rightPerItem(b.items, column.correct)]
    const shares = pairs.map(({ number, other }) => [
      ra.get(number)! / na.get(number)!,
      rb.get(other)! / nb.get(other)!,
    ]) as readonly (readonly [number, number])[]
    const mean = clusteredMean(
      shares.map(([x, y]) => x - y),
      pairs.map(({ number }) => a.clusters[number]!),
    )
    const ids = (test: (x: number, y: number) => boolean): readonly string[] =>
      pairs.filter((_, i) => test(...shares[i]!)).map(({ id }) => id)
    const firstOnly = ids((x, y) => x > y)
    const secondOnly = ids((x, y) => x < y)
    return [
      {
        grader: grader.id,
        items: pairs.length,
        clusters: mean.clusters,
        first: shares.reduce((sum, [x]) => sum + x, 0) / shares.length,
        second: shares.reduce((sum, [, y]) => sum + y, 0) / shares.length,
        difference: mean.mean,
        standardError: mean.standardError,
        low: mean.low,
        high: mean.high,
        minimumDetectable: mean.minimumDetectable,
        mcnemar: single ? mcnemar(firstOnly.length, secondOnly.length) : undefined,
        firstOnly,
        secondOnly,
      },
    ]
  })
  return {
    common: pairs.length,
    onlyFirst: na.size - pairs.length,
    onlySecond: nb.size - pairs.length,
    graders,
  }
}
