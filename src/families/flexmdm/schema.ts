/** Schema of the FlexMDM network: both published variants, told apart by named fields. */
import * as Schema from "effect/Schema"
import { Count, Positive, Proportion } from "../../spec/common.js"

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
  layers: Count.annotate({ description: "Transformer blocks." }),
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
  embeddingInit: Schema.Literals(["uniform", "normal"]).annotate({
    description:
      "uniform: U(-1/sqrt(width), 1/sqrt(width)), as brianlck/FlexMDM. normal: N(0, 1), as xlm-core.",
  }),
}).annotate({
  description:
    "The transformer of FlexMDM (arXiv 2509.01025): bidirectional, AdaLN with gates on the time, a head for tokens and a head for gaps.",
})
export type FlexmdmModel = typeof FlexmdmModel.Type
