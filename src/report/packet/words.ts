/** Words and numbers that the packet's renderings share. */
import { MARKS } from "../../metric/contract/bound.js"
import type { Verdict } from "../../metric/contract/compare.js"
import { NOT_STATED, SEMANTIC_FIELDS, type Contract } from "../../metric/contract/contract.js"
import type { ChargeRow } from "../../audit/boundary-charge.js"
import type { Rescored } from "../../audit/rescore-claim.js"

export const VERDICT_WORDS: { readonly [K in Verdict]: string } = {
  identical: "identical: one definition",
  convertible: "convertible: arithmetic leads to the definition",
  "ordered-only": "ordered only: at most an order follows",
  incomparable: "incomparable: no arithmetic leads to the definition",
  unknown: "unknown: the source does not say enough",
}

const DECIMALS: Readonly<Record<string, number>> = { percent: 2, proportion: 4, ppl: 3 }

export const showValue = (value: number, unit: string): string => value.toFixed(DECIMALS[unit] ?? 4)

/** The interval of a re-scored value; undefined where it is no more than the rounding of the printed digits. */
export const showInterval = ({ number, status }: Rescored): string | undefined => {
  if (number === undefined || status === "unchanged") return undefined
  const { lo, hi } = number.interval
  const [low, high] = [showValue(lo, number.unit), showValue(hi, number.unit)]
  return low === high ? undefined : `${low} to ${high}`
}

/** `≤ 1.7478 bits/byte`. */
export const showPoint = (rescored: Rescored): string => {
  if (rescored.number === undefined) return `not possible: ${rescored.reason}`
  const { kind, value, unit } = rescored.number
  return `${MARKS[kind] === "" ? "" : `${MARKS[kind]} `}${showValue(value, unit)} ${unit}`
}

/** `≤ 1.7478 bits/byte (1.7364 to 1.7593)`. */
export const showRescored = (rescored: Rescored): string => {
  const interval = showInterval(rescored)
  return `${showPoint(rescored)}${interval === undefined ? "" : ` (${interval})`}`
}

/** What the rows beside the values mean. */
export const CHARGE_WORDS =
  "The values under the definition are without the boundary charge, the cost of boundary positions that a model is given free. Discretisation is what the finite number of steps is expected to have added to a value."

/** `+0.00388 bits/byte`. */
export const showCharge = ({ amount }: ChargeRow): string =>
  `${amount < 0 ? "" : "+"}${amount.toFixed(5)} bits/byte`

/** `≤ 1.7516 bits/byte (1.7403 to 1.7632)`; `about` where the amount is an expectation and no code. */
export const showCharged = (row: ChargeRow, rescored: Rescored): string => {
  const kind = rescored.number?.kind ?? "unknown"
  const mark = row.id === "discretisation" ? "about " : MARKS[kind] === "" ? "" : `${MARKS[kind]} `
  const [low, high] = [showValue(row.interval.lo, "bits/byte"), showValue(row.interval.hi, "bits/byte")]
  const interval = rescored.status === "unchanged" || low === high ? "" : ` (${low} to ${high})`
  return `${mark}${showValue(row.value, "bits/byte")} bits/byte${interval}`
}

const describe = (value: unknown, depth = 0): string => {
  if (value === NOT_STATED) return NOT_STATED
  if (Array.isArray(value))
    return value.length === 0 ? "nothing" : value.map((each) => describe(each, depth + 1)).join(", ")
  if (typeof value === "object" && value !== null) {
    const { kind, ...rest } = value as Record<string, unknown>
    const inner = Object.entries(rest)
      .map(([key, each]) => `${key}: ${describe(each, depth + 1)}`)
      .join(depth === 0 ? "; " : ", ")
    if (typeof kind === "string") return inner === "" ? kind : `${kind} (${inner})`
    return depth === 0 ? inner : `(${inner})`
  }
  return String(value)
}

/** The fields of a contract as rows of name and value, in order. */
export const contractRows = (contract: Contract): readonly (readonly [name: string, value: string])[] =>
  SEMANTIC_FIELDS.map((field) => [field, describe(contract[field])])

/** The unit after a printed value, with a space; nothing where the value is printed with a sign of percent. */
export const unitAfter = (printed: string, unit: string): string =>
  unit === "percent" && /[%％]\s*$/.test(printed) ? "" : ` ${unit}`

/** A printed value and its unit, which is named once: `67 %`, `1.1194 bits/byte`. */
export const withUnit = (printed: string, unit: string): string => `${printed}${unitAfter(printed, unit)}`
