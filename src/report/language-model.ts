/** What a language model's evaluations and floors measured, as sums: the input of the results table. */
import type { ContractContext, EvaluationShape } from "../metric/contract-builders.js"
import type { Interval } from "./table.js"

/** Sums over one window. */
export interface WindowSums {
  readonly bits: number
  readonly bytes: number
  readonly tokens: number
  /** Bits of a code for the window's boundary positions, where the model gets them free; not part of `bits`. */
  readonly boundaryBits?: number
}

/** What one evaluation measured, summed from its evidence. */
export interface EvaluationSummary {
  readonly evaluationId: string
  readonly evaluation: EvaluationShape
  /** Data, tokenizer, boundary rule and so on; unit and denominator are filled in row by row. */
  readonly context: Omit<ContractContext, "unit" | "denominator">
  /** Bits over all windows, terminal term included. */
  readonly bits: number
  /** The part of `bits` that is the prior term of the chain; 0 where there is none. */
  readonly terminalBits: number
  /** Tokens of the windows, boundary tokens included. */
  readonly tokens: number
  /** Those that may be masked. */
  readonly maskableTokens: number
  /** Bytes of the tokens under the exact byte table. */
  readonly bytes: number
  readonly perWindow: readonly WindowSums[]
  readonly boundaryTokens: number
  /** Bits of a code for the boundary positions; null when not computed. */
  readonly boundaryBits: number | null
  /** Variance of `bits` over mask draws alone, in bits squared; absent with fewer than two draws. */
  readonly monteCarloVariance?: number
  /** Where the network chose the order: the choices it made, and how many were ties; `nats` is the most a tie leads by. */
  readonly ties?: { readonly count: number; readonly choices: number; readonly nats: number | null }
  /** Sequences that went through the network, and the seconds it took. */
  readonly forwards?: number
  readonly seconds?: number
}

/** A sanity floor on the same tokens. */
export interface FloorSummary {
  /** uniform, unigram, bigram, trigram, xz */
  readonly id: string
  readonly label: string
  /** null: not defined (a byte compressor) or not computed. */
  readonly bitsPerToken: number | null
  readonly bitsPerByte: number | null
  /** Why a value is missing, or how it was computed. */
  readonly notes?: readonly string[]
}

/** Interval of sum(bits) / sum(denominator) over windows. */
export type RatioInterval = (
  pairs: readonly { readonly numerator: number; readonly denominator: number }[],
) => Interval | null
