/** The autoregressive baseline of parameter-golf and its objective as a spec holds them. */
import * as Schema from "effect/Schema"
import { Count, Layers, NonNegative, Positive } from "../../spec/common.js"

export const GptModel = Schema.Struct({
  kind: Schema.Literal("gpt"),
  layers: Layers,
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
export type GptModel = typeof GptModel.Type

export const Autoregressive = Schema.Struct({ kind: Schema.Literal("autoregressive") }).annotate({
  description: "Cross-entropy of the next token.",
})
export type AutoregressiveObjective = typeof Autoregressive.Type
