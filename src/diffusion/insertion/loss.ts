/** The published training loss as reference arithmetic: float64, one row at a time. */
import { hazardAt, type JointSchedule } from "./schedule.js"

/** Both arguments of the published Bregman term are raised to this. */
export const BREGMAN_FLOOR = 1e-6

/**
 * Generalised Kullback-Leibler divergence of a rate from another: y - x + x ln(x / y), 0 where they are equal.
 *
 * @param x true gap
 * @param y predicted gap
 * @param floor both are raised to it; 0 for the divergence itself, infinite where y = 0 < x
 */
export const bregman = (x: number, y: number, floor = BREGMAN_FLOOR): number => {
  const [a, b] = [Math.max(x, floor), Math.max(y, floor)]
  if (a === 0) return b
  return b === 0 ? Number.POSITIVE_INFINITY : b - a + a * (Math.log(a) - Math.log(b))
}

export interface RowWeights {
  /** On the cross-entropy of each masked token. */
  readonly unmask: number
  /** On the Bregman term of each slot. */
  readonly insert: number
}

/**
 * - hazard: the hazards of both schedules (brianlck/FlexMDM small, xlm-core).
 * - 8b: 1 / (1 - t + 1e-6) on unmasking whatever the schedule, the hazard on insertion.
 */
export type WeightRule = "hazard" | "8b"

export const rowWeights = (
  { insertion, unmasking }: JointSchedule,
  t: number,
  rule: WeightRule = "hazard",
): RowWeights => ({
  unmask: rule === "8b" ? 1 / (1 - t + 1e-6) : hazardAt(unmasking, t),
  insert: hazardAt(insertion, t),
})

export interface RowTerms {
  /** Cross-entropy of each masked token, nats. */
  readonly crossEntropies: ArrayLike<number>
  /** True gap of each valid slot: an integer as published, a mean where targets are averaged. */
  readonly gaps: ArrayLike<number>
  /** Predicted gap of each valid slot. */
  readonly predicted: ArrayLike<number>
  readonly weights: RowWeights
}

/** Sums of one row before the divisor, nats: together they bound -ln p(x1) on average over t and x_t. */
export interface RowLoss {
  readonly unmask: number
  readonly insert: number
}

export const rowLoss = ({ crossEntropies, gaps, predicted, weights }: RowTerms): RowLoss => {
  if (gaps.length !== predicted.length)
    throw new RangeError(`${gaps.length} slots need as many predicted gaps, found ${predicted.length}`)
  let [unmask, insert] = [0, 0]
  for (let j = 0; j < crossEntropies.length; j++) unmask += crossEntropies[j]!
  for (let j = 0; j < gaps.length; j++) insert += bregman(gaps[j]!, predicted[j]!)
  return { unmask: weights.unmask * unmask, insert: weights.insert * insert }
}

/**
 * The loss of a micro-batch: row sums over (rows x positions). The divisor counts every position of the buffer, PAD and
 * prompt included: the canvas (1024 or 512 or 64), 1024 whatever the canvas (8B), or the row's width (xlm-core).
 */
export const batchLoss = (
  rows: readonly RowLoss[],
  positions: number,
): RowLoss & { readonly total: number } => {
  const divisor = rows.length * positions
  const unmask = rows.reduce((sum, row) => sum + row.unmask, 0) / divisor
  const insert = rows.reduce((sum, row) => sum + row.insert, 0) / divisor
  return { unmask, insert, total: unmask + insert }
}
