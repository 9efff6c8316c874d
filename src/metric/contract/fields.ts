/**
 * The parts of a metric contract.
 *
 * Every part may be the literal "not stated": a source that does not say how it computed a number gets that word, and
 * a guess never takes its place.
 */
import * as Schema from "effect/Schema"

export const NOT_STATED = "not stated"
export type NotStated = typeof NOT_STATED

/** `schema`, or the words "not stated". */
export const stated = <S extends Schema.Constraint>(schema: S) =>
  Schema.Union([schema, Schema.Literal(NOT_STATED)])

const Count = Schema.Int.check(Schema.isGreaterThan(0))
const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Positive = Schema.Finite.check(Schema.isGreaterThan(0))
const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))

export const QUANTITIES = [
  "negative-log-likelihood",
  "training-loss",
  "generative-perplexity",
  "entropy",
  "divergence",
  "accuracy",
  "pass-rate",
] as const
export const Quantity = Schema.Literals(QUANTITIES).annotate({
  description:
    "What is measured. negative-log-likelihood: the code length of text under the model. training-loss: the optimised objective, not a code length. generative-perplexity: a judge's perplexity of samples. divergence: a distance between samples and text (MAUVE).",
})

export const UNITS = [
  "bits/byte",
  "bits/token",
  "nats/token",
  "ppl",
  "nats",
  "bits",
  "proportion",
  "percent",
  "score",
] as const
export const UnitSchema = Schema.Literals(UNITS).annotate({
  description:
    "bits/byte is BPB. ppl is exp(nats/token). nats and bits without a denominator are totals or entropies. score is a dimensionless number such as MAUVE.",
})

export const NumeratorEvent = Schema.Literals([
  "every-target",
  "maskable-targets",
  "masked-positions",
  "generated-tokens",
  "task-items",
]).annotate({
  description:
    "Which events are charged in the numerator. every-target: each token of the slice that is a target. maskable-targets: each token except those that are never masked. masked-positions: only positions masked at one noise level. generated-tokens: tokens of samples. task-items: one event per task item.",
})

export const BOUNDS = ["exact", "upper-bound", "lower-bound", "estimate", "unknown"] as const
export const BoundKind = Schema.Literals(BOUNDS).annotate({
  description:
    "exact: the value itself. upper-bound, lower-bound: in expectation the value is at most, at least, this. estimate: no bound in either direction. unknown: the kind cannot be told.",
})
export type BoundKind = typeof BoundKind.Type

const kind = <K extends string>(name: K) => Schema.Literal(name)

/** How the numerator is estimated. `steps` counts network evaluations of the chain, `draws` independent repetitions. */
export const Estimator = Schema.Union([
  Schema.Struct({
    kind: kind("discrete-elbo"),
    steps: stated(Count).annotate({ description: "T: steps of the discrete chain." }),
    draws: stated(Count).annotate({ description: "Mask draws per window and step." }),
    timeGrid: stated(Schema.Literals(["uniform"])).annotate({ description: "t_k = k/T for uniform." }),
    terminal: stated(Schema.Literals(["charged", "omitted"])).annotate({
      description: "The prior term alpha_T ln V per token.",
    }),
    eps: stated(Share).annotate({ description: "alpha(1): share of tokens visible at the last time." }),
  }).annotate({ description: "NELBO of the T-step absorbing chain; bounds the T-step model." }),
  Schema.Struct({
    kind: kind("continuous-elbo"),
    draws: stated(Count),
    eps: stated(Share),
  }).annotate({
    description: "NELBO in continuous time, weight (1-eps)/(1-alpha), estimated by drawn times.",
  }),
  Schema.Struct({ kind: kind("any-order"), draws: stated(Count) }).annotate({
    description:
      "Mean over token orders of the chain-rule negative log-likelihood, by stratified mask counts.",
  }),
  Schema.Struct({
    kind: kind("chain-rule"),
    order: stated(Schema.Literals(["left-to-right", "right-to-left", "random", "confidence"])),
  }).annotate({ description: "Exact chain rule in one order that both sides can run." }),
  Schema.Struct({ kind: kind("block-elbo"), block: stated(Count), draws: stated(Count) }).annotate({
    description: "Blocks left to right, any-order NELBO inside each block.",
  }),
  Schema.Struct({ kind: kind("importance-weighted"), samples: stated(Count) }).annotate({
    description: "-E ln of the mean of K importance weights.",
  }),
  Schema.Struct({ kind: kind("autoregressive") }).annotate({
    description: "Exact next-token factorisation of a causal model.",
  }),
  Schema.Struct({ kind: kind("pseudo-likelihood"), passes: stated(Count), maskRate: stated(Share) }).annotate(
    {
      description: "Each token given visible tokens on both sides: not the code length of anything.",
    },
  ),
  Schema.Struct({ kind: kind("fixed-noise-levels"), levels: stated(Count) }).annotate({
    description: "Weighted cross-entropy at a few fixed noise levels: a quadrature, not a bound.",
  }),
  Schema.Struct({
    kind: kind("training-objective"),
    weight: stated(Schema.Literals(["dsigma", "nelbo", "clamped-inverse-t", "uniform-k", "other"])),
  }).annotate({ description: "The optimised loss itself." }),
  Schema.Struct({
    kind: kind("generative-judge"),
    judge: stated(Schema.String),
    samples: stated(Count),
    samplingSteps: stated(Count),
    maxTokens: stated(Count),
  }).annotate({ description: "A judge language model scores generated text." }),
  Schema.Struct({
    kind: kind("sample-statistic"),
    samples: stated(Count),
    samplingSteps: stated(Count),
  }).annotate({ description: "A statistic of generated text itself, such as unigram entropy." }),
  Schema.Struct({
    kind: kind("graded-generation"),
    attempts: stated(Count).annotate({ description: "k of pass@k; 1 for plain accuracy." }),
    samplingSteps: stated(Count),
    shots: stated(Natural).annotate({ description: "Worked examples in the prompt." }),
    decoding: stated(Schema.String).annotate({ description: "Sampler and its settings, in words." }),
  }).annotate({ description: "One generated answer per item, graded." }),
])
export type Estimator = typeof Estimator.Type

export const Denominator = Schema.Union([
  Schema.Struct({
    kind: kind("byte-table"),
    tokens: stated(Count).annotate({ description: "Targets in the denominator." }),
    bytes: stated(Count).annotate({ description: "Their bytes under the exact table." }),
    source: Schema.String,
  }).annotate({
    description: "The exact SentencePiece byte table: the canonical denominator of bits per byte.",
  }),
  Schema.Struct({
    kind: kind("constant"),
    bytesPerToken: stated(Positive),
    tokens: stated(Count),
    source: Schema.String,
  }).annotate({ description: "Tokens times a constant: a byte count 'as published'." }),
  Schema.Struct({ kind: kind("utf8"), bytes: stated(Count), source: Schema.String }).annotate({
    description: "UTF-8 length of the raw text.",
  }),
  Schema.Struct({ kind: kind("tokens"), tokens: stated(Count), source: Schema.String }).annotate({
    description: "Tokens of the contract's tokenizer.",
  }),
  Schema.Struct({ kind: kind("items"), items: stated(Count), source: Schema.String }).annotate({
    description: "Task items.",
  }),
  Schema.Struct({ kind: kind("samples"), samples: stated(Count), source: Schema.String }).annotate({
    description: "Generated samples.",
  }),
  Schema.Struct({ kind: kind("none") }).annotate({ description: "The value is a total." }),
])
export type Denominator = typeof Denominator.Type

export const WindowPolicy = Schema.Struct({
  length: stated(Count).annotate({ description: "Tokens in one window." }),
  stride: stated(Count).annotate({
    description: "Tokens between window starts; equal to the length when windows do not overlap.",
  }),
  alignment: stated(Schema.Literals(["raw-stream", "document-chunks", "documents", "items"])),
  tail: stated(Schema.Literals(["A", "B", "C", "dropped"])).annotate({
    description:
      "Last windows. A and B score some targets more than once; C scores each exactly once; dropped: an incomplete last window is not scored.",
  }),
}).annotate({
  description:
    "In what pieces the text is scored: length, stride, alignment and the rule for the last windows.",
})
export type WindowPolicy = typeof WindowPolicy.Type

export const Inclusion = Schema.Struct({
  numerator: stated(Schema.Literals(["charged", "free", "absent"])).annotate({
    description: "charged: its nats count. free: known to the receiver at no cost. absent: never a target.",
  }),
  denominator: stated(Schema.Literals(["counted", "zero", "absent"])).annotate({
    description: "counted: adds to the denominator. zero: present and adds nothing. absent: never a target.",
  }),
})
export type Inclusion = typeof Inclusion.Type

export const Specials = Schema.Struct({
  bos: stated(Inclusion),
  eos: stated(Inclusion),
  pad: stated(Inclusion),
  mask: stated(Inclusion),
}).annotate({ description: "Special tokens in numerator and denominator." })
export type Specials = typeof Specials.Type

export const SIDE_INFORMATION = [
  "boundary-positions",
  "document-lengths",
  "two-sided-context",
  "future-text",
  "test-time-training",
  "evaluation-text-in-artifact",
  "worked-examples",
  "prompts",
] as const
export const SideInformation = Schema.Array(Schema.Literals(SIDE_INFORMATION)).annotate({
  description: "What the receiver is given without being charged; an empty list says: nothing.",
})

export const DataPolicy = Schema.Struct({
  dataset: stated(Schema.String),
  split: stated(Schema.String),
  slice: stated(Schema.String).annotate({ description: "Which part of the split, in words." }),
  coverage: stated(Share).annotate({ description: "Scored share of the split; 1 is all of it." }),
  export: stated(Schema.String).annotate({
    description: "Version or digest of the data file, since an export can change under the same name.",
  }),
}).annotate({
  description: "Dataset, split, the scored part of it and its share, and the version of the file.",
})
export type DataPolicy = typeof DataPolicy.Type

export const TokenizerPolicy = Schema.Struct({
  id: stated(Schema.String),
  digest: stated(Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/, { expected: "a SHA-256 digest" }))),
}).annotate({ description: "Name and digest of the tokenizer's model." })
export type TokenizerPolicy = typeof TokenizerPolicy.Type

export const Reduction = Schema.Literals([
  "ratio-of-sums",
  "mean-of-ratios",
  "exponential-of-mean",
  "mean-of-exponentials",
]).annotate({
  description:
    "In which order numerator and denominator are reduced; exponential-of-mean and mean-of-exponentials differ for perplexity.",
})

export const Selection = Schema.Literals([
  "last-checkpoint",
  "best-on-selection-split",
  "best-on-report-split",
]).annotate({ description: "How the reported checkpoint and settings were chosen." })

export const Precision = Schema.Literals(["fp64", "fp32", "bf16", "fp16", "fp8", "int8", "int6"]).annotate({
  description: "Precision of the evaluated weights.",
})

export const Seeds = Schema.Array(Natural).annotate({ description: "Seeds of the runs behind the value." })
