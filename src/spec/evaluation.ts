/** Schemas of evaluations. Each produces evidence; metrics are computed from evidence alone. */
import * as Schema from "effect/Schema"
import { Count, Identifier, Natural } from "./common.js"

const EvaluationId = Identifier.annotate({ description: "Name of the evaluation in tables and file names." })
const Seed = Natural.annotate({ description: "Seed of the eval-mask stream." })
const Tail = Schema.Literals(["A", "B", "C"]).annotate({
  description: "Rule for the last windows; C scores each target exactly once.",
})

export const Windows = Schema.Struct({
  length: Count.annotate({ description: "Tokens in one window." }),
  count: Count.annotate({ description: "Windows at most; fewer when the split is shorter." }),
  alignment: Schema.Literals(["raw-stream", "document-chunks"]).annotate({
    description:
      "raw-stream: windows i*length of the validation stream. document-chunks: documents cut as in training.",
  }),
}).annotate({ identifier: "Windows", description: "Which tokens are scored, and in what pieces." })
export type Windows = typeof Windows.Type

const DiscreteElbo = Schema.Struct({
  kind: Schema.Literal("discrete-elbo"),
  id: EvaluationId,
  windows: Windows,
  steps: Count.annotate({ description: "T: steps of the discrete chain." }),
  seed: Seed,
  draws: Count.annotate({ description: "Independent mask draws per window and step." }),
}).annotate({
  description:
    "T-step discrete-time NELBO of the absorbing process: an upper bound on the negative log-likelihood of the T-step model.",
})

const AnyOrder = Schema.Struct({
  kind: Schema.Literal("any-order"),
  id: EvaluationId,
  windows: Windows,
  draws: Count.annotate({ description: "Stratified mask counts per window." }),
  seed: Seed,
}).annotate({
  description:
    "Rao-Blackwellised any-order NELBO: the mean over orders of the chain-rule negative log-likelihood.",
})

const LeftToRight = Schema.Struct({
  kind: Schema.Literal("chain-rule"),
  id: EvaluationId,
  windows: Windows,
  order: Schema.Literals(["left-to-right", "right-to-left", "random", "confidence"]).annotate({
    description:
      "Order in which tokens are revealed; confidence is the model's own, so a decoder can follow it.",
  }),
  seed: Seed,
}).annotate({
  description: "Exact chain-rule negative log-likelihood in one order: a code that both sides can run.",
})

const Sliding = Schema.Struct({
  kind: Schema.Literal("sliding"),
  id: EvaluationId,
  windows: Windows,
  stride: Count.annotate({ description: "Tokens scored in each window after the first." }),
  tail: Tail,
}).annotate({
  description: "Sliding window: the last `stride` tokens of each window given everything to their left.",
})

const Block = Schema.Struct({
  kind: Schema.Literal("block-nelbo"),
  id: EvaluationId,
  windows: Windows,
  block: Count.annotate({ description: "Tokens in one block." }),
  draws: Count.annotate({ description: "Mask draws for each block." }),
  seed: Seed,
}).annotate({ description: "Blocks left to right, any-order NELBO inside each block." })

const ImportanceWeighted = Schema.Struct({
  kind: Schema.Literal("importance-weighted"),
  id: EvaluationId,
  windows: Windows,
  samples: Count.annotate({ description: "K: orders averaged inside the logarithm." }),
  seed: Seed,
}).annotate({ description: "Importance-weighted bound over random orders." })

const Autoregressive = Schema.Struct({
  kind: Schema.Literal("autoregressive"),
  id: EvaluationId,
  windows: Windows,
  stride: Schema.optionalKey(Count).annotate({
    description: "Absent: chunked scoring. Given: sliding scoring with this stride.",
  }),
  tail: Tail,
}).annotate({ description: "Exact next-token negative log-likelihood." })

export const Evaluation = Schema.Union([
  DiscreteElbo,
  AnyOrder,
  LeftToRight,
  Sliding,
  Block,
  ImportanceWeighted,
  Autoregressive,
]).annotate({
  identifier: "Evaluation",
  description: "One evaluation: which evidence is produced, on which tokens.",
})
export type Evaluation = typeof Evaluation.Type
export type DiscreteElboEvaluation = typeof DiscreteElbo.Type
