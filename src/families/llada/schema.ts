/** Schema of the LLaDA network, and of what turns it into FlexMDM. */
import * as Schema from "effect/Schema"
import { Count, Layers, Positive, Proportion } from "../../spec/common.js"

const LoraSettings = Schema.Struct({
  rank: Count.annotate({ description: "Rank of the update." }),
  alpha: Positive.annotate({ description: "The update is scaled by alpha / rank." }),
  dropout: Schema.optionalKey(Proportion).annotate({
    description: "Share of the adapter's inputs dropped in training; 0 when absent.",
  }),
}).annotate({
  description: "Low-rank adapters on the query, key and value projections and on the token head.",
})

const Flex = Schema.Struct({
  groupSize: Count.annotate({ description: "Layers that share one time modulation; 8 as published." }),
  gapScale: Positive.annotate({
    description: "Tokens that the gap head's softplus is multiplied by; 1024 as published.",
  }),
  gapBias: Schema.optionalKey(Schema.Number.check(Schema.isFinite())).annotate({
    description: "Initial bias of the gap head's last layer; the framework's default when absent.",
  }),
}).annotate({
  description:
    "Time path with grouped modulation of both norms, and a gap head, as FlexMDM adds them to LLaDA.",
})

export const LladaModel = Schema.Struct({
  kind: Schema.Literal("llada"),
  layers: Layers,
  width: Count.annotate({ description: "Width of the residual stream." }),
  heads: Count.annotate({ description: "Attention heads; as many key and value heads." }),
  mlpWidth: Count.annotate({ description: "Hidden width of the gated MLP." }),
  ropeBase: Positive.annotate({ description: "Base of the rotary position frequencies." }),
  rmsEps: Positive.annotate({ description: "Added to the mean square in every norm." }),
  tableRows: Count.annotate({ description: "Rows of the embedding and head tables." }),
  attentionMask: Schema.Literals(["ignored", "honoured"]).annotate({
    description:
      "ignored: PAD attends and is attended to, as in the published training. honoured: positions see the row's own tokens alone.",
  }),
  lora: Schema.optionalKey(LoraSettings),
  flex: Schema.optionalKey(Flex),
  frozen: Schema.Boolean.annotate({
    description: "The backbone is held as it was loaded; adapters and what FlexMDM adds are trained.",
  }),
}).annotate({
  description:
    "The transformer of LLaDA (arXiv 2502.09992): RMSNorm, gated SiLU MLP, rotary positions, no causal mask, untied head.",
})
export type LladaModel = typeof LladaModel.Type

export const LladaObjective = Schema.Struct({
  kind: Schema.Literal("llada"),
  times: Schema.Literals(["independent", "stratified"]).annotate({
    description:
      "How the masked shares of a micro-batch are drawn, before they are scaled to [timeMin, timeMax]. independent: uniforms. stratified: (u + i) / B mod 1.",
  }),
  timeMin: Proportion.annotate({ description: "Smallest masked share; 0.001 as published." }),
  timeMax: Proportion.annotate({ description: "Largest masked share; 1 as published." }),
  divisor: Schema.Union([Schema.Literal("canvas"), Count]).annotate({
    description:
      "Positions of a row that the loss is divided by. canvas: data.batching.length. A number: the published constant (4096).",
  }),
  padding: Schema.Literals(["trained", "left-out"]).annotate({
    description:
      "trained: the places behind a text hold the boundary token, are masked like any other and learned, as published (PAD is the end of text there). left-out: PAD, never masked.",
  }),
}).annotate({
  description:
    "LLaDA (arXiv 2502.09992): cross-entropy of masked tokens over the masked share of their row; what a corpus gives as fixed is never masked.",
})
export type LladaObjective = typeof LladaObjective.Type
