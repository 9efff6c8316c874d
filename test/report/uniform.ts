/** A table of parameter-golf's final evaluation with chosen bits, and the claims it is set beside. */
import { fileURLToPath } from "node:url"
import { buildLanguageModelTable } from "../../src/analysis/build-language-model-table.js"
import type { EvaluationSummary } from "../../src/analysis/language-model.js"
import type { ResultsTable } from "../../src/analysis/table.js"

export const LEDGER = fileURLToPath(new URL("../../specs/claims", import.meta.url))

export const TOKENS = 500 * 2048
/** Bytes of as many tokens at the exact ratio of FineWeb validation under SP-1024. */
export const BYTES = (TOKENS * 151_080_891) / 62_021_846
/** Bits behind #1241's printed 0.9901: 0.990101083045782 x 4.3 bytes x tokens. */
export const PUBLISHED_BITS = 0.990101083045782 * 4.3 * TOKENS

export const summary = (bits: number): EvaluationSummary => ({
  evaluationId: "elbo-t128",
  evaluation: {
    kind: "discrete-elbo",
    steps: 128,
    draws: 1,
    seed: 42,
    windows: { length: 2048, count: 500, alignment: "raw-stream" },
  },
  context: {
    dataset: "fineweb10B_sp1024",
    split: "validation",
    slice: "the first 500 windows of 2048 tokens",
    coverage: 0.0165103115,
    tokenizer: { id: "sp1024" },
    boundary: "free",
    eps: 1e-3,
    precision: "bf16",
    selection: "last-checkpoint",
    seeds: [42],
  },
  bits,
  terminalBits: 0.01 * TOKENS,
  tokens: TOKENS,
  maskableTokens: TOKENS - 826,
  bytes: BYTES,
  perWindow: Array.from({ length: 500 }, () => ({ bits: bits / 500, bytes: BYTES / 500, tokens: 2048 })),
  boundaryTokens: 826,
  boundaryBits: 9674,
})

export const tableOf = (bits: number, run = "run-a"): ResultsTable =>
  buildLanguageModelTable({
    header: { experiment: "mdlm_eos", title: "MDLM", profile: "paper", run, fingerprint: "repro-fp1:00" },
    differences: [],
    evaluations: [summary(bits)],
    floors: ["uniform", "unigram", "bigram", "xz"].map((id, index) => ({
      id,
      label: id,
      bitsPerToken: [10, 8.65, 6.9, null][index]!,
      bitsPerByte: [4.1, 3.55, 2.8, 2.3][index]!,
    })),
    publishedConstant: 4.3,
    ratioInterval: () => null,
  })
