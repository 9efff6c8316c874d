/**
 * Schedules of insertion and of unmasking: a CDF alpha over time t in [0, 1], t = 0 empty, t = 1 data.
 *
 * Source: the five schedules of brianlck/FlexMDM `schedule.py`, which xlm-core copies. Hazards and complements are
 * written without cancellation near t = 1, where 1 - alpha(t) in the textbook form loses all of its digits.
 */
import * as Schema from "effect/Schema"

const positive = Schema.Finite.check(Schema.isGreaterThan(0))

export const AlphaSchedule = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("linear") }),
  Schema.Struct({ kind: Schema.Literal("sine") }),
  Schema.Struct({ kind: Schema.Literal("cosine") }),
  Schema.Struct({
    kind: Schema.Literal("polynomial"),
    exponent: positive.annotate({ description: "p of alpha(t) = t^p." }),
  }),
  Schema.Struct({
    kind: Schema.Literal("geometric"),
    min: positive.annotate({ description: "Level at t = 0: alpha(0) = exp(-min); the larger of the two." }),
    max: positive.annotate({ description: "Level at t = 1: alpha(1) = exp(-max)." }),
  }),
])

/**
 * - linear: t
 * - sine: sin(pi t / 2)
 * - cosine: 1 - cos(pi t / 2)
 * - polynomial: t^exponent
 * - geometric: exp(-min^(1 - t) max^t), min > max; it starts above 0 and ends below 1, so a share exp(-min) of the
 *   times lies before 0 and 1 - exp(-max) after 1
 */
export type AlphaSchedule = typeof AlphaSchedule.Type

/** The pair that a model is trained with. It travels with the checkpoint: sampling must use the same. */
export const JointSchedule = Schema.Struct({ insertion: AlphaSchedule, unmasking: AlphaSchedule })
export type JointSchedule = typeof JointSchedule.Type

export const LINEAR: JointSchedule = { insertion: { kind: "linear" }, unmasking: { kind: "linear" } }

const HALF_PI = Math.PI / 2
const clampUnit = (a: number): number => Math.min(1, Math.max(0, a))

/** -ln alpha of the geometric schedule. */
const geometricLevel = (min: number, max: number, t: number): number =>
  Math.exp((1 - t) * Math.log(min) + t * Math.log(max))

/** Share of the tokens that are there at time t. */
export const alphaAt = (schedule: AlphaSchedule, t: number): number => {
  switch (schedule.kind) {
    case "linear":
      return t
    case "sine":
      return Math.sin(HALF_PI * t)
    case "cosine":
      return 2 * Math.sin((HALF_PI * t) / 2) ** 2
    case "polynomial":
      return t ** schedule.exponent
    case "geometric":
      return Math.exp(-geometricLevel(schedule.min, schedule.max, t))
  }
}

/** 1 - alpha(t), without cancellation near t = 1. */
export const complementAt = (schedule: AlphaSchedule, t: number): number => {
  switch (schedule.kind) {
    case "linear":
      return 1 - t
    case "sine":
      return 2 * Math.sin((HALF_PI * (1 - t)) / 2) ** 2
    case "cosine":
      return Math.sin(HALF_PI * (1 - t))
    case "polynomial":
      return t === 0 ? 1 : -Math.expm1(schedule.exponent * Math.log(t))
    case "geometric":
      return -Math.expm1(-geometricLevel(schedule.min, schedule.max, t))
  }
}

/** d alpha / d t. */
export const alphaDerivative = (schedule: AlphaSchedule, t: number): number => {
  switch (schedule.kind) {
    case "linear":
      return 1
    case "sine":
      return HALF_PI * Math.sin(HALF_PI * (1 - t))
    case "cosine":
      return HALF_PI * Math.sin(HALF_PI * t)
    case "polynomial":
      return schedule.exponent * t ** (schedule.exponent - 1)
    case "geometric": {
      const level = geometricLevel(schedule.min, schedule.max, t)
      return Math.exp(-level) * level * (Math.log(schedule.min) - Math.log(schedule.max))
    }
  }
}

/** Rate at which a token that is not there yet arrives: alpha'(t) / (1 - alpha(t)). Infinite at t = 1 but for geometric. */
export const hazardAt = (schedule: AlphaSchedule, t: number): number => {
  switch (schedule.kind) {
    case "sine": // cos x / (1 - sin x) = tan(pi/4 + x/2) = 1 / tan(pi/4 - x/2)
      return HALF_PI / Math.tan((HALF_PI * (1 - t)) / 2)
    case "cosine":
      return HALF_PI / Math.tan(HALF_PI * (1 - t))
    case "geometric": {
      const level = geometricLevel(schedule.min, schedule.max, t)
      return ((Math.log(schedule.min) - Math.log(schedule.max)) * level) / Math.expm1(level)
    }
    default:
      return alphaDerivative(schedule, t) / complementAt(schedule, t)
  }
}

/** The time t at which alpha(t) = a; of a geometric schedule it may lie outside [0, 1]. */
export const alphaInverse = (schedule: AlphaSchedule, a: number): number => {
  switch (schedule.kind) {
    case "linear":
      return a
    case "sine":
      return Math.asin(clampUnit(a)) / HALF_PI
    case "cosine":
      return Math.acos(1 - clampUnit(a)) / HALF_PI
    case "polynomial":
      return a ** (1 / schedule.exponent)
    case "geometric": {
      const [low, high] = [Math.log(schedule.min), Math.log(schedule.max)]
      return (Math.log(-Math.log(a)) - low) / (high - low)
    }
  }
}

/** The time t at which 1 - alpha(t) = c: `alphaInverse` without cancellation for small c. */
export const complementInverse = (schedule: AlphaSchedule, c: number): number => {
  switch (schedule.kind) {
    case "linear":
      return 1 - c
    case "sine":
      return 1 - (2 * Math.asin(Math.sqrt(clampUnit(c) / 2))) / HALF_PI
    case "cosine":
      return 1 - Math.asin(clampUnit(c)) / HALF_PI
    case "polynomial":
      return Math.exp(Math.log1p(-c) / schedule.exponent)
    case "geometric": {
      const [low, high] = [Math.log(schedule.min), Math.log(schedule.max)]
      return (Math.log(-Math.log1p(-c)) - low) / (high - low)
    }
  }
}

/** Probability that a token that is not there at `from` arrives by `to`: 1 - (1 - alpha(to)) / (1 - alpha(from)). */
export const arrivalWithin = (schedule: AlphaSchedule, from: number, to: number): number =>
  clampUnit(1 - complementAt(schedule, Math.min(1, to)) / complementAt(schedule, from))

/** Whether alpha(0) = 0 and alpha(1) = 1, so that the process starts empty and ends with the data. */
export const isProper = (schedule: AlphaSchedule): boolean => schedule.kind !== "geometric"

const spelled = (schedule: AlphaSchedule): string =>
  schedule.kind === "polynomial"
    ? `polynomial(${schedule.exponent})`
    : schedule.kind === "geometric"
      ? `geometric(${schedule.min}, ${schedule.max})`
      : schedule.kind

/**
 * Sampling with other schedules than those of training gives another distribution and no error: the published 8B code
 * trains with geometric insertion and samples with linear.
 *
 * @returns undefined when they are equal, otherwise a sentence that says which differ
 */
export const scheduleMismatch = (trained: JointSchedule, asked: JointSchedule): string | undefined => {
  const differing = (["insertion", "unmasking"] as const).filter(
    (part) => spelled(trained[part]) !== spelled(asked[part]),
  )
  if (differing.length === 0) return undefined
  const parts = differing.map((part) => `${part} ${spelled(asked[part])} for ${spelled(trained[part])}`)
  return `the model was trained with other schedules than it is to be sampled with: ${parts.join(", ")}; sample with those of training.`
}
