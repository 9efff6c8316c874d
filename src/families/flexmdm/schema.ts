/** Schemas of the FlexMDM network, both published variants told apart by named fields, and of its objective. */
import * as Schema from "effect/Schema"
import { AlphaSchedule } from "../../diffusion/insertion/schedule.js"
import { Count, Layers, Positive, Proportion } from "../../spec/common.js"

const GapHead = Schema.Struct({
  scale: Positive.annotate({
    description:
      "Tokens that the head's softplus is multiplied by: the canvas length (brianlck/FlexMDM), block + input block + 4 (xlm-core).",
  }),
  bias: Schema.optionalKey(Schema.Number.check(Schema.isFinite())).annotate({
    description:
      "Initial bias of the last layer; the framework's default when absent, which starts at 0.69 times the scale.",
  }),
}).annotate({ description: "The head that predicts how many tokens are still absent in each slot." })

export const FlexmdmModel = Schema.Struct({
  kind: Schema.Literal("flexmdm"),
  layers: Layers,
  width: Count.annotate({ description: "Width of the residual stream." }),
  heads: Count.annotate({ description: "Attention heads; the head width is width / heads." }),
  mlpRatio: Positive.annotate({ description: "Hidden width of the MLP divided by the width." }),
  activation: Schema.Literals(["gelu-tanh", "gelu", "relu"]).annotate({
    description: "Activation of the MLP: gelu-tanh in brianlck/FlexMDM, relu in xlm-core.",
  }),
  residual: Schema.Literals(["block-input", "modulated"]).annotate({
    description:
      "What attention is added to. block-input: the block's input. modulated: the normalised and modulated input, as xlm-core does.",
  }),
  endSlot: Schema.Literals(["extra", "eos-anchor"]).annotate({
    description:
      "Where tokens after the last one are inserted. extra: a PAD is appended to the row and carries a slot of its own. eos-anchor: a fixed EOS ends each row, and the slot before it serves.",
  }),
  conditioning: Schema.Struct({
    frequencies: Count.annotate({ description: "Sinusoid frequencies; cosines first." }),
    width: Count.annotate({ description: "Width of the conditioning vector and its MLP." }),
  }).annotate({ description: "Time conditioning; the time is fed in [0, 1]." }),
  timeInput: Schema.Literals(["time", "insertion-alpha"]).annotate({
    description: "What is embedded: the time, or the insertion schedule's alpha at it.",
  }),
  headBias: Schema.Boolean.annotate({ description: "A bias on the token logits." }),
  gapHead: GapHead,
  ropeBase: Positive.annotate({ description: "Base of the rotary position frequencies." }),
  rotaryWidth: Schema.optionalKey(Count).annotate({
    description: "Leading entries of each head that are rotated; all of them when absent.",
  }),
  dropout: Schema.optionalKey(Proportion).annotate({
    description: "Share of activations dropped after attention and MLP; 0 when absent.",
  }),
  tableRows: Count.annotate({ description: "Rows of the embedding and head tables, special ids included." }),
  softmax: Schema.optionalKey(Schema.Literals(["pieces", "table"])).annotate({
    description:
      "Classes of the token head. pieces, when absent: the tokenizer's alone. table: every row of the table, MASK and PAD included, as published; their share is lost to the others until training has driven it out.",
  }),
  embeddingInit: Schema.Literals(["uniform", "normal"]).annotate({
    description:
      "uniform: U(-1/sqrt(width), 1/sqrt(width)), as brianlck/FlexMDM. normal: N(0, 1), as xlm-core.",
  }),
}).annotate({
  description:
    "The transformer of FlexMDM (arXiv 2509.01025): bidirectional, AdaLN with gates on the time, a head for tokens and a head for gaps.",
})
export type FlexmdmModel = typeof FlexmdmModel.Type

export const MdmModel = Schema.Struct({
  kind: Schema.Literal("mdm"),
  layers: FlexmdmModel.fields.layers,
  width: FlexmdmModel.fields.width,
  heads: FlexmdmModel.fields.heads,
  mlpRatio: FlexmdmModel.fields.mlpRatio,
  activation: FlexmdmModel.fields.activation,
  conditioning: FlexmdmModel.fields.conditioning,
  headBias: FlexmdmModel.fields.headBias,
  ropeBase: FlexmdmModel.fields.ropeBase,
  dropout: FlexmdmModel.fields.dropout,
  tableRows: FlexmdmModel.fields.tableRows,
  embeddingInit: FlexmdmModel.fields.embeddingInit,
}).annotate({
  description:
    "The fixed-length baseline of brianlck/FlexMDM: the same transformer without a gap head, told the share of tokens that are still visible.",
})
export type MdmModel = typeof MdmModel.Type

const fixedSchedule = (description: string) => AlphaSchedule.annotate({ description })

export const FlexmdmObjective = Schema.Struct({
  kind: Schema.Literal("flexmdm"),
  schedules: Schema.Struct({
    insertion: fixedSchedule("CDF of the time at which a token is inserted, as MASK."),
    unmasking: fixedSchedule("CDF of the time at which it is unmasked."),
  }).annotate({
    description: "The pair that the model is trained with; sampling must use the same.",
  }),
  hitting: Schema.optionalKey(Schema.Literals(["joint", "threshold-8b"])).annotate({
    description:
      "joint (when absent): unmasking is conditioned on the insertion under its own schedule. threshold-8b: uniform behind the insertion, whatever the schedule, as the published 8B code has it.",
  }),
  times: Schema.Literals(["stratified", "independent"]).annotate({
    description:
      "stratified: (i + u_i) / B for row i of B. independent: uniforms. Both are scaled to [timeMin, timeMax].",
  }),
  timeMin: Proportion.annotate({ description: "Smallest time; 0.001 in the published 8B code, else 0." }),
  timeMax: Proportion.annotate({
    description: "Largest time; 0.999999 as published, 1 in the published 8B code.",
  }),
  targets: Schema.Literals(["hidden", "averaged"]).annotate({
    description:
      "hidden: the tokens and gaps of the noised sequence, as published. averaged: their means over every way in which the state may lie in its sequence; the same optimum, far less noise in the gradient.",
  }),
  weight: Schema.Literals(["hazard", "8b"]).annotate({
    description:
      "hazard: alpha'/(1 - alpha) of each schedule. 8b: 1/(1 - t + 1e-6) on unmasking whatever its schedule.",
  }),
  weightCap: Schema.optionalKey(Positive).annotate({
    description: "Weights are at most this; as they are when absent, as published.",
  }),
  divisor: Schema.Union([Schema.Literal("canvas"), Count]).annotate({
    description:
      "Positions of a row that the loss is divided by, PAD included. canvas: data.batching.length. A number: the published constant.",
  }),
  fixed: Schema.Literals(["none", "boundary"]).annotate({
    description:
      "none: tokens are noised, but for what the corpus gives as fixed (a prompt). boundary: the boundary token is never noised either.",
  }),
}).annotate({
  description:
    "FlexMDM (arXiv 2509.01025): hazard-weighted cross-entropy of masked tokens and generalised divergence of the numbers of absent ones.",
})
export type FlexmdmObjective = typeof FlexmdmObjective.Type
