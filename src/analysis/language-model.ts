/** What a language model's evaluations and floors measured, as sums: the input of the results table. */
import type { EvaluationSummary } from "../evaluators/summary.js"
import type { FloorSummary } from "../run/floor-summary.js"
import type { Interval } from "./table.js"

export type { EvaluationSummary, ScoredShare, WindowSums } from "../evaluators/summary.js"
export type { FloorSummary } from "../run/floor-summary.js"

/** Whether bits per byte may be stated of an evaluation. */
export const isCountable = ({ text }: Pick<EvaluationSummary, "text">): boolean => text?.standing !== "none"

/** Interval of sum(bits) / sum(denominator) over windows. */
export type RatioInterval = (
  pairs: readonly { readonly numerator: number; readonly denominator: number }[],
) => Interval | null

/** The floors of the first set of targets; all of them where nothing is said about targets. */
export const firstFloors = (floors: readonly FloorSummary[]): readonly FloorSummary[] => {
  const first = floors[0]?.targets?.evaluations[0]
  return floors.filter(({ targets }) => targets?.evaluations[0] === first)
}

/**
 * The floors of the very targets that an evaluation scored; undefined where the run does not have them. The bounds of
 * fewer samples of an importance-weighted evaluation (`ID.k4`) are of its targets.
 */
export const floorsOf = (
  floors: readonly FloorSummary[],
  evaluationId: string | undefined,
): readonly FloorSummary[] | undefined => {
  if (evaluationId === undefined) return undefined
  const names = [evaluationId, evaluationId.replace(/\.k\d+$/, "")]
  const own = floors.filter(({ targets }) => targets?.evaluations.some((id) => names.includes(id)) === true)
  return own.length === 0 ? undefined : own
}
