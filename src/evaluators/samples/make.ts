/** How a figure of samples is made, and its intervals. */
import type { Contract } from "../../metric/contract/contract.js"
import { quantile, splitMix32 } from "../../metric/statistics/bootstrap.js"
import { studentInterval, wilsonInterval } from "../../metric/statistics/intervals.js"
import type { ItemFigure } from "../summary.js"

/** What of a contract a figure says itself. */
export type Meaning = Pick<Contract, "quantity" | "unit"> &
  Partial<
    Pick<Contract, "event" | "estimator" | "denominator" | "reduction" | "grader" | "title" | "tokenizer">
  >

export type Make = (
  name: string,
  label: string,
  meaning: Meaning,
  value: number | null,
  rest?: Partial<Pick<ItemFigure, "interval" | "notes" | "published">>,
) => ItemFigure

const LEVEL = 0.95
const RESAMPLES = 1000

/**
 * Percentile bootstrap of a statistic of the texts alone: the data's lengths stand still. Distances of distributions
 * are biased upwards by few texts, so the interval says how much they vary and not where the truth lies.
 */
export const resampled = <A>(
  values: readonly A[],
  statistic: (values: readonly A[]) => number,
): ItemFigure["interval"] => {
  if (values.length < 2) return null
  const next = splitMix32(0)
  const found = Float64Array.from({ length: RESAMPLES }, () =>
    statistic(values.map(() => values[Math.floor((next() / 2 ** 32) * values.length)]!)),
  ).sort()
  return {
    low: quantile(found, (1 - LEVEL) / 2),
    high: quantile(found, (1 + LEVEL) / 2),
    level: LEVEL,
    method: `bootstrap over ${values.length} texts`,
  }
}

export const ofMean = (values: readonly number[], what = "texts"): ItemFigure["interval"] => {
  const found = values.length < 2 ? undefined : studentInterval(values, LEVEL)
  return found === undefined
    ? null
    : { low: found.low, high: found.high, level: LEVEL, method: `Student-t over ${values.length} ${what}` }
}

export const ofShare = (count: number, total: number): NonNullable<ItemFigure["interval"]> => {
  const { low, high } = wilsonInterval(count, total, LEVEL)
  return { low, high, level: LEVEL, method: "Wilson" }
}
