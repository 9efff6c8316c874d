/** What the documentation says of each contract: formula, hazards, citations. The contract itself is built, not typed. */
import { contractOf, FINEWEB_SP1024, type ContractContext } from "./builders.js"
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

const CONTEXT: ContractContext = {
  dataset: FINEWEB_SP1024.dataset,
  split: FINEWEB_SP1024.split,
  tokenizer: { id: "sp1024" },
  boundary: "maskable",
  denominator: { kind: "byte-table" },
  eps: 1e-3,
}
const WINDOWS = { length: 2048, count: 500, alignment: "raw-stream" } as const

const BYTE_TABLE =
  "bytes of target y after token p = base[y] + (1 if y starts with U+2581 and p is no boundary, else 0); control, unknown and unused pieces 0, byte pieces 1, others the UTF-8 length without one leading U+2581"
const MDLM = "Sahoo et al. 2024, Simple and Effective Masked Diffusion Language Models, arXiv 2406.07524"
const GOLF = "openai/parameter-golf, train_gpt.py: the byte table and the chunked evaluation"

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

const evaluators: readonly ContractPage[] = [
  {
    id: "discrete-elbo",
    title: "T-step discrete NELBO",
    kind: "evaluator",
    formula: [
      "L_T = L alpha_T ln V + sum over k of r_k E[ sum over masked positions of -ln p(x0 | x_k) ]",
      "r_k = (alpha_(k-1) - alpha_k) / (1 - alpha_k), t_k = k/T; for alpha = 1 - (1-eps) t: r_k = 1/k",
    ],
    text: "An upper bound, in expectation over mask draws, on the negative log-likelihood of the T-step model.",
    hazards: [
      "Different T are different models: a smaller T does not bound the larger one.",
      "The coefficients assume independent masks; masked spans need others.",
      "Boundary tokens that are never masked are side information.",
    ],
    citations: [MDLM, "parameter-golf PR #1241, train_mdlm.py, final evaluation"],
    contract: contractOf({ kind: "discrete-elbo", windows: WINDOWS, steps: 128, draws: 1, seed: 0 }, CONTEXT),
  },
  {
    id: "as-published-constant",
    title: "As published: constant bytes per token",
    kind: "evaluator",
    formula: ["value = bits / (tokens * 4.3)"],
    text: "The arithmetic of PR #1106 and #1241, kept so that their numbers can be reproduced. It is never called BPB without the words 'as published'.",
    hazards: ["The constant is 1.765 times the exact ratio of SP-1024 on this split."],
    citations: ["parameter-golf PR #1241, train_mdlm.py lines 401, 427 and 430 at commit 5d46f39"],
    contract: contractOf(
      { kind: "discrete-elbo", windows: WINDOWS, steps: 128, draws: 1, seed: 0 },
      { ...CONTEXT, boundary: "free", denominator: { kind: "constant", bytesPerToken: 4.3 } },
    ),
  },
  {
    id: "any-order",
    title: "Any-order NELBO",
    kind: "evaluator",
    formula: [
      "L E_(k ~ U{1..L}) [ (1/k) sum over a random set of k masked positions of -ln p(x_i | the rest) ]",
    ],
    text: "Equal to the mean over all orders of the chain-rule negative log-likelihood; the mask count's noise is averaged out.",
    hazards: ["L is the number of maskable positions; a free position must not be counted."],
    citations: ["Uria, Murray and Larochelle 2014, A Deep and Tractable Density Estimator, arXiv 1310.1757"],
    contract: contractOf({ kind: "any-order", windows: WINDOWS, draws: 16, seed: 0 }, CONTEXT),
  },
  {
    id: "chain-rule",
    title: "Exact chain rule in one order",
    kind: "evaluator",
    formula: ["sum over i of -ln p(x_i | the tokens before it in the order, all others MASK)"],
    text: "A code that both sides can run: exact for the model decoded in that order.",
    hazards: [
      "The order must not depend on the text except through tokens already sent.",
      "Choosing the better of several orders per window costs the bits that name it.",
    ],
    citations: [GOLF],
    contract: contractOf({ kind: "chain-rule", windows: WINDOWS, order: "left-to-right", seed: 0 }, CONTEXT),
  },
  {
    id: "sliding",
    title: "Sliding left-to-right",
    kind: "evaluator",
    formula: ["each window scores its last `stride` tokens left to right, given everything to their left"],
    text: "Directly beside an autoregressive score with the same stride.",
    hazards: ["Tail rules A and B score some targets more than once; C scores each once."],
    citations: [GOLF, "parameter-golf PR #1218: tail rule C"],
    contract: contractOf({ kind: "sliding", windows: WINDOWS, stride: 64, tail: "C" }, CONTEXT),
  },
  {
    id: "block-nelbo",
    title: "Block NELBO",
    kind: "evaluator",
    formula: [
      "sum over blocks B of E_(k ~ U{1..s}) [ (s/k) sum over k masked positions of B of -ln p(x_i | left context, visible part of B) ]",
    ],
    text: "Between the any-order NELBO (one block) and exact left-to-right (blocks of one token).",
    hazards: ["The block size is part of the number."],
    citations: ["Arriola et al. 2025, Block Diffusion, arXiv 2503.09573"],
    contract: contractOf({ kind: "block-nelbo", windows: WINDOWS, block: 64, draws: 4, seed: 0 }, CONTEXT),
  },
  {
    id: "importance-weighted",
    title: "Importance-weighted bound",
    kind: "evaluator",
    formula: ["-E ln (1/K) sum over K orders of exp(-NLL of the order)"],
    text: "Falls with K; still an upper bound in expectation.",
    hazards: [
      "Orders must be drawn independently of the text.",
      "The gain over K = 1 is at most ln K nats a window.",
    ],
    citations: ["Burda, Grosse and Salakhutdinov 2016, Importance Weighted Autoencoders, arXiv 1509.00519"],
    contract: contractOf({ kind: "importance-weighted", windows: WINDOWS, samples: 16, seed: 0 }, CONTEXT),
  },
  {
    id: "autoregressive",
    title: "Autoregressive, chunked",
    kind: "evaluator",
    formula: ["sum over i of -ln p(x_i | earlier tokens of the same window)"],
    text: "Exact. The first token of a window has no context.",
    hazards: ["Chunked scores are 0.02 to 0.03 bits per byte above stride-64 scores of one model."],
    citations: [GOLF],
    contract: contractOf({ kind: "autoregressive", windows: WINDOWS, tail: "C" }, CONTEXT),
  },
  {
    id: "autoregressive-sliding",
    title: "Autoregressive, sliding",
    kind: "evaluator",
    formula: [
      "windows start every `stride` tokens; the first scores all its targets, each later one its last `stride`",
    ],
    text: "Exact, each target once under tail rule C, with at least length - stride tokens of context.",
    hazards: ["Tail rules A and B repeat the last targets 15 to 31 times, about 1e-5 relative."],
    citations: [GOLF, "parameter-golf PR #1218: tail rule C"],
    contract: contractOf({ kind: "autoregressive", windows: WINDOWS, stride: 64, tail: "C" }, CONTEXT),
  },
]

export const CONTRACT_PAGES: readonly ContractPage[] = [...definitions, ...evaluators]
