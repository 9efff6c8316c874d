/** Schemas of training objectives. */
import * as Schema from "effect/Schema"
import { Proportion } from "./common.js"

export const NoiseSchedule = Schema.Struct({
  kind: Schema.Literal("log-linear"),
  eps: Proportion.annotate({
    description:
      "alpha(t) = 1 - (1 - eps) t: the share of tokens still visible at t = 1. Above 0 for a network that is told the noise level, which is infinite there.",
  }),
}).annotate({ description: "Noise schedule of the absorbing process." })
export type NoiseSchedule = typeof NoiseSchedule.Type

const MaskedDiffusion = Schema.Struct({
  kind: Schema.Literal("masked-diffusion"),
  schedule: NoiseSchedule,
  weight: Schema.Literals(["dsigma", "nelbo", "clamped-inverse-t", "uniform-k"]).annotate({
    description:
      "Weight on the masked cross-entropy. dsigma: (1-eps)/alpha, as published in PR #1106 and #1241, not a bound. nelbo: (1-eps)/(1-alpha). clamped-inverse-t: min(1/t, 100). uniform-k: the number of masked tokens is uniform, weight length/k.",
  }),
  times: Schema.Literals(["antithetic-pairs", "stratified", "independent"]).annotate({
    description:
      "antithetic-pairs: floor(B/2)+1 uniforms then their reflections 1-t, the first B kept. stratified: (u+i)/B mod 1. independent: B uniforms.",
  }),
  timeMin: Proportion.annotate({
    description:
      "Times are clamped (antithetic-pairs, independent) or scaled (stratified) to [timeMin, timeMax].",
  }),
  timeMax: Proportion.annotate({ description: "Largest time; see timeMin." }),
  boundary: Schema.Literals(["free", "maskable"]).annotate({
    description:
      "free: boundary tokens are never masked, so the model gets them as side information. maskable: ordinary tokens.",
  }),
}).annotate({ description: "Weighted cross-entropy of masked tokens." })

const Autoregressive = Schema.Struct({ kind: Schema.Literal("autoregressive") }).annotate({
  description: "Cross-entropy of the next token.",
})

export const Objective = Schema.Union([MaskedDiffusion, Autoregressive]).annotate({
  description: "What training minimises.",
})
export type Objective = typeof Objective.Type
export type MaskedDiffusionObjective = typeof MaskedDiffusion.Type
