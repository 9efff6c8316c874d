/** From what a person asks for to the settings of a sampler of growing rows. */
import { scheduleMismatch, type JointSchedule } from "../../diffusion/insertion/schedule.js"
import type { ChoiceRule } from "../choice.js"
import type { Confidence, SlidingWindow } from "../confidence.js"
import { SamplingError } from "../masked/settings.js"
import { EVENT_DEFAULTS, type EventSettings } from "./events.js"
import type { OverflowPolicy } from "./insert.js"
import type { LeapSettings } from "./leap.js"
import type { StepGrid } from "../../diffusion/insertion/leap.js"
import type { Sampling } from "../../spec/sampling.js"

/**
 * - events: the time of each event is drawn exactly; no steps. With a confidence an event reveals the surest mask.
 * - tau: every mask and slot on its own, with the exact survival of the step unless another rule is named.
 * - euler: the published Euler step, at most one insertion a slot.
 * - confidence: as many masks as the schedule reveals, the surest first.
 */
export const GROWING_SAMPLERS = ["events", "tau", "euler", "confidence"] as const
export type GrowingSampler = (typeof GROWING_SAMPLERS)[number]

export interface GrowingRequest {
  readonly sampler: GrowingSampler
  readonly steps?: number | undefined
  /** Of tau; survival when absent. */
  readonly rule?: Sampling["rule"] | undefined
  readonly grid?: StepGrid | undefined
  readonly specials?: LeapSettings["specials"] | undefined
  readonly confidence?: Confidence | undefined
  /** off: the published omission, K ~ Poisson(M dt). */
  readonly hazard?: "on" | "off" | undefined
  readonly overflow?: OverflowPolicy | undefined
  readonly window?: SlidingWindow | undefined
  readonly choice: Omit<ChoiceRule, "banned">
}

export type GrowingSettings =
  | { readonly kind: "events"; readonly settings: EventSettings }
  | { readonly kind: "steps"; readonly settings: LeapSettings }

/** @throws SamplingError for a setting that the sampler does not have, or that lacks */
export const growingSettings = (request: GrowingRequest): GrowingSettings => {
  const { sampler, steps, rule, grid, specials, confidence, hazard, overflow, window, choice } = request
  if (sampler !== "tau" && rule !== undefined)
    throw new SamplingError(`--rule belongs to the sampler tau; leave it out for ${sampler}.`)
  if (sampler !== "confidence")
    for (const [name, value] of Object.entries({
      ...(sampler === "events" ? {} : { confidence }),
      hazard,
      window,
    }))
      if (value !== undefined)
        throw new SamplingError(`--${name} belongs to the sampler confidence; leave it out for ${sampler}.`)
  if (sampler === "events") {
    for (const [name, value] of Object.entries({ steps, grid, overflow, specials }))
      if (value !== undefined)
        throw new SamplingError(`--${name}: event-driven sampling has no steps; leave it out, or take tau.`)
    return {
      kind: "events",
      settings: { ...EVENT_DEFAULTS, ...(confidence === undefined ? {} : { confidence }), choice },
    }
  }
  if (steps === undefined || !Number.isSafeInteger(steps) || steps < 2)
    throw new SamplingError(`steps: expected a whole number of at least 2, found ${steps ?? "none"}.`)
  const poisson = rule === "exactly-one" || rule === "at-least-one"
  return {
    kind: "steps",
    settings: {
      steps,
      grid: grid ?? "even",
      unmasking:
        sampler === "confidence"
          ? {
              kind: "confidence",
              by: confidence ?? "prob_diff",
              hazard: hazard !== "off",
              ranking: "logits",
              ...(window === undefined ? {} : { window }),
              tokens: choice.temperature === 0 ? "argmax" : "draw",
            }
          : { kind: "leap", fire: sampler === "tau" ? (rule ?? "survival") : "normalised" },
      insertion: sampler === "euler" ? "bernoulli" : poisson ? "poisson" : "survival",
      overflow: overflow ?? "cancel",
      last: choice.temperature === 0 || rule === "exactly-one" ? "argmax" : "draw",
      choice,
      specials: specials ?? "excluded",
    },
  }
}

/** @throws SamplingError where the schedule asked for is not the one trained with */
export const requireTrainedSchedule = (trained: JointSchedule, asked: JointSchedule): void => {
  const mismatch = scheduleMismatch(trained, asked)
  if (mismatch !== undefined) throw new SamplingError(mismatch)
}
