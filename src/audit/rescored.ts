/** A published number, and what re-scoring makes of it. */
import type { Measured } from "../metric/contract/bound.js"
import type { Contract } from "../metric/contract/contract.js"
import type { DefinitionId } from "../metric/contract/registry.js"
import type { Unit } from "../metric/contract/units.js"
import type { Mark } from "../spec/findings-facts.js"
import type { Assumption } from "./rescore-assumptions.js"

export interface ClaimNumber {
  readonly id: string
  readonly printed: string
  readonly value: number
  readonly halfWidth?: number | undefined
  /** The value is a double as a program wrote it: its digits hide no rounding. */
  readonly exact?: boolean | undefined
  /** Standard error that the source states, in the value's unit. */
  readonly standardError?: number | undefined
  /** stated when absent; a value computed here from a figure or from stored generations is not the source's own. */
  readonly mark?: Mark | undefined
  readonly contract: Contract
}

/** Bytes per token of a sample of windows: how much a short slice may differ from the split. */
export interface RatioSample {
  readonly windowTokens: number
  readonly standardDeviation: number
}

export interface Derivation {
  readonly formula: string
  readonly result: number
  readonly unit: Unit
}

export interface Rescored {
  readonly definition: DefinitionId
  /** rescored: another number. unchanged: the claim already is of this definition's unit. */
  readonly status: "rescored" | "unchanged" | "not-possible"
  readonly number?: Measured<Unit>
  /** The way there, step by step. */
  readonly derivation: readonly Derivation[]
  readonly assumptions: readonly Assumption[]
  /** Amounts that the definition would add, each at most this much. */
  readonly charges: readonly {
    readonly name: string
    readonly atMost: number
    readonly unit: Unit
    readonly formula: string
  }[]
  /** Why there is no number, or what is left open. */
  readonly reason: string
}
