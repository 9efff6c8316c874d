/** What a language model's evaluations and floors measured, as sums: the input of the results table. */
import type { ContractContext, EvaluationShape } from "../metric/contract-builders.js"
import type { Interval } from "./table.js"

export type { FloorSummary } from "../run/floor-summary.js"

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
  /** Sequences that went through the network, and the seconds it took. */
  readonly forwards?: number
  readonly seconds?: number
}

/** Interval of sum(bits) / sum(denominator) over windows. */
export type RatioInterval = (
  pairs: readonly { readonly numerator: number; readonly denominator: number }[],
) => Interval | null
