/** The networks of parameter-golf PR #1106, #1241 and #820, and masked diffusion, as a spec holds them. */
import * as Schema from "effect/Schema"
import { Count, Layers, Positive, Proportion } from "../../spec/common.js"

export const MdlmModel = Schema.Struct({
  kind: Schema.Literal("mdlm"),
  layers: Layers,
  width: Count.annotate({ description: "Width of the residual stream." }),
  heads: Count.annotate({ description: "Attention heads; the head width is width / heads." }),
  kvHeads: Schema.optionalKey(Count).annotate({
    description: "Key and value heads of grouped-query attention; as many as heads when absent.",
  }),
  mlpRatio: Positive.annotate({ description: "Hidden width of the MLP divided by the width." }),
  mlpBias: Schema.optionalKey(Schema.Boolean).annotate({
    description: "Biases in both MLP layers; false when absent.",
  }),
  tableRows: Count.annotate({ description: "Rows of the embedding and head tables, padding rows included." }),
  headBias: Schema.optionalKey(Schema.Boolean).annotate({
    description: "A bias on the output logits; false when absent.",
  }),
  attention: Schema.Literals(["bidirectional", "causal"]).annotate({
    description:
      "bidirectional: every position sees every position. causal: only itself and those before it.",
  }),
  modulation: Schema.optionalKey(Schema.Literals(["scale-shift", "gated"])).annotate({
    description:
      "scale-shift (when absent): AdaLN makes scale and shift before attention and MLP, as in PR #1241. gated: also a gate after each, and a modulated norm before the head (six vectors a block), as in PR #820.",
  }),
  conditioning: Schema.Union([
    Schema.Struct({
      kind: Schema.Literal("sigma"),
      frequencies: Count.annotate({
        description: "Sinusoid frequencies; the embedding has twice as many entries, sines first.",
      }),
      hidden: Count.annotate({ description: "Hidden width of the conditioning MLP." }),
      output: Schema.optionalKey(Count).annotate({
        description: "Width of the conditioning vector; twice the frequencies when absent.",
      }),
    }),
    Schema.Struct({ kind: Schema.Literal("none") }),
  ]).annotate({ description: "Noise-level conditioning. 'none' feeds sigma = 0 through the same path." }),
  ropeBase: Positive.annotate({ description: "Base of the rotary position frequencies." }),
  init: Schema.Literals(["published", "zero-output"]).annotate({
    description:
      "published: the framework defaults of the published script. zero-output: AdaLN and output projections start at zero.",
  }),
}).annotate({ description: "The pre-norm AdaLN transformer of parameter-golf PR #1106 and #1241." })
export type MdlmModel = typeof MdlmModel.Type

export const NoiseSchedule = Schema.Struct({
  kind: Schema.Literal("log-linear"),
  eps: Proportion.annotate({
    description:
      "alpha(t) = 1 - (1 - eps) t: the share of tokens still visible at t = 1. Above 0 for a network that is told the noise level, which is infinite there.",
  }),
}).annotate({ description: "Noise schedule of the absorbing process." })
export type NoiseSchedule = typeof NoiseSchedule.Type

export const MaskedDiffusion = Schema.Struct({
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
export type MaskedDiffusionObjective = typeof MaskedDiffusion.Type
