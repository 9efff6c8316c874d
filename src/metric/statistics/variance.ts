/** Analysis of variance: do the means of several points differ by more than the seeds do? */
import { fisherTail } from "./distributions.js"

export interface VarianceAnalysis {
  /** Mean square between points over residual mean square. */
  readonly f: number
  readonly between: number
  /** Degrees of freedom of the residual. */
  readonly residual: number
  readonly p: number
  /** Square root of the residual mean square: the noise of one value. */
  readonly residualDeviation: number
}

const meanOf = (values: readonly number[]): number => values.reduce((x, y) => x + y, 0) / values.length

/**
 * F test that all points have one mean. `values[i][j]` is point i with seed j. With `blocked`, seed j is the same for
 * every point (shared streams), and what a seed shifts for all of them is not noise: the randomised complete block
 * design, residual freedom (points - 1)(seeds - 1). Without, the one-way design, points x (seeds - 1).
 *
 * @throws RangeError unless there are two points and two seeds at least, as many for each point
 */
export const analysisOfVariance = (
  values: readonly (readonly number[])[],
  { blocked }: { readonly blocked: boolean },
): VarianceAnalysis => {
  const points = values.length
  const seeds = values[0]?.length ?? 0
  if (points < 2 || seeds < 2 || values.some((row) => row.length !== seeds))
    throw new RangeError("an analysis of variance needs two points and two seeds at least, as many for each")
  const grand = meanOf(values.flat())
  const pointMeans = values.map(meanOf)
  const seedShift = Array.from({ length: seeds }, (_, j) =>
    blocked ? meanOf(values.map((row) => row[j]!)) - grand : 0,
  )
  const betweenSquares = seeds * pointMeans.reduce((sum, mean) => sum + (mean - grand) ** 2, 0)
  let residualSquares = 0
  values.forEach((row, i) =>
    row.forEach((value, j) => (residualSquares += (value - pointMeans[i]! - seedShift[j]!) ** 2)),
  )
  const between = points - 1
  const residual = blocked ? between * (seeds - 1) : points * (seeds - 1)
  const noise = residualSquares / residual
  const f = betweenSquares === 0 ? 0 : betweenSquares / between / noise
  return { f, between, residual, p: fisherTail(f, between, residual), residualDeviation: Math.sqrt(noise) }
}
