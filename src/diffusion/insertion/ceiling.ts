/** What a sampler with steps cannot exceed, though its network knows the one text that there is. */
import { insertShare, stepSize, stepTime, type InsertRule, type StepGrid } from "./leap.js"
import type { AlphaSchedule } from "./schedule.js"

export interface Steps {
  readonly grid: StepGrid
  readonly steps: number
  /** Insertions of a step are Poisson numbers; the Euler step's Bernoulli ones depend on the slots. */
  readonly rule: Exclude<InsertRule, "bernoulli">
  readonly schedule: AlphaSchedule
}

/**
 * Probability that exactly `length` tokens are inserted when the network knows how many are missing, m: each step but
 * the last draws Poisson(m p) of them, p its share; too many can never be taken back, and the last step inserts none.
 * A text can be right only where its length is, so such a network reproduces its text no more often.
 *
 * @param length tokens that are not given
 */
export const exactLengthChance = (length: number, { grid, steps, rule, schedule }: Steps): number => {
  const dt = stepSize(grid, steps)
  /** [m]: probability that m tokens are missing and there was never one too many. */
  let missing = new Float64Array(length + 1)
  missing[length] = 1
  for (let i = 0; i < steps - 1; i++) {
    const share = insertShare(rule, schedule, stepTime(grid, steps, i), dt)
    const next = new Float64Array(length + 1)
    for (let m = 0; m <= length; m++) {
      let p = missing[m]! * Math.exp(-m * share)
      for (let k = 0; k <= m; k++) {
        next[m - k]! += p
        p *= (m * share) / (k + 1)
      }
    }
    missing = next
  }
  return missing[0]!
}

/** The same were every token to arrive on its own, as the schedule says: alpha at the last step to the power of the length. */
export const arrivalChance = (length: number, { grid, steps, schedule, rule }: Steps): number => {
  const dt = stepSize(grid, steps)
  let left = 1
  for (let i = 0; i < steps - 1; i++)
    left *= 1 - Math.min(1, insertShare(rule, schedule, stepTime(grid, steps, i), dt))
  return (1 - left) ** length
}
