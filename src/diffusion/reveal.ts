/** The discrete chain of the T-step bound: times, visible shares and reveal probabilities. */
import { alpha, sigma, type NoiseSchedule } from "./schedule.js"

export interface ChainStep {
  /** 1..T */
  readonly k: number
  /** k / T */
  readonly t: number
  readonly alpha: number
  readonly sigma: number
  /** Probability that a token masked at step k is revealed on the way to step k - 1. */
  readonly reveal: number
}

/**
 * Steps 1..T of the chain with alpha_0 = 1: reveal r_k = (alpha_{k-1} - alpha_k) / (1 - alpha_k). Step 1 reveals
 * everything (r_1 = 1), so the reconstruction term is included. For the log-linear schedule r_k = 1/k.
 */
export const chain = (schedule: NoiseSchedule, steps: number): readonly ChainStep[] => {
  let previous = 1
  return Array.from({ length: steps }, (_, i) => {
    const t = (i + 1) / steps
    const a = alpha(schedule, t)
    const reveal = i === 0 ? 1 : (previous - a) / (1 - a)
    previous = a
    return { k: i + 1, t, alpha: a, sigma: sigma(schedule, t), reveal }
  })
}

/**
 * The prior term of the T-step bound: alpha_T ln V nats per token, for tokens that are still visible at the end
 * of the chain and are coded uniformly over `vocabSize` values.
 */
export const terminalNats = (schedule: NoiseSchedule, tokens: number, vocabSize: number): number =>
  tokens * alpha(schedule, 1) * Math.log(vocabSize)
