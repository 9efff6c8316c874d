/** Figures of scored generations: shares, pass@k, intervals, and where graders disagree. */
import { clusteredMean } from "../../metric/statistics/clustered.js"
import { wilsonInterval } from "../../metric/statistics/intervals.js"
import { passAtK } from "../../metric/statistics/pass-at-k.js"
import type { Failure } from "../../tasks/task.js"
import type { Column, Scored } from "./grade.js"

export interface Figure {
  readonly grader: string
  readonly k: number
  /** Right generations, of all. */
  readonly right: number
  readonly generations: number
  /** Items with a generation. */
  readonly items: number
  /** Mean over items, 0 to 1. */
  readonly value: number
  readonly low: number
  readonly high: number
  readonly method: string
  /** Standard error that lets items of one cluster agree, where there are such. */
  readonly clustered: { readonly standardError: number; readonly clusters: number } | undefined
  readonly failures: Readonly<Record<Failure, number>>
  readonly near: Column["near"]
}

/** Generations that `row` has right and `column` wrong. */
export interface Disagreement {
  readonly graders: readonly string[]
  readonly counts: readonly (readonly number[])[]
}

const LEVEL = 0.95

interface PerItem {
  readonly numbers: readonly number[]
  readonly samples: readonly number[]
}

/** Items with their numbers of samples, in order. */
const perItem = ({ items }: Scored): PerItem => {
  const counts = new Map<number, number>()
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1)
  const numbers = [...counts.keys()].sort((a, b) => a - b)
  return { numbers, samples: numbers.map((number) => counts.get(number)!) }
}

export const rightPerItem = (
  items: readonly number[],
  correct: readonly boolean[],
): ReadonlyMap<number, number> => {
  const right = new Map<number, number>()
  for (const [generation, item] of items.entries())
    right.set(item, (right.get(item) ?? 0) + (correct[generation] === true ? 1 : 0))
  return right
}

/** 1, and 5, 10, 100 where every item has as many samples. */
const ksOf = ({ samples }: PerItem): readonly number[] => {
  const least = samples.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  const most = samples.reduce((a, b) => Math.max(a, b), 0)
  return least === most ? [1, 5, 10, 100].filter((k) => k === 1 || k <= least) : [1]
}

export const figuresOf = (scored: Scored): readonly Figure[] => {
  const items = perItem(scored)
  const ks = ksOf(items)
  const single = items.samples.every((n) => n === 1)
  const groups = items.numbers.map((number) => scored.clusters[number]!)
  const grouped = new Set(groups).size < groups.length
  return scored.columns.flatMap(({ grader, correct, failures, near }) => {
    const right = rightPerItem(scored.items, correct)
    const total = [...right.values()].reduce((a, b) => a + b, 0)
    return ks.map((k): Figure => {
      const values = items.numbers.map((number, i) => passAtK(items.samples[i]!, right.get(number)!, k))
      const mean = clusteredMean(values, groups)
      const spread = Number.isFinite(mean.standardError)
      // Items that are right or wrong as a whole are counted as such, however many samples say so: the normal interval
      // of shares that are all alike would have no width.
      const whole = values.every((value) => value === 0 || value === 1)
      const wilson = wilsonInterval(
        values.reduce((a, b) => a + b, 0),
        values.length,
      )
      return {
        grader: grader.id,
        k,
        right: total,
        generations: scored.items.length,
        items: items.numbers.length,
        value: mean.mean,
        low: whole ? wilson.low : spread ? Math.max(0, mean.low) : 0,
        high: whole ? wilson.high : spread ? Math.min(1, mean.high) : 1,
        method: single ? "Wilson" : whole ? "Wilson over items" : "mean over items, normal",
        clustered:
          grouped && spread ? { standardError: mean.standardError, clusters: mean.clusters } : undefined,
        failures,
        near,
      }
    })
  })
}

export const disagreementOf = ({ columns }: Pick<Scored, "columns">): Disagreement => ({
  graders: columns.map(({ grader }) => grader.id),
  counts: columns.map((row) =>
    columns.map(
      (column) =>
        row.correct.filter((right, generation) => right && column.correct[generation] !== true).length,
    ),
  ),
})

export { LEVEL }
