/** Steps of fixed size: their times, how probable an event is within one, and what that does on average. */
import { arrivalWithin, complementAt, hazardAt, type AlphaSchedule, type JointSchedule } from "./schedule.js"

/**
 * - even: dt = 1/N (brianlck/FlexMDM).
 * - short: dt = (1 - 1e-5) / (N + 1) (xlm-core), which leaves 2 / (N + 1) of the insertions undone.
 */
export type StepGrid = "even" | "short"

export const stepSize = (grid: StepGrid, steps: number): number =>
  grid === "even" ? 1 / steps : (1 - 1e-5) / (steps + 1)

/** Time at the beginning of step i = 0..N-1; the last step inserts nothing and reveals every MASK that is left. */
export const stepTime = (grid: StepGrid, steps: number, i: number): number => i * stepSize(grid, steps)

/**
 * How a token whose hazard is h becomes known within a step of dt, l = h dt:
 *
 * - exactly-one: l exp(-l), the published rule: two events cancel each other.
 * - at-least-one: 1 - exp(-l).
 * - survival: what the schedule says, 1 - (1 - beta(t + dt)) / (1 - beta(t)).
 * - normalised: l / (1 + l), the published Euler step, whose weight of staying is 1 before normalising.
 * - rate: l itself, at most 1: the expected share of a confidence step with the hazard.
 * - no-hazard: dt: the expected share of a confidence step as published for the small models, hazard forgotten.
 */
export type FireRule = "exactly-one" | "at-least-one" | "survival" | "normalised" | "rate" | "no-hazard"

/** Probability that one MASK is revealed in the step [t, t + dt]. */
export const fireChance = (rule: FireRule, schedule: AlphaSchedule, t: number, dt: number): number => {
  if (rule === "survival") return arrivalWithin(schedule, t, t + dt)
  if (rule === "no-hazard") return dt
  const events = hazardAt(schedule, t) * dt
  switch (rule) {
    case "exactly-one":
      return events * Math.exp(-events)
    case "at-least-one":
      return -Math.expm1(-events)
    case "normalised":
      return events / (1 + events)
    case "rate":
      return Math.min(1, events)
  }
}

/**
 * How many tokens a slot with an expected gap g receives within a step:
 *
 * - poisson: Poisson(g h dt), as published.
 * - bernoulli: one with probability min(1, g h dt), the published Euler step.
 * - survival: Poisson(g p) with p the share of the missing tokens that the schedule lets arrive within the step.
 */
export type InsertRule = "poisson" | "bernoulli" | "survival"

/** Mean number of insertions for each expected missing token; the rate that `g` is multiplied by. */
export const insertShare = (rule: InsertRule, schedule: AlphaSchedule, t: number, dt: number): number =>
  rule === "survival" ? arrivalWithin(schedule, t, t + dt) : hazardAt(schedule, t) * dt

export interface MeanField {
  /** Share of the final tokens still MASK when the last step begins, and revealed together there. */
  readonly masked: number
  /** Share of the final tokens never inserted. */
  readonly missing: number
}

/** Discretisation of a sampler with perfect predictions, without fluctuations. */
export const meanField = (
  { insertion, unmasking }: JointSchedule,
  {
    steps,
    grid,
    fire,
    insert = "poisson",
  }: {
    readonly steps: number
    readonly grid: StepGrid
    readonly fire: FireRule
    readonly insert?: InsertRule
  },
): MeanField => {
  const dt = stepSize(grid, steps)
  let missing = complementAt(insertion, 0)
  let masked = 0
  for (let i = 0; i < steps - 1; i++) {
    const t = stepTime(grid, steps, i)
    const arriving = missing * Math.min(1, insertShare(insert, insertion, t, dt))
    masked = masked * (1 - fireChance(fire, unmasking, t, dt)) + arriving
    missing -= arriving
  }
  return { masked, missing }
}
