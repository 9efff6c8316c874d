/**
 * The definitions that claims are compared against: one canonical contract per quantity.
 *
 * A field that is "not stated" here is one the definition leaves open.
 */
import { canonicalContract } from "./builders.js"
import { CONTRACT_VERSION, NOT_STATED, type Contract } from "./contract.js"

const OPEN = {
  version: CONTRACT_VERSION,
  quantity: NOT_STATED,
  unit: NOT_STATED,
  event: NOT_STATED,
  bound: NOT_STATED,
  estimator: NOT_STATED,
  denominator: NOT_STATED,
  window: NOT_STATED,
  specials: NOT_STATED,
  sideInformation: NOT_STATED,
  data: NOT_STATED,
  tokenizer: NOT_STATED,
  reduction: NOT_STATED,
  grader: NOT_STATED,
  selection: NOT_STATED,
  precision: NOT_STATED,
  seeds: NOT_STATED,
} as const satisfies Contract

const perplexity: Contract = {
  ...OPEN,
  title: "Canonical perplexity per token",
  description:
    "exp of the exact negative log-likelihood per token of the stated tokenizer over the whole test split. Comparable under one tokenizer only.",
  quantity: "negative-log-likelihood",
  unit: "ppl",
  event: "every-target",
  bound: "exact",
  estimator: { kind: "autoregressive" },
  denominator: { kind: "tokens", tokens: NOT_STATED, source: "scored targets" },
  sideInformation: [],
  reduction: "exponential-of-mean",
  grader: "none",
}

const accuracy: Contract = {
  ...OPEN,
  title: "Canonical accuracy",
  description:
    "Items whose answer is right over all items of the test split, one generation per item; unparsed answers stay in the denominator.",
  quantity: "accuracy",
  unit: "proportion",
  event: "task-items",
  bound: "estimate",
  denominator: { kind: "items", items: NOT_STATED, source: "test items" },
  sideInformation: [],
  reduction: "ratio-of-sums",
  selection: "best-on-selection-split",
}

const passRate: Contract = {
  ...accuracy,
  title: "Canonical pass@1",
  description:
    "Programs that pass the official tests in a sandbox over all items, one generation per item; post-processing stated and applied to every model alike.",
  quantity: "pass-rate",
}

const generative: Contract = {
  ...OPEN,
  title: "Generative perplexity",
  description:
    "A judge's perplexity of generated text. Meaningful beside the samples' entropy only: repetition lowers both.",
  quantity: "generative-perplexity",
  unit: "ppl",
  event: "generated-tokens",
  bound: "estimate",
  denominator: { kind: "samples", samples: NOT_STATED, source: "generated samples" },
  sideInformation: [],
  reduction: "exponential-of-mean",
  grader: "none",
}

const entropy: Contract = {
  ...OPEN,
  title: "Unigram entropy of samples",
  description: "Plug-in entropy of the tokens of each sample, in bits, averaged over samples.",
  quantity: "entropy",
  unit: "bits",
  event: "generated-tokens",
  bound: "estimate",
  denominator: { kind: "samples", samples: NOT_STATED, source: "generated samples" },
  sideInformation: [],
  grader: "none",
}

const divergence: Contract = {
  ...OPEN,
  title: "Divergence of samples",
  description: "A distance between samples and reference text, such as MAUVE.",
  quantity: "divergence",
  unit: "score",
  event: "generated-tokens",
  bound: "estimate",
  sideInformation: [],
  grader: "none",
}

const trainingLoss: Contract = {
  ...OPEN,
  title: "Training loss",
  description: "The optimised objective. No code length unless its weight is the NELBO's.",
  quantity: "training-loss",
  unit: "nats/token",
  bound: "upper-bound",
  estimator: { kind: "continuous-elbo", draws: NOT_STATED, eps: NOT_STATED },
  grader: "none",
}

/** Definitions by id; each has a page in docs/metrics. */
export const DEFINITIONS = {
  bpb: canonicalContract(),
  perplexity,
  accuracy,
  "pass-rate": passRate,
  "generative-perplexity": generative,
  entropy,
  divergence,
  "training-loss": trainingLoss,
} as const satisfies Readonly<Record<string, Contract>>
export type DefinitionId = keyof typeof DEFINITIONS

/** The definition a claim is compared against: bits per byte on FineWeb, else by quantity; undefined where none fits. */
export const definitionFor = (contract: Contract): DefinitionId | undefined => {
  switch (contract.quantity) {
    case "negative-log-likelihood": {
      const bpb = DEFINITIONS.bpb.data
      const fineweb =
        contract.data !== NOT_STATED && bpb !== NOT_STATED && contract.data.dataset === bpb.dataset
      return fineweb || contract.unit === "bits/byte" ? "bpb" : "perplexity"
    }
    case NOT_STATED:
    case "sample-length":
    case "sample-share":
      return undefined
    default:
      return contract.quantity
  }
}
