/**
 * When each masked token is revealed in a reverse chain of T steps.
 *
 * A token that is masked at step k is revealed on the way to step k - 1 with probability
 * r_k = (alpha_{k-1} - alpha_k) / (1 - alpha_k), whatever the tokens are (see `chain`). So the step of every position
 * can be drawn before the first forward pass: P(step <= k) = (1 - alpha_k) / (1 - alpha_T). It is the T-step form of
 * the first-hitting sampler (Zheng et al., arXiv 2409.02908): the law of the chain is kept, and steps that reveal
 * nothing need no forward pass, with or without noise-level conditioning.
 */
import { maskProbability, type NoiseSchedule } from "./schedule.js"

/**
 * The step in 1..T that reveals each position, from one uniform in [0, 1) each.
 *
 * @throws RangeError unless `steps` is an integer of at least 1
 */
export const revealSteps = (
  schedule: NoiseSchedule,
  steps: number,
  uniforms: ArrayLike<number>,
): Int32Array => {
  if (!Number.isInteger(steps) || steps < 1)
    throw new RangeError(`a chain has at least one step, found ${steps}`)
  const end = maskProbability(schedule, 1)
  return Int32Array.from({ length: uniforms.length }, (_, i) => {
    const share = uniforms[i]! * end
    // The first step whose mask probability exceeds the share.
    let [low, high] = [1, steps]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (share < maskProbability(schedule, middle / steps)) high = middle
      else low = middle + 1
    }
    return low
  })
}
