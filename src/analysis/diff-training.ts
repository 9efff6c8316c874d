/**
 * Two trainings of one experiment, by their losses. Training amplifies rounding: two executions that agree to the last
 * digits for a hundred steps have losses half a percent apart some hundred steps later. A fault (another weight, batch,
 * rate or gradient) shows in the first steps, before that growth; so the first steps decide what the later ones mean.
 */
import { relativeOf } from "./agreement.js"

/** Loss by step, as recorded. */
export type Losses = ReadonlyMap<number, number>

export interface TrainingDiff {
  /** Largest relative difference of the losses recorded in the first steps. */
  readonly early: number
  readonly earlySteps: number
  /** First recorded step whose losses differ by more than the tolerance; undefined when there is none. */
  readonly partedAt: number | undefined
  /** Whether the first steps agree so closely that later differences are rounding, amplified. */
  readonly amplified: boolean
}

/** Steps within which no amplification is accepted. */
const EARLY_STEPS = 64

/** Losses of these steps must agree to this part of the tolerance. */
const EARLY_PART = 0.1

/** Fewer losses than these show nothing. */
const FEWEST = 3

/**
 * Stated tolerances of what a training that amplified rounding ends with, relative: rows of the table, and sums of
 * absolute differences of single measurements. Two executions of the laptop profile end up to 0.008 and 0.24 apart;
 * another training seed ends about 0.013 from its mean.
 */
export const AMPLIFIED = { rows: 0.02, measurements: 0.3 } as const

/** @param tolerance relative difference that rounding causes without amplification; undefined: nothing was recorded */
export const diffTraining = (a: Losses, b: Losses, tolerance: number): TrainingDiff | undefined => {
  const steps = [...a.keys()].filter((step) => b.has(step)).sort((x, y) => x - y)
  const apart = (step: number): number => relativeOf(a.get(step)!, b.get(step)!)
  const first = steps.filter((step) => step <= EARLY_STEPS)
  if (first.length === 0) return undefined
  const early = Math.max(...first.map(apart))
  const partedAt = steps.find((step) => apart(step) > tolerance)
  return {
    early,
    earlySteps: first.at(-1)!,
    partedAt,
    amplified: first.length >= FEWEST && early <= EARLY_PART * tolerance && partedAt !== undefined,
  }
}
