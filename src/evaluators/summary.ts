/** What evaluations measured, summed from their evidence: the input of the results table. */
import type { TextAccount } from "../metric/bytes/text-account.js"
import type { ContractContext } from "../metric/contract/builders.js"
import type { Contract } from "../metric/contract/contract.js"
import type { LeftOut, Windows } from "../spec/windows.js"

/** Sums over one window. */
export interface WindowSums {
  readonly bits: number
  readonly bytes: number
  readonly tokens: number
  /** Bits of a code for the window's boundary positions, where the model gets them free; not part of `bits`. */
  readonly boundaryBits?: number
}

export interface ScoredShare {
  /** Targets, each once. */
  readonly targets: number
  /** Tokens of the split. */
  readonly split: number
  /** What the rule that cuts windows can never score; absent in evidence of earlier versions. */
  readonly leftOut?: LeftOut
}

/** An evaluation as far as tables look at it; its kind's own fields are its part's to read. */
export interface Evaluated {
  readonly kind: string
  readonly [field: string]: unknown
}

export interface EvaluatedWindows extends Evaluated {
  readonly windows: Windows
}

/** Code lengths of windows of text, or bounds on them. */
export interface EvaluationSummary {
  readonly evaluationId: string
  readonly evaluation: EvaluatedWindows
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
  /** Bytes of the tokens, as far as the tokens say them. */
  readonly bytes: number
  /** What may be said of the bytes; absent where the evidence does not say how text became pieces. */
  readonly text?: TextAccount
  /** Which part of the split the targets are. */
  readonly scored?: ScoredShare
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

/** One figure over items: an accuracy, a pass rate, an entropy of samples. */
export interface ItemFigure {
  /** Of its row: `EVALUATION/NAME`. */
  readonly name: string
  readonly label: string
  readonly contract: Contract
  readonly value: number | null
  readonly interval: {
    readonly low: number
    readonly high: number
    readonly level: number
    readonly method: string
  } | null
  readonly notes: readonly string[]
  /** Its rule is a published one, which is not ours. */
  readonly published?: true
}

/** Figures over samples or items of a task; several evaluators and graders may read one evidence. */
export interface ItemSummary {
  readonly evaluationId: string
  readonly evaluation: Evaluated
  /** What one item is, such as "sample", and how many there are. */
  readonly item: string
  readonly items: number
  readonly figures: readonly ItemFigure[]
  /** Of texts that are set beside rows of the data: lengths of both, in tokens. */
  readonly lengths?: { readonly texts: readonly number[]; readonly data: readonly number[] }
  readonly forwards?: number
  readonly seconds?: number
  /** Most accelerator memory that tensors took; null on a CPU; absent where it was not asked for. */
  readonly acceleratorBytes?: number | null
}

export type Summary = EvaluationSummary | ItemSummary

export const isCodeLength = (summary: Summary): summary is EvaluationSummary => "perWindow" in summary
