/**
 * The log-linear noise schedule of the absorbing process and the weights on its masked cross-entropy.
 *
 * alpha(t) is the probability that a token is still visible at time t in [0, 1]; sigma(t) = -ln alpha(t).
 */

export interface NoiseSchedule {
  readonly kind: "log-linear"
  readonly eps: number
}

/** alpha(t) = 1 - (1 - eps) t. */
export const alpha = ({ eps }: NoiseSchedule, t: number): number => 1 - (1 - eps) * t

/** Probability that a token is masked: 1 - alpha(t) = (1 - eps) t, without cancellation. */
export const maskProbability = ({ eps }: NoiseSchedule, t: number): number => (1 - eps) * t

/** sigma(t) = -ln alpha(t), in nats; -0 at t = 0 is given as 0. */
export const sigma = ({ eps }: NoiseSchedule, t: number): number => -Math.log1p(-(1 - eps) * t) || 0

/** d sigma / d t = (1 - eps) / alpha(t). */
export const dsigma = (schedule: NoiseSchedule, t: number): number => (1 - schedule.eps) / alpha(schedule, t)

/**
 * Noise levels that replace 0 and keep a logarithm finite: the sigma of a given share of visible tokens, which is
 * clipped to [eps, 1].
 */
export const sigmaOfVisible = ({ eps }: NoiseSchedule, visible: number): number =>
  -Math.log(Math.min(1, Math.max(eps, visible))) || 0

export type TimeWeight = "dsigma" | "nelbo" | "clamped-inverse-t"
export type Weight = TimeWeight | "uniform-k"

/** Largest weight of `clamped-inverse-t` (parameter-golf PR #1699: 1/t clamped at 100). */
export const INVERSE_TIME_LIMIT = 100

/**
 * Weight on the summed cross-entropy (nats) of the masked tokens of a sequence at time t.
 *
 * - dsigma: (1 - eps) / alpha(t), as published in parameter-golf PR #1106 and #1241. Not a bound on anything.
 * - nelbo: dsigma / expm1(sigma) = (1 - eps) / (1 - alpha(t)) = 1/t. Its expectation over t ~ U(0, 1) bounds the
 *   negative log-likelihood from above, up to the terminal term eps ln V per token.
 * - clamped-inverse-t: min(1/t, 100).
 */
export const timeWeight = (kind: TimeWeight, schedule: NoiseSchedule, t: number): number => {
  switch (kind) {
    case "dsigma":
      return dsigma(schedule, t)
    case "nelbo":
      return 1 / t
    case "clamped-inverse-t":
      return Math.min(1 / t, INVERSE_TIME_LIMIT)
  }
}

/**
 * Weight of `uniform-k`: k of n maskable tokens are masked, k uniform on 1..n, so n / k times their summed
 * cross-entropy is an unbiased estimate of the any-order bound of the sequence.
 */
export const countWeight = (maskable: number, masked: number): number => maskable / masked
