/** When a token of a clean sequence is inserted, and when it is unmasked. */
import {
  alphaAt,
  alphaDerivative,
  alphaInverse,
  complementAt,
  type AlphaSchedule,
  type JointSchedule,
} from "./schedule.js"

/** The published code moves insertion times from [0, 1] to [1e-6, 1], so that none is 0. */
export const PUBLISHED_OFFSET = 1e-6

export interface HittingTimes {
  readonly insertion: number
  readonly unmasking: number
}

/**
 * - joint: T2 = beta^-1(beta(T1) + u2 (1 - beta(T1))), so that P(T2 <= t | T1) = (beta(t) - beta(T1)) / (1 - beta(T1)).
 * - threshold-8b: T2 = T1 + u2 (1 - T1), whatever the unmasking schedule (brianlck/FlexMDM, scaling_flexmdm). The same
 *   where beta is linear.
 */
export type HittingRule = "joint" | "threshold-8b"

const unmaskingTime = (beta: AlphaSchedule, inserted: number, u: number): number =>
  alphaInverse(beta, alphaAt(beta, inserted) + u * complementAt(beta, inserted))

/**
 * Times of one token from two uniforms in [0, 1).
 *
 * @param offset 1e-6 as published, 0 for the process itself
 */
export const hittingTimes = (
  { insertion, unmasking }: JointSchedule,
  [u1, u2]: readonly [number, number],
  {
    offset = PUBLISHED_OFFSET,
    rule = "joint",
  }: { readonly offset?: number; readonly rule?: HittingRule } = {},
): HittingTimes => {
  const inserted = offset + (1 - offset) * alphaInverse(insertion, u1)
  if (rule === "threshold-8b") return { insertion: inserted, unmasking: inserted + u2 * (1 - inserted) }
  return { insertion: inserted, unmasking: unmaskingTime(unmasking, inserted, u2) }
}

/** Shares of a sequence's tokens at time t. */
export interface StateShares {
  readonly absent: number
  readonly masked: number
  readonly clean: number
}

/** Integral of f over [0, 1] by Simpson's rule. */
const simpson = (f: (x: number) => number, intervals = 1000): number => {
  let sum = f(0) + f(1)
  for (let i = 1; i < intervals; i++) sum += (i % 2 === 0 ? 2 : 4) * f(i / intervals)
  return sum / (3 * intervals)
}

/**
 * Linear schedules: absent 1 - t, masked -(1 - t) ln(1 - t), clean the rest. Others: the masked share is the integral
 * of alpha'(s) (1 - beta(t)) / (1 - beta(s)) over s in (0, t), which is steep at both ends: over alpha(s) up to
 * s = 1/2, over ln(1 - s) from there. Insertion times before 0 count as 0.
 */
export const stateShares = ({ insertion, unmasking }: JointSchedule, t: number): StateShares => {
  const absent = complementAt(insertion, t)
  const present = alphaAt(insertion, t)
  if (insertion.kind === "linear" && unmasking.kind === "linear") {
    const masked = t === 1 ? 0 : -(1 - t) * Math.log1p(-t)
    return { absent, masked, clean: present - masked }
  }
  const left = complementAt(unmasking, t)
  if (left === 0) return { absent, masked: 0, clean: present }
  const early = Math.min(t, 0.5)
  const [start, middle] = [alphaAt(insertion, 0), alphaAt(insertion, early)]
  let masked =
    start * left +
    (middle - start) *
      simpson((x) => {
        const s = Math.min(early, Math.max(0, alphaInverse(insertion, start + (middle - start) * x)))
        return left / complementAt(unmasking, s)
      })
  if (t > early) {
    const [from, to] = [Math.log1p(-early), Math.log1p(-t)]
    masked +=
      simpson((x) => {
        const rest = Math.exp(from + (to - from) * x)
        return (alphaDerivative(insertion, 1 - rest) * rest * left) / complementAt(unmasking, 1 - rest)
      }) *
      (from - to)
  }
  return { absent, masked, clean: present - masked }
}
