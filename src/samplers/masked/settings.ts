/** What a set of texts is sampled with. */
import type { TokenRule } from "../../diffusion/categorical.js"
import type { NoiseSchedule } from "../../diffusion/schedule.js"

/**
 * - ancestral: the reverse chain of T steps; every masked token of a step is drawn on its own given the step's text.
 * - confidence: at each step a candidate is drawn at every masked position, and those to which the model gives the
 *   highest probability stay (low-confidence remasking; Chang et al., MaskGIT, 2022; Nie et al., LLaDA, 2025).
 *   Confidence is the untempered probability; ties go to the leftmost.
 * - left-to-right: one token at a time in reading order, which for a masked network is the order of the left-to-right
 *   evaluator and for a next-token network the only one.
 */
export type SamplerName = "ancestral" | "confidence" | "left-to-right"

export const SAMPLERS = ["ancestral", "confidence", "left-to-right"] as const satisfies readonly SamplerName[]

export interface SamplingSettings {
  readonly sampler: SamplerName
  /** Texts. */
  readonly count: number
  /** Tokens of each text, kept ones included. */
  readonly length: number
  /** Reverse steps of one text; left-to-right takes one for each token. */
  readonly steps: number
  readonly temperature: TokenRule["temperature"]
  readonly topP: TokenRule["topP"]
  /** Semi-autoregressive: blocks of this many tokens from left to right, each by the sampler; absent: one block. */
  readonly block?: number | undefined
  readonly seed: number
  /** Tokens that are kept: at the beginning, and at the end. */
  readonly prefix: readonly number[]
  readonly suffix: readonly number[]
  /**
   * false: a forward pass at every step of the ancestral chain, as in the textbook form, though one that reveals
   * nothing is never looked at. The texts are the same.
   */
  readonly cache: boolean
}

/** What the network and its training say about sampling from it. */
export interface SampledModel {
  readonly kind: "masked" | "causal"
  /** Tokens the network was trained on at once; no forward pass is longer. */
  readonly window: number
  readonly vocabSize: number
  readonly maskId: number
  readonly padId: number
  readonly boundaryId: number
  /** free: boundary tokens are given, never predicted, so none is drawn. */
  readonly boundary: "free" | "maskable"
  /** Noise levels of a masked network. */
  readonly schedule: NoiseSchedule
  /** A causal text ends at the boundary token: nothing but padding followed it in training. */
  readonly endsAtBoundary: boolean
}

/** Ids that are never drawn. */
export const bannedIds = ({ maskId, padId, boundaryId, boundary }: SampledModel): readonly number[] => [
  maskId,
  padId,
  ...(boundary === "free" ? [boundaryId] : []),
]

/** Settings that do not fit each other or the network; ends a command with exit code 2. */
export class SamplingError extends Error {
  readonly _tag = "SamplingError"
  override readonly name = "SamplingError"
  readonly exitCode = 2
}

const whole = (name: string, value: number, least: number): void => {
  if (!Number.isSafeInteger(value) || value < least)
    throw new SamplingError(`${name}: expected a whole number of at least ${least}, found ${value}.`)
}

/** @throws SamplingError naming the setting, what was found and what would do */
export const checkSettings = (settings: SamplingSettings, model: SampledModel): void => {
  const { sampler, count, length, steps, temperature, topP, block, seed, prefix, suffix } = settings
  whole("count", count, 1)
  whole("length", length, 1)
  whole("steps", steps, 1)
  whole("seed", seed, 0)
  if (block !== undefined) whole("block", block, 1)
  if (!Number.isFinite(temperature) || temperature < 0)
    throw new SamplingError(
      `temperature: expected a number of at least 0, found ${temperature}; 0 takes the most probable token.`,
    )
  if (!(topP > 0 && topP <= 1))
    throw new SamplingError(
      `top-p: expected a number above 0 and at most 1, found ${topP}; 1 keeps every token.`,
    )
  const kept = prefix.length + suffix.length
  if (kept >= length)
    throw new SamplingError(
      `the prompt takes ${kept} tokens and a text of ${length} leaves no room to generate; shorten the prompt or raise the length.`,
    )
  if (model.kind === "causal") {
    if (sampler !== "left-to-right" || block !== undefined)
      throw new SamplingError(
        `a next-token network samples left-to-right; leave out ${block === undefined ? `the sampler ${sampler}` : "the block"}.`,
      )
    if (suffix.length > 0)
      throw new SamplingError("a next-token network cannot see what follows; leave out the suffix.")
    return
  }
  const inBlocks = sampler === "left-to-right" || block !== undefined
  if (length > model.window) {
    if (!inBlocks)
      throw new SamplingError(
        `length: ${length} is more than the ${model.window} tokens the network was trained on; give a block, which lets the window slide, or a length of at most ${model.window}.`,
      )
    if (suffix.length > 0)
      throw new SamplingError(
        `length: with a suffix at most the ${model.window} tokens of one window, found ${length}.`,
      )
  }
  if (sampler === "left-to-right" && block !== undefined && block !== 1)
    throw new SamplingError("left-to-right takes one token at a time; leave out the block.")
  if (block !== undefined && length > model.window && block >= model.window)
    throw new SamplingError(
      `block: ${block} tokens leave no context in a window of ${model.window}; give fewer than ${model.window}.`,
    )
}
