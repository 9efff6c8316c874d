/** What a language model's evaluations and floors measured, as sums: the input of the results table. */
import type { ContractContext, EvaluationShape } from "../metric/contract/builders.js"
import type { LeftOut } from "../inference/windows.js"
import type { TextAccount } from "../metric/bytes/text-account.js"
import type { FloorSummary } from "../run/floor-summary.js"
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

export interface ScoredShare {
  /** Targets, each once. */
  readonly targets: number
  /** Tokens of the split. */
  readonly split: number
  /** What the rule that cuts windows can never score; absent in evidence of earlier versions. */
  readonly leftOut?: LeftOut
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

/** Whether bits per byte may be stated of an evaluation. */
export const isCountable = ({ text }: Pick<EvaluationSummary, "text">): boolean => text?.standing !== "none"

/** Interval of sum(bits) / sum(denominator) over windows. */
export type RatioInterval = (
  pairs: readonly { readonly numerator: number; readonly denominator: number }[],
) => Interval | null

/** The floors of the first set of targets; all of them where nothing is said about targets. */
export const firstFloors = (floors: readonly FloorSummary[]): readonly FloorSummary[] => {
  const first = floors[0]?.targets?.evaluations[0]
  return floors.filter(({ targets }) => targets?.evaluations[0] === first)
}

/**
 * The floors of the very targets that an evaluation scored; undefined where the run does not have them. The bounds of
 * fewer samples of an importance-weighted evaluation (`ID.k4`) are of its targets.
 */
export const floorsOf = (
  floors: readonly FloorSummary[],
  evaluationId: string | undefined,
): readonly FloorSummary[] | undefined => {
  if (evaluationId === undefined) return undefined
  const names = [evaluationId, evaluationId.replace(/\.k\d+$/, "")]
  const own = floors.filter(({ targets }) => targets?.evaluations.some((id) => names.includes(id)) === true)
  return own.length === 0 ? undefined : own
}
