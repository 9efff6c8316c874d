/** How many masked positions a training program has room for. */
import { WHOLE, type StepLayout } from "../../diffusion/step-layout.js"
import type { MaskedDiffusionObjective } from "./schema.js"

const roundUp = (n: number, to: number): number => Math.ceil(n / to) * to

/**
 * Capacities to trace, smallest first; the last holds every position of a slice. Half of the positions are masked on
 * average; how far a micro-batch strays depends on how its times are drawn, and how far a slice strays from its
 * share, on the number of slices. The usual capacity holds all but about one micro-batch in two hundred, so that
 * the largest program is rarely needed. Where programs cost little there are smaller ones: one that serves nine
 * micro-batches in ten, or half and three quarters of a slice where its number of masked positions is anybody's guess.
 *
 * @param rows of the micro-batch
 */
export const capacities = (
  objective: Pick<MaskedDiffusionObjective, "times">,
  rows: number,
  length: number,
  { slices, sizes }: StepLayout = WHOLE,
): readonly number[] => {
  const total = rows * length
  const paired = objective.times === "antithetic-pairs" ? rows - (2 * (Math.floor(rows / 2) + 1) - rows) : 0
  // Variance of the mean of the times: pairs and strata contribute (almost) nothing, single times 1/12 each.
  const singles = objective.times === "stratified" ? 0 : rows - paired
  const deviation = Math.sqrt(singles / 12 / rows ** 2 + 1 / (6 * total))
  const whole = total / slices
  const room = (z: number, spread: number, step: number): number =>
    roundUp(whole * Math.min(1, (0.5 + z * deviation) * (1 + spread * Math.log2(slices))), step)
  const usual = room(2.6, 0.05, 64)
  const wide = usual >= 0.9 * whole
  const smaller =
    sizes === "few"
      ? []
      : wide
        ? [roundUp(0.5 * whole, 64), roundUp(0.75 * whole, 64)]
        : [room(1.3, 0.02, 32)]
  const rooms = [...smaller, ...(wide ? [] : [usual]), whole]
  return [...new Set(rooms)].filter((n) => n <= whole)
}
