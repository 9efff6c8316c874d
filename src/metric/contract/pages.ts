/** What the documentation says of each contract: formula, hazards, citations. The contract itself is built, not typed. */
import { GOLF, MDLM } from "./page-context.js"
import { DEFINITIONS } from "./registry.js"
import type { Contract } from "./contract.js"

export interface ContractPage {
  readonly id: string
  readonly title: string
  /** definition: what claims are compared against. evaluator: what this project measures. */
  readonly kind: "definition" | "evaluator"
  readonly formula: readonly string[]
  readonly text: string
  readonly hazards: readonly string[]
  readonly citations: readonly string[]
  readonly contract: Contract
}

const BYTE_TABLE =
  "bytes of target y after token p = base[y] + (1 if y starts with U+2581 and p is no boundary, else 0); control, unknown and unused pieces 0, byte pieces 1, others the UTF-8 length without one leading U+2581"

const definitions: readonly ContractPage[] = [
  {
    id: "bpb",
    title: "Bits per byte",
    kind: "definition",
    formula: [
      "bits/byte = sum of nats over every target / (ln 2 * sum of bytes over every target)",
      BYTE_TABLE,
    ],
    text: "The canonical definition. The byte total is checked against the UTF-8 length of the text.",
    hazards: [
      "Bytes from a constant: SP-1024 has 2.435930 bytes per token on the FineWeb validation split, so a constant of 4.3 reports 43 % too low.",
      "A tokenizer without a standalone U+2581 spells a lone space as three byte tokens; a table that counts them inflates the denominator.",
      "The validation export changed once (63 779 840 against 62 021 632 targets): compare values of one export.",
      "A bound among exact values needs a mark.",
    ],
    citations: [GOLF, "parameter-golf issue #897: byte tokens and the denominator"],
    contract: DEFINITIONS.bpb,
  },
  {
    id: "perplexity",
    title: "Perplexity per token",
    kind: "definition",
    formula: ["ppl = exp(sum of nats over every target / number of targets)"],
    text: "Comparable under one tokenizer only: a token is another amount of text in another vocabulary.",
    hazards: [
      "A diffusion model's value is an upper bound; papers write it with a less-or-equal sign.",
      "Mean of per-document perplexities is not the perplexity of the mean.",
    ],
    citations: [MDLM],
    contract: DEFINITIONS.perplexity,
  },
  {
    id: "accuracy",
    title: "Accuracy",
    kind: "definition",
    formula: ["accuracy = items answered right / all items of the split"],
    text: "One generation per item. Unparsed answers count as not right and stay in the denominator.",
    hazards: [
      "The grader is part of the number: extractor, number format, which text is searched.",
      "Tuning of samplers or checkpoints on the test split makes the value optimistic.",
      "Sampling steps are no compute axis when sequence lengths differ.",
    ],
    citations: ["Cobbe et al. 2021, Training Verifiers to Solve Math Word Problems, arXiv 2110.14168"],
    contract: DEFINITIONS.accuracy,
  },
  {
    id: "pass-rate",
    title: "pass@1",
    kind: "definition",
    formula: ["pass@1 = items whose program passes the official tests / all items"],
    text: "Programs run in a sandbox under a time limit. Post-processing is stated and applied to every model alike.",
    hazards: [
      "White space: a missing final newline alone can move a fill-in-the-middle score by more than ten points.",
      "Duplicated items of one problem are not independent: 1033 single-line items come from 164 problems.",
    ],
    citations: [
      "Bavarian et al. 2022, Efficient Training of Language Models to Fill in the Middle, arXiv 2207.14255",
    ],
    contract: DEFINITIONS["pass-rate"],
  },
  {
    id: "generative-perplexity",
    title: "Generative perplexity",
    kind: "definition",
    formula: ["gen-ppl = exp(mean over judged tokens of -ln p_judge(token | earlier tokens))"],
    text: "A judge's opinion of samples, not a likelihood of data.",
    hazards: [
      "Repetition lowers it: report the samples' entropy beside it.",
      "Mean over samples of perplexities and perplexity of the mean differ; the label rarely says which.",
      "Judge, retokenisation, truncation and number of samples all move it.",
    ],
    citations: [MDLM],
    contract: DEFINITIONS["generative-perplexity"],
  },
  {
    id: "entropy",
    title: "Unigram entropy of samples",
    kind: "definition",
    formula: ["H = -sum over tokens of f log2 f, f the token's frequency in one sample; mean over samples"],
    text: "A guard beside generative perplexity.",
    hazards: ["Nats and bits are both in use.", "It grows with the sample's length: compare equal lengths."],
    citations: [MDLM],
    contract: DEFINITIONS.entropy,
  },
  {
    id: "divergence",
    title: "Divergence of samples",
    kind: "definition",
    formula: ["MAUVE: area under the divergence frontier between samples and reference text"],
    text: "Depends on embedding model, number of clusters and reference set.",
    hazards: ["A reference from the training split is another quantity than one from held-out text."],
    citations: ["Pillutla et al. 2021, MAUVE, arXiv 2102.01454"],
    contract: DEFINITIONS.divergence,
  },
  {
    id: "training-loss",
    title: "Training loss",
    kind: "definition",
    formula: [
      "loss = E_t [ w(t) * sum over masked positions of -ln p(x0 | x_t) ] / divisor",
      "w = (1-eps)/(1-alpha) gives the NELBO; w = (1-eps)/alpha gives no bound",
    ],
    text: "Comparable only under one weight, one divisor and one distribution of t.",
    hazards: [
      "With the weight (1-eps)/alpha half of the mass lies where less than 2 % of the tokens are visible.",
      "Divisors differ: all positions, non-PAD positions, masked positions.",
      "The weight's spread makes short averages indistinguishable.",
    ],
    citations: [MDLM, "parameter-golf PR #1106 and #1241, train_mdlm.py"],
    contract: DEFINITIONS["training-loss"],
  },
]

/** The pages of the definitions; those of evaluators stand with them. */
export const DEFINITION_PAGES: readonly ContractPage[] = definitions
