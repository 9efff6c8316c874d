/** Two models compared on the windows that both scored: paired values in bits per byte, and what is charged. */
import { estimatorName } from "../evaluators/index.js"
import { documentLengthBits, enumerativeWindowBits } from "../metric/code/boundary.js"
import { NOT_STATED } from "../metric/contract/fields.js"
import type { Pair } from "../metric/statistics/bootstrap.js"
import { pairedComparison, pairedSeeds } from "../metric/statistics/paired.js"
import { contractIn } from "./contract-in.js"
import { chargedBits, isPrefix } from "./ladder.js"
import { isCountable, type EvaluationSummary } from "./language-model.js"
import type { MatchedModel, MatchedRun } from "./matched-model.js"
import { decimalsFor, formatNumber } from "./numbers.js"

/**
 * What is paid for boundary positions that a model gets free. none: nothing, so its bits are no complete code. window:
 * an enumerative code of each window. slice: one such code over all scored windows, the cheapest of the three lawful
 * ones where windows are short. lengths: the same, and where a model of fixed length is told how long a row is, the
 * length by its share among the scored rows.
 */
export type Charge = "none" | "window" | "slice" | "lengths"

/** Two values on the same windows, in bits per byte under the exact byte table. */
export interface Comparison {
  readonly name: string
  readonly a: { readonly model: string; readonly evaluation: string; readonly value: number }
  readonly b: { readonly model: string; readonly evaluation: string; readonly value: number }
  readonly charge: Charge
  /** a - b; positive: a needs more bits. */
  readonly difference: number
  readonly low: number
  readonly high: number
  readonly level: number
  readonly method: string
  readonly windows: number
  readonly seeds: number
  /** Whether the interval excludes 0. */
  readonly told: "more" | "fewer" | "neither"
}

export type Pick = (run: MatchedRun) => EvaluationSummary | undefined

export interface Side {
  readonly model: MatchedModel
  readonly pick: Pick
}

/** Bits of one code for the boundary positions of all scored windows: their number, then which they are. */
export const sliceBoundaryBits = ({ tokens, boundaryTokens }: EvaluationSummary): number =>
  enumerativeWindowBits(tokens, boundaryTokens)

/** Whether the model was given boundary positions of these windows. */
const isFree = ({ boundaryBits }: EvaluationSummary): boolean => boundaryBits !== null && boundaryBits > 0

/**
 * Bits of the length of each row, where it is given: a masked network of fixed length sees where PAD begins. A causal one
 * writes the token that ends a row, or fills it, so that its code says the length itself; one that inserts is charged.
 */
const lengthBits = (summary: EvaluationSummary): ArrayLike<number> | undefined => {
  const { sideInformation, estimator } = contractIn(summary)
  const told = sideInformation !== NOT_STATED && sideInformation.includes("document-lengths")
  const causal = estimator !== NOT_STATED && estimator.kind === "autoregressive"
  return told && !causal ? documentLengthBits(summary.perWindow.map(({ tokens }) => tokens)) : undefined
}

const pairsOf = (summary: EvaluationSummary, windows: number, charge: Charge): readonly Pair[] => {
  const whole = charge === "slice" || charge === "lengths"
  const perToken = isFree(summary) && whole ? sliceBoundaryBits(summary) / summary.tokens : 0
  const lengths = charge === "lengths" ? lengthBits(summary) : undefined
  return summary.perWindow.slice(0, windows).map((window, w) => ({
    numerator:
      charge === "window"
        ? chargedBits(window)
        : window.bits + perToken * window.tokens + (lengths?.[w] ?? 0),
    denominator: window.bytes,
  }))
}

const ratio = (pairs: readonly Pair[]): number =>
  pairs.reduce((sum, { numerator }) => sum + numerator, 0) /
  pairs.reduce((sum, { denominator }) => sum + denominator, 0)

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length

/** Undefined where a side lacks the evaluation, or the windows of one are not the first of the other's. */
export const comparison = (a: Side, b: Side, charge: Charge): Comparison | undefined => {
  const pairs = a.model.seeds.flatMap((left) => {
    const right = b.model.seeds.find(
      ({ experiment }) => experiment.training.seed === left.experiment.training.seed,
    )
    const [one, other] = [a.pick(left), right === undefined ? undefined : b.pick(right)]
    if (one === undefined || other === undefined || !isCountable(one) || !isCountable(other)) return []
    if (!isPrefix(one, other) && !isPrefix(other, one)) return []
    return [{ one, other, windows: Math.min(one.perWindow.length, other.perWindow.length) }]
  })
  const [first] = pairs
  if (first === undefined || first.windows < 2) return undefined
  const values = pairs.map(({ one, other, windows }) => ({
    a: pairsOf(one, windows, charge),
    b: pairsOf(other, windows, charge),
  }))
  const seeds = pairedSeeds(
    values.map((each) => ratio(each.a)),
    values.map((each) => ratio(each.b)),
  )
  const { estimate, low, high, level, method } =
    seeds === undefined
      ? pairedComparison(values[0]!.a, values[0]!.b)
      : { ...seeds, estimate: seeds.mean, method: `Student-t over ${pairs.length} seeds` }
  const nameA = estimatorName(first.one.evaluation)
  const nameB = estimatorName(first.other.evaluation)
  return {
    name: nameA === nameB ? nameA : `${nameA} against ${nameB}`,
    a: {
      model: a.model.id,
      evaluation: first.one.evaluationId,
      value: mean(values.map((v) => ratio(v.a))),
    },
    b: {
      model: b.model.id,
      evaluation: first.other.evaluationId,
      value: mean(values.map((v) => ratio(v.b))),
    },
    charge:
      charge === "lengths" || pairs.some(({ one, other }) => isFree(one) || isFree(other)) ? charge : "none",
    difference: estimate,
    low,
    high,
    level,
    method,
    windows: first.windows,
    seeds: pairs.length,
    told: low > 0 ? "more" : high < 0 ? "fewer" : "neither",
  }
}

/** `+0.0713`, `[0.0620, 0.0811]` and both values, with equal decimals. */
export const showComparison = ({
  a,
  b,
  difference,
  low,
  high,
  level,
}: Comparison): {
  readonly difference: string
  readonly interval: string
  readonly values: readonly [string, string]
} => {
  const decimals = decimalsFor("bits/byte", { low, high, level, method: "" })
  // What the interval's decimals show as zero is zero: an exponent would claim digits that the interval denies.
  const shown = (value: number): string =>
    formatNumber(Math.abs(value) < 0.5 * 10 ** -decimals ? 0 : value, decimals)
  const signed = (value: number): string => (value > 0 ? `+${shown(value)}` : shown(value))
  return {
    difference: signed(difference),
    interval: `[${signed(low)}, ${signed(high)}]`,
    values: [shown(a.value), shown(b.value)],
  }
}

const CHARGES: Readonly<Record<Charge, string>> = {
  none: "",
  window: ", positions charged window by window",
  slice: ", positions charged in one code",
  lengths: ", positions and given lengths charged",
}

/** What a comparison is under: estimators and charge. */
export const comparisonName = ({ name, charge, a, b }: Comparison): string =>
  `${name}${a.model === b.model ? "" : CHARGES[charge]}`
