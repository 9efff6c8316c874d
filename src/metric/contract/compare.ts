/** The verdict on two contracts: may their numbers stand side by side? */
import { AXES, AXIS_RULES, type AxisRelation, type AxisVerdict } from "./compare-axes.js"
import type { Contract } from "./contract.js"

export type { Axis, AxisRelation, AxisVerdict } from "./compare-axes.js"

export const VERDICTS = ["identical", "convertible", "ordered-only", "incomparable", "unknown"] as const
export type Verdict = (typeof VERDICTS)[number]

export interface Comparison {
  /**
   * identical: one definition. convertible: arithmetic leads across. ordered-only: at most an order follows.
   * incomparable: no arithmetic leads across. unknown: a source does not say enough.
   */
  readonly verdict: Verdict
  /** One entry per axis, in the order of the contract. */
  readonly axes: readonly AxisVerdict[]
  /** The conversions that lead from the first to the second, in order, without repetition; none where nothing leads. */
  readonly conversions: readonly string[]
}

/** The strongest obstacle decides; what is incomparable stays so however much else is unknown. */
const SEVERITY: readonly (readonly [AxisRelation, Verdict])[] = [
  ["different", "incomparable"],
  ["unknown", "unknown"],
  ["ordered", "ordered-only"],
  ["convertible", "convertible"],
]

/**
 * Compares two contracts axis by axis.
 *
 * @param options.definition the second contract is a definition: its "not stated" fields fix nothing.
 * @param options.sameSource both numbers stand in one table, file or text of a thread: what it leaves out, it leaves out of
 *   both alike.
 */
export const compareContracts = (
  a: Contract,
  b: Contract,
  options: { readonly definition?: boolean; readonly sameSource?: boolean } = {},
): Comparison => {
  const circumstances = { definition: options.definition ?? false, sameSource: options.sameSource ?? false }
  const axes = AXES.map((axis) => ({ axis, ...AXIS_RULES[axis](a, b, circumstances) }))
  const found = SEVERITY.find(([relation]) => axes.some((axis) => axis.relation === relation))
  const verdict = found?.[1] ?? "identical"
  const conversions =
    verdict === "incomparable"
      ? []
      : axes.flatMap((axis) => (axis.conversion === undefined ? [] : [axis.conversion]))
  return { verdict, axes, conversions: [...new Set(conversions)] }
}
