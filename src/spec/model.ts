/** Schemas of networks. One network source in `src/model` reads each of them. */
import * as Schema from "effect/Schema"
import { Count, NonNegative, Positive } from "./common.js"

const Mdlm = Schema.Struct({
  kind: Schema.Literal("mdlm"),
  layers: Count.annotate({ description: "Transformer blocks." }),
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

const Gpt = Schema.Struct({
  kind: Schema.Literal("gpt"),
  layers: Count.annotate({ description: "Transformer blocks." }),
  width: Count.annotate({ description: "Width of the residual stream." }),
  heads: Count.annotate({ description: "Query heads; the head width is width / heads." }),
  kvHeads: Count.annotate({ description: "Key and value heads of grouped-query attention." }),
  tableRows: Schema.optionalKey(Count).annotate({
    description: "Rows of the tied embedding table; the tokenizer's vocabulary when absent.",
  }),
  attention: Schema.optionalKey(Schema.Literals(["causal", "bidirectional"])).annotate({
    description: "causal when absent; bidirectional for masked diffusion with this network.",
  }),
  mlpRatio: Positive.annotate({ description: "Hidden width of the MLP divided by the width." }),
  ropeBase: Positive.annotate({ description: "Base of the rotary position frequencies." }),
  logitSoftcap: NonNegative.annotate({
    description: "Logits become cap * tanh(logits / cap); 0 switches it off.",
  }),
  qGain: Positive.annotate({ description: "Initial per-head query gain." }),
  tiedEmbeddingStd: Positive.annotate({ description: "Standard deviation of the initial embeddings." }),
}).annotate({
  description: "The parameter-golf autoregressive baseline: tied embeddings, U-net skips, grouped queries.",
})

export const Model = Schema.Union([Mdlm, Gpt]).annotate({ description: "The network." })
export type Model = typeof Model.Type
export type MdlmModel = typeof Mdlm.Type
export type GptModel = typeof Gpt.Type
