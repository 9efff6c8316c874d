/** Contracts of code lengths, which this project's evaluators state of themselves, and the canonical one. */
import { CONTRACT_VERSION, NOT_STATED, type Contract, type NotStated } from "./contract.js"
import type { BoundKind, Denominator, Estimator, Inclusion } from "./fields.js"

/** FineWeb validation split under SP-1024 (published manifest of the parameter-golf dataset repository). */
export const FINEWEB_SP1024 = {
  dataset: "fineweb10B_sp1024",
  split: "validation",
  tokens: 62_021_846,
  documents: 50_000,
  /** Bytes under the exact table: parameter-golf logs and statements agree on this total. */
  bytes: 151_080_891,
} as const

const CHARGED: Inclusion = { numerator: "charged", denominator: "zero" }
const FREE: Inclusion = { numerator: "free", denominator: "zero" }
const ABSENT: Inclusion = { numerator: "absent", denominator: "absent" }

/** How a code length over windows was measured: what an evaluator says of itself. */
export interface CodeLength {
  readonly windows: {
    readonly length: number
    readonly count: number
    readonly alignment: "raw-stream" | "document-chunks" | "documents"
  }
  readonly estimator: Estimator
  readonly bound: BoundKind
  /** Whether boundary tokens may be shown to the model: true of masked models, false of next-token prediction. */
  readonly mayShowBoundaries: boolean
  /** Tokens from one window to the next; the window length when absent. */
  readonly stride?: number | undefined
  /** Rule for the last windows; "dropped" when absent. */
  readonly tail?: "A" | "B" | "C"
}

export type DenominatorChoice =
  | {
      readonly kind: "byte-table"
      readonly tokens?: number
      readonly bytes?: number
      readonly source?: string
    }
  | {
      readonly kind: "constant"
      readonly bytesPerToken: number
      readonly tokens?: number
      readonly source?: string
    }
  | { readonly kind: "tokens"; readonly tokens?: number; readonly source?: string }

/** What the evaluation alone does not say. */
export interface ContractContext {
  readonly dataset: string
  readonly split: string
  /** Words for the scored part of the split, such as "the first 32 windows". */
  readonly slice?: string
  /** Scored share of the split's tokens. */
  readonly coverage?: number
  /** Version or digest of the data file. */
  readonly export?: string
  readonly tokenizer: { readonly id: string; readonly digest?: string }
  /** free: boundary tokens are never masked. maskable: they are ordinary tokens. */
  readonly boundary: "free" | "maskable"
  /** coded: what stands behind a text is coded as its end, so that lengths are no side information. */
  readonly textEnd?: "coded"
  /** Documents have a prompt, which is given where rows are documents. */
  readonly prompts?: true
  /** Unit of the value; bits/byte when absent. */
  readonly unit?: "bits/byte" | "bits/token" | "nats/token" | "ppl"
  readonly denominator: DenominatorChoice
  /** alpha(1) of the noise schedule, where there is one. */
  readonly eps?: number
  readonly precision?: "fp64" | "fp32" | "bf16" | "fp16"
  readonly selection?: "last-checkpoint" | "best-on-selection-split" | "best-on-report-split"
  /** Training seeds of the runs behind the value. */
  readonly seeds?: readonly number[]
}

/**
 * The contract of a code that says the length of each row too.
 *
 * @param pad charged: what stands behind a text is among what is coded
 */
export const withLengths = (contract: Contract, pad: "absent" | "charged"): Contract => ({
  ...contract,
  sideInformation:
    contract.sideInformation === NOT_STATED
      ? NOT_STATED
      : contract.sideInformation.filter((given) => given !== "document-lengths"),
  specials:
    contract.specials === NOT_STATED
      ? NOT_STATED
      : { ...contract.specials, pad: pad === "absent" ? ABSENT : CHARGED },
})

/** The value, or that it is not stated. */
export const orNotStated = <A>(value: A | undefined): A | NotStated => value ?? NOT_STATED

const denominatorOf = (choice: DenominatorChoice): Denominator => {
  const tokens = orNotStated(choice.tokens)
  switch (choice.kind) {
    case "byte-table":
      return {
        kind: "byte-table",
        tokens,
        bytes: orNotStated(choice.bytes),
        source: choice.source ?? "exact SentencePiece byte table summed over the scored targets",
      }
    case "constant":
      return {
        kind: "constant",
        bytesPerToken: choice.bytesPerToken,
        tokens,
        source: choice.source ?? "constant, as published",
      }
    case "tokens":
      return { kind: "tokens", tokens, source: choice.source ?? "scored targets" }
  }
}

/**
 * The contract of a code length over windows.
 *
 * A network that always receives boundary tokens unmasked is scored with those positions free, whatever the estimator;
 * the contract then lists them as side information, and the value is no code length until they are charged.
 */
export const codeLengthContract = (
  { windows, estimator, bound, mayShowBoundaries, stride = windows.length, tail }: CodeLength,
  context: ContractContext,
): Contract => {
  const free = mayShowBoundaries && context.boundary === "free"
  const unit = context.unit ?? "bits/byte"
  const documents = windows.alignment !== "raw-stream"
  const counted = context.denominator.kind === "byte-table" ? "zero" : "counted"
  return {
    version: CONTRACT_VERSION,
    quantity: "negative-log-likelihood",
    unit,
    event: free ? "maskable-targets" : "every-target",
    bound,
    estimator,
    denominator: denominatorOf(context.denominator),
    window: {
      length: windows.length,
      stride,
      alignment: windows.alignment,
      tail: tail ?? "dropped",
    },
    specials: {
      bos: windows.alignment === "documents" ? ABSENT : { ...(free ? FREE : CHARGED), denominator: counted },
      eos: ABSENT,
      pad: documents ? FREE : ABSENT,
      mask: ABSENT,
    },
    sideInformation: [
      ...(free ? (["boundary-positions"] as const) : []),
      ...(documents ? (["document-lengths"] as const) : []),
      ...(windows.alignment === "documents" && context.prompts === true ? (["prompts"] as const) : []),
    ],
    data: {
      dataset: context.dataset,
      split: context.split,
      slice: orNotStated(context.slice),
      coverage: orNotStated(context.coverage),
      export: orNotStated(context.export),
    },
    tokenizer: { id: context.tokenizer.id, digest: orNotStated(context.tokenizer.digest) },
    reduction: unit === "ppl" ? "exponential-of-mean" : "ratio-of-sums",
    grader: "none",
    selection: context.selection ?? NOT_STATED,
    precision: context.precision ?? NOT_STATED,
    seeds: context.seeds ?? NOT_STATED,
  }
}

/**
 * The canonical contract: exact code length in bits per byte, exact byte table, all of FineWeb validation.
 *
 * Two fields that a definition cannot fix stay "not stated": precision and seeds belong to a run.
 */
export const canonicalContract = (): Contract => ({
  version: CONTRACT_VERSION,
  title: "Canonical bits per byte",
  description:
    "Exact negative log-likelihood of the whole FineWeb validation split in bits, divided by the bytes of its targets under the exact SentencePiece byte table.",
  quantity: "negative-log-likelihood",
  unit: "bits/byte",
  event: "every-target",
  bound: "exact",
  estimator: { kind: "autoregressive" },
  denominator: {
    kind: "byte-table",
    tokens: FINEWEB_SP1024.tokens,
    bytes: FINEWEB_SP1024.bytes,
    source: "parameter-golf manifest (tokens) and training logs (bytes)",
  },
  window: NOT_STATED,
  specials: { bos: CHARGED, eos: ABSENT, pad: ABSENT, mask: ABSENT },
  sideInformation: [],
  data: {
    dataset: FINEWEB_SP1024.dataset,
    split: FINEWEB_SP1024.split,
    slice: "all",
    coverage: 1,
    export: "62021846 tokens",
  },
  tokenizer: { id: "sp1024", digest: NOT_STATED },
  reduction: "ratio-of-sums",
  grader: "none",
  selection: "last-checkpoint",
  precision: NOT_STATED,
  seeds: NOT_STATED,
})
