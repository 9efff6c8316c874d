/**
 * Between a sampler and a network: a pass over a batch of states, and then the work that is as wide as the vocabulary,
 * asked for only at the positions that change. An executor answers without sending a distribution to the host.
 */
import type { ChoiceRule } from "./choice.js"
import type { Confidence } from "./confidence.js"

/** A position of one row of the pass. */
export interface Place {
  readonly row: number
  readonly position: number
}

export interface TokenDraw extends Place {
  /** In [0, 1), inverting the cumulative distribution in order of ids. */
  readonly uniform: number
}

export interface DrawnTokens {
  readonly tokens: Int32Array
  /** Untempered probability of each among the ids that are not banned. */
  readonly probabilities: Float64Array
}

/** What confidence is measured on: the softmax of the logits, or, as published for small models, of the rates. */
export type Ranking = { readonly of: "logits" } | { readonly of: "rates"; readonly hazard: number }

export interface TokenPass {
  draw(at: readonly TokenDraw[], rule: ChoiceRule): Promise<DrawnTokens>
  /** @param banned ids left out of the distribution */
  confidence(
    at: readonly Place[],
    kind: Confidence,
    ranking: Ranking,
    banned: readonly number[],
  ): Promise<Float64Array>
  /** Probability of one id over the whole vocabulary. */
  probability(at: readonly Place[], id: number): Promise<Float64Array>
}

/** A state without padding, and its time. */
export interface TimedState {
  readonly tokens: Int32Array
  readonly t: number
}

export interface FlexPass extends TokenPass {
  /** For each row [n + 1], or [n] with an EOS anchor: expected number of missing tokens in each slot. */
  readonly gaps: readonly ArrayLike<number>[]
}

export interface FlexForward {
  forward(states: readonly TimedState[]): Promise<FlexPass>
}

/** Classifier-free guidance: uncond + (scale + 1)(cond - uncond), where the unconditional row has its prompt masked. */
export interface Guidance {
  readonly scale: number
  readonly unconditional: readonly Int32Array[]
}

/** One step of LLaDA's sampler at the block that begins at `from`. */
export interface BlockStep {
  readonly from: number
  /** Candidates that stay. */
  readonly count: number
  /** By row, for each position of the block: what a draw inverts, at a temperature above 0. */
  readonly uniforms?: readonly ArrayLike<number>[]
  /** By row, for each position of the block: larger stays, where any candidate may; whole numbers. */
  readonly ranks?: readonly ArrayLike<number>[]
}

/** What is the same in all of its steps. */
export interface BlockRule {
  readonly maskId: number
  readonly choice: ChoiceRule
  readonly remasking: "low_confidence" | "random"
}

/** The rows, all of one length, after some steps. */
export type BlockSteps = (
  rows: readonly Int32Array[],
  steps: readonly BlockStep[],
  rule: BlockRule,
) => Promise<readonly Int32Array[]>

export interface MaskedForward {
  forward(rows: readonly Int32Array[], guidance?: Guidance): Promise<TokenPass>
  /**
   * What makes many steps without a word from here in between, for so many rows of a length and blocks of a length;
   * undefined, or absent, where each step is asked for.
   */
  steps?(rows: number, length: number, block: number): BlockSteps | undefined
}
