/** How many masked positions a training program has room for. */
import type { MaskedDiffusionObjective } from "../spec/objective.js"

const roundUp = (n: number, to: number): number => Math.ceil(n / to) * to

/**
 * Capacities to trace, smallest first; the last holds every position. Half of the positions are masked on
 * average; how far a micro-batch strays depends on how its times are drawn. The first capacity holds all but
 * about one micro-batch in two hundred, so that the larger program is rarely needed.
 */
export const capacities = (
  objective: MaskedDiffusionObjective,
  rows: number,
  length: number,
): readonly number[] => {
  const total = rows * length
  const paired = objective.times === "antithetic-pairs" ? rows - (2 * (Math.floor(rows / 2) + 1) - rows) : 0
  // Variance of the mean of the times: pairs and strata contribute (almost) nothing, single times 1/12 each.
  const singles = objective.times === "stratified" ? 0 : rows - paired
  const variance = singles / 12 / rows ** 2 + 1 / (6 * total)
  const usual = roundUp(total * Math.min(1, 0.5 + 2.6 * Math.sqrt(variance)), 64)
  return usual < 0.9 * total ? [usual, total] : [total]
}
