/** Schemas of networks. One network source in `src/model` reads each of them. */
import * as Schema from "effect/Schema"
import { Count, NonNegative, Positive } from "./common.js"

const Mdlm = Schema.Struct({
  kind: Schema.Literal("mdlm"),
  layers: Count,
  width: Count,
  heads: Count,
  mlpRatio: Positive.annotate({ description: "Hidden width of the MLP divided by the width." }),
  tableRows: Count.annotate({ description: "Rows of the embedding and head tables, padding rows included." }),
  attention: Schema.Literals(["bidirectional", "causal"]),
  conditioning: Schema.Union([
    Schema.Struct({
      kind: Schema.Literal("sigma"),
      frequencies: Count.annotate({
        description: "Sinusoid frequencies; the embedding has twice as many entries, sines first.",
      }),
      hidden: Count.annotate({ description: "Hidden width of the conditioning MLP." }),
    }),
    Schema.Struct({ kind: Schema.Literal("none") }),
  ]).annotate({ description: "Noise-level conditioning. 'none' feeds sigma = 0 through the same path." }),
  ropeBase: Positive,
  init: Schema.Literals(["published", "zero-output"]).annotate({
    description:
      "published: the framework defaults of the published script. zero-output: AdaLN and output projections start at zero.",
  }),
}).annotate({ description: "The pre-norm AdaLN transformer of parameter-golf PR #1106 and #1241." })

const Gpt = Schema.Struct({
  kind: Schema.Literal("gpt"),
  layers: Count,
  width: Count,
  heads: Count,
  kvHeads: Count,
  mlpRatio: Positive,
  ropeBase: Positive,
  logitSoftcap: NonNegative.annotate({
    description: "Logits become cap * tanh(logits / cap); 0 switches it off.",
  }),
  qGain: Positive.annotate({ description: "Initial per-head query gain." }),
  tiedEmbeddingStd: Positive,
}).annotate({
  description: "The parameter-golf autoregressive baseline: tied embeddings, U-net skips, grouped queries.",
})

export const Model = Schema.Union([Mdlm, Gpt])
export type Model = typeof Model.Type
export type MdlmModel = typeof Mdlm.Type
export type GptModel = typeof Gpt.Type
