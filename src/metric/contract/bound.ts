/**
 * Numbers that know their unit and which side of the truth they are on.
 *
 * `UpperBound<"bits/byte">` and `Exact<"bits/byte">` are different types: `compareExact` takes only exact values, and
 * everything else goes through `compareMarked`, whose answer carries the mark.
 */
import type { BoundKind } from "./fields.js"
import { convertInterval, type ConversionInputs, type Interval, type Unit } from "./units.js"

declare const brand: unique symbol

interface Tagged<K extends BoundKind, U extends Unit> {
  readonly [brand]: K
  readonly kind: K
  readonly unit: U
  readonly value: number
  /** Uncertainty of `value` itself (rounding, sampling, an uncertain input), not of the truth behind a bound. */
  readonly interval: Interval
}

export type Exact<U extends Unit> = Tagged<"exact", U>
export type UpperBound<U extends Unit> = Tagged<"upper-bound", U>
export type LowerBound<U extends Unit> = Tagged<"lower-bound", U>
export type Estimate<U extends Unit> = Tagged<"estimate", U>
export type Unknown<U extends Unit> = Tagged<"unknown", U>
export type Measured<U extends Unit> = Exact<U> | UpperBound<U> | LowerBound<U> | Estimate<U> | Unknown<U>

const make = <K extends BoundKind, U extends Unit>(
  kind: K,
  unit: U,
  value: number,
  interval: Interval = { lo: value, hi: value },
): Tagged<K, U> => {
  if (!(interval.lo <= value && value <= interval.hi))
    throw new RangeError(`The value ${value} must lie in its interval ${interval.lo} to ${interval.hi}.`)
  return { kind, unit, value, interval } as Tagged<K, U>
}

export const exact = <U extends Unit>(unit: U, value: number, interval?: Interval): Exact<U> =>
  make("exact", unit, value, interval)
export const upperBound = <U extends Unit>(unit: U, value: number, interval?: Interval): UpperBound<U> =>
  make("upper-bound", unit, value, interval)
export const lowerBound = <U extends Unit>(unit: U, value: number, interval?: Interval): LowerBound<U> =>
  make("lower-bound", unit, value, interval)
export const estimate = <U extends Unit>(unit: U, value: number, interval?: Interval): Estimate<U> =>
  make("estimate", unit, value, interval)
export const unknown = <U extends Unit>(unit: U, value: number, interval?: Interval): Unknown<U> =>
  make("unknown", unit, value, interval)

/** A measured number of a kind known only at run time. */
export const measured = <U extends Unit>(
  kind: BoundKind,
  unit: U,
  value: number,
  interval?: Interval,
): Measured<U> => make(kind, unit, value, interval) as Measured<U>

/** What a reader must see beside the number. */
export const MARKS: { readonly [K in BoundKind]: string } = {
  exact: "",
  "upper-bound": "≤",
  "lower-bound": "≥",
  estimate: "≈",
  unknown: "?",
}

/** The same number in another unit. Every lawful conversion is increasing, so the kind stays. */
export const convert = <K extends BoundKind, From extends Unit, To extends Unit>(
  number: Tagged<K, From>,
  to: To,
  inputs: ConversionInputs = {},
): Tagged<K, To> => {
  const ratio = inputs.bytesPerToken
  const middle = typeof ratio === "object" ? (ratio.lo + ratio.hi) / 2 : ratio
  const point = convertInterval(
    { lo: number.value, hi: number.value },
    number.unit,
    to,
    middle === undefined ? {} : { bytesPerToken: middle },
  )
  return make(number.kind, to, point.lo, convertInterval(number.interval, number.unit, to, inputs))
}

/** Order of two exact values of one unit. */
export const compareExact = <U extends Unit>(a: Exact<U>, b: Exact<NoInfer<U>>): -1 | 0 | 1 =>
  a.value < b.value ? -1 : a.value > b.value ? 1 : 0

export interface MarkedOrder {
  /** below: the truth behind `a` is certainly at most that behind `b`. undetermined: the numbers do not say. */
  readonly relation: "below" | "above" | "equal" | "undetermined"
  readonly reason: string
}

/** Where the truth behind a number may lie. */
const truth = (number: Measured<Unit>): Interval => {
  switch (number.kind) {
    case "exact":
      return number.interval
    case "upper-bound":
      return { lo: Number.NEGATIVE_INFINITY, hi: number.interval.hi }
    case "lower-bound":
      return { lo: number.interval.lo, hi: Number.POSITIVE_INFINITY }
    default:
      return { lo: Number.NEGATIVE_INFINITY, hi: Number.POSITIVE_INFINITY }
  }
}

/** What two numbers of one unit, of any kinds, say about the order of the truths behind them. */
export const compareMarked = <U extends Unit>(a: Measured<U>, b: Measured<NoInfer<U>>): MarkedOrder => {
  const first = truth(a)
  const second = truth(b)
  if (first.lo === first.hi && second.lo === second.hi && first.lo === second.lo)
    return { relation: "equal", reason: "both are exact and equal" }
  if (first.hi <= second.lo)
    return { relation: "below", reason: `the ${a.kind} ends where the ${b.kind} begins, or below` }
  if (first.lo >= second.hi)
    return { relation: "above", reason: `the ${a.kind} begins where the ${b.kind} ends, or above` }
  return { relation: "undetermined", reason: `${a.kind} and ${b.kind} overlap in where the truth may lie` }
}
