/** Schemas of evaluations. Each produces evidence; metrics are computed from evidence alone. */
import * as Schema from "effect/Schema"
import { Count, Identifier, Natural } from "./common.js"

export const Windows = Schema.Struct({
  length: Count.annotate({ description: "Tokens in one window." }),
  count: Count.annotate({ description: "Windows at most; fewer when the split is shorter." }),
  alignment: Schema.Literals(["raw-stream", "document-chunks"]).annotate({
    description:
      "raw-stream: windows i*length of the validation stream. document-chunks: documents cut as in training.",
  }),
}).annotate({ description: "Which tokens are scored, and in what pieces." })
export type Windows = typeof Windows.Type

const DiscreteElbo = Schema.Struct({
  kind: Schema.Literal("discrete-elbo"),
  id: Identifier,
  windows: Windows,
  steps: Count.annotate({ description: "T: steps of the discrete chain." }),
  seed: Natural.annotate({ description: "Seed of the eval-mask stream." }),
  draws: Count.annotate({ description: "Independent mask draws per window and step." }),
}).annotate({
  description:
    "T-step discrete-time NELBO of the absorbing process: an upper bound on the negative log-likelihood of the T-step model.",
})

const AnyOrder = Schema.Struct({
  kind: Schema.Literal("any-order"),
  id: Identifier,
  windows: Windows,
  draws: Count.annotate({ description: "Stratified mask counts per window." }),
  seed: Natural,
}).annotate({
  description:
    "Rao-Blackwellised any-order NELBO: the mean over orders of the chain-rule negative log-likelihood.",
})

const LeftToRight = Schema.Struct({
  kind: Schema.Literal("chain-rule"),
  id: Identifier,
  windows: Windows,
  order: Schema.Literals(["left-to-right", "right-to-left", "random", "confidence"]),
  seed: Natural,
}).annotate({
  description: "Exact chain-rule negative log-likelihood in one order: a code that both sides can run.",
})

const Sliding = Schema.Struct({
  kind: Schema.Literal("sliding"),
  id: Identifier,
  windows: Windows,
  stride: Count,
  tail: Schema.Literals(["A", "B", "C"]).annotate({
    description: "Rule for the last windows; C scores each target exactly once.",
  }),
}).annotate({
  description: "Sliding window: the last `stride` tokens of each window given everything to their left.",
})

const Block = Schema.Struct({
  kind: Schema.Literal("block-nelbo"),
  id: Identifier,
  windows: Windows,
  block: Count,
  draws: Count,
  seed: Natural,
}).annotate({ description: "Blocks left to right, any-order NELBO inside each block." })

const ImportanceWeighted = Schema.Struct({
  kind: Schema.Literal("importance-weighted"),
  id: Identifier,
  windows: Windows,
  samples: Count.annotate({ description: "K: orders averaged inside the logarithm." }),
  seed: Natural,
}).annotate({ description: "Importance-weighted bound over random orders." })

const Autoregressive = Schema.Struct({
  kind: Schema.Literal("autoregressive"),
  id: Identifier,
  windows: Windows,
  stride: Schema.optionalKey(Count).annotate({
    description: "Absent: chunked scoring. Given: sliding scoring with this stride.",
  }),
  tail: Schema.Literals(["A", "B", "C"]),
}).annotate({ description: "Exact next-token negative log-likelihood." })

export const Evaluation = Schema.Union([
  DiscreteElbo,
  AnyOrder,
  LeftToRight,
  Sliding,
  Block,
  ImportanceWeighted,
  Autoregressive,
])
export type Evaluation = typeof Evaluation.Type
export type DiscreteElboEvaluation = typeof DiscreteElbo.Type
