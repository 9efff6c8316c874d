/** The learning-rate schedule: a factor on every learning rate as a function of the step. Host, float64. */
import type { Training } from "../spec/training.js"

/**
 * Factor at optimiser step `step` (0, 1, ...) of a run of `groups` shard groups.
 *
 * Within a span of N steps (one group when the schedule restarts, else the run): (s+1)/warmup for s < warmup; 1
 * up to N - warmdown; then, with p = (N - s) / warmdown, floor + (1 - floor) (1 + cos(pi (1 - p))) / 2 for
 * `cosine` and floor + (1 - floor) p for `linear` (parameter-golf PR #1241, train_mdlm.py `get_lr`: cosine, 0.1).
 */
export const learningRateFactor = (
  { schedule, stepsPerGroup }: Pick<Training, "schedule" | "stepsPerGroup">,
  step: number,
  groups: number,
): number => {
  const { warmup, warmdown, shape, floor, restart } = schedule
  const span = restart ? stepsPerGroup : stepsPerGroup * groups
  const s = restart ? step % stepsPerGroup : step
  if (s < warmup) return (s + 1) / warmup
  if (warmdown === 0 || s < span - warmdown) return 1
  const left = Math.max(0, (span - s) / warmdown)
  const level = shape === "cosine" ? (1 + Math.cos(Math.PI * (1 - left))) / 2 : left
  return floor + (1 - floor) * level
}
