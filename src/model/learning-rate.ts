/** The learning-rate schedule: a factor on every learning rate as a function of the step. Host, float64. */
import type { LearningRateSchedule, Training } from "../spec/training.js"

type Warmup = Extract<LearningRateSchedule, { readonly warmupFrom: number }>

/** Linear from `warmupFrom` at step 0 to 1 at step `warmup`; undefined from there on. */
const warmingUp = ({ warmup, warmupFrom }: Warmup, step: number): number | undefined =>
  step < warmup ? warmupFrom + (1 - warmupFrom) * (step / warmup) : undefined

/** The cosine from 1 at phase 0 to `floor` at phase 1, and on. */
const cosine = (floor: number, phase: number): number =>
  floor + (1 - floor) * ((1 + Math.cos(Math.PI * phase)) / 2)

/**
 * Factor at optimiser step `step` (0, 1, ...) of a run of `groups` shard groups.
 *
 * warmdown: within a span of N steps (one group when the schedule restarts, else the run): (s+1)/warmup for
 * s < warmup; 1 up to N - warmdown; then, with p = (N - s) / warmdown, floor + (1 - floor) (1 + cos(pi (1 - p))) / 2
 * for `cosine` and floor + (1 - floor) p for `linear` (parameter-golf PR #1241, train_mdlm.py `get_lr`: cosine, 0.1).
 *
 * cosine: with p the done share of the steps after the warm-up, the cosine at phase frac(cycles p) for `fall`, at the
 * end 1 (transformers `get_cosine_with_hard_restarts_schedule_with_warmup`), and at phase 2 cycles p for
 * `fall-and-rise` (transformers `get_cosine_schedule_with_warmup`, whose num_cycles counts whole periods).
 */
export const learningRateFactor = (
  { schedule, stepsPerGroup }: Pick<Training, "schedule" | "stepsPerGroup">,
  step: number,
  groups: number,
): number => {
  const total = stepsPerGroup * groups
  switch (schedule.kind) {
    case "constant":
      return warmingUp(schedule, step) ?? 1
    case "cosine": {
      const early = warmingUp(schedule, step)
      if (early !== undefined) return early
      const { warmup, cycles, cycle, floor } = schedule
      const done = (step - warmup) / Math.max(1, total - warmup)
      return cosine(
        floor,
        cycle === "fall-and-rise" ? 2 * cycles * done : done >= 1 ? 1 : (cycles * done) % 1,
      )
    }
    default: {
      const { warmup, warmdown, shape, floor, restart } = schedule
      const span = restart ? stepsPerGroup : total
      const s = restart ? step % stepsPerGroup : step
      if (s < warmup) return (s + 1) / warmup
      if (warmdown === 0 || s < span - warmdown) return 1
      const left = Math.max(0, (span - s) / warmdown)
      return shape === "cosine" ? cosine(floor, 1 - left) : floor + (1 - floor) * left
    }
  }
}
