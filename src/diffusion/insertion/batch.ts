/**
 * From token rows to noised states: one micro-batch of variable-length masked diffusion.
 *
 * The randomness of a row depends on (seed, step, micro-batch, row) alone: its time on the `time` stream at
 * (step, micro-batch), its hitting times on the `mask` stream at (step, micro-batch, row).
 */
import { uniforms, type Stream } from "../philox.js"
import { embeddingPosterior } from "./embeddings.js"
import { hittingTimes, type HittingRule } from "./hitting.js"
import { contentLength, interpolate, type EndSlot } from "./interpolant.js"
import { rowWeights, type WeightRule } from "./loss.js"
import { alphaAt, type JointSchedule } from "./schedule.js"
import { independentTimes, stratifiedTimes } from "./times.js"

/** A variable-length objective, as in a spec. */
export interface InsertionObjective {
  readonly schedules: JointSchedule
  readonly hitting?: HittingRule
  readonly times: "stratified" | "independent"
  readonly timeMin: number
  readonly timeMax: number
  /** hidden: of the noised sequence, as published. averaged: means over all embeddings of the state. */
  readonly targets: "hidden" | "averaged"
  readonly weight: WeightRule
  readonly weightCap?: number
  /** Positions of a row; canvas: its length with padding. */
  readonly divisor: "canvas" | number
  /** boundary: boundary tokens are never noised. */
  readonly fixed: "none" | "boundary"
}

export interface InsertionIds {
  readonly maskId: number
  readonly padId: number
  readonly boundaryId: number
}

export interface InsertionRows {
  /** [rows * length] tokens, each row filled up with PAD. */
  readonly tokens: Int32Array
  readonly length: number
  /** [rows * length]: 1 where a token is given. */
  readonly fixed?: Uint8Array
  /** [rows]: tokens before the padding, which may be the tokenizer's PAD or anything. */
  readonly lengths?: Int32Array
}

/** Tokens that a MASK may stand for, ascending, with their probabilities. */
export interface Soft {
  readonly tokens: ArrayLike<number>
  readonly probabilities: ArrayLike<number>
}

/** A noised row with its targets. Weights hold the divisor of the micro-batch. */
export interface InsertionState {
  /** Row of the micro-batch. */
  readonly row: number
  readonly t: number
  /** alpha(t) of the insertion schedule. */
  readonly insertionAlpha: number
  /** [n] x_t without padding. */
  readonly tokens: Int32Array
  /** Positions of its MASKs, ascending. */
  readonly masks: Int32Array
  /** One for each MASK. */
  readonly targets: readonly Soft[]
  /** [n + 1], or [n] with an EOS anchor: tokens missing before each token, and behind the last. */
  readonly gaps: ArrayLike<number>
  readonly unmaskWeight: number
  readonly insertWeight: number
}

/** A clean row: its tokens without padding, and which of them are given. */
export interface CleanRow {
  readonly tokens: Int32Array
  readonly fixed: (position: number) => boolean
}

/**
 * Row `r`. With an EOS anchor it ends with a given boundary token, which is put behind it where it has none.
 */
export const cleanRow = (
  { tokens, length, fixed, lengths }: InsertionRows,
  r: number,
  { padId, boundaryId }: InsertionIds,
  rule: InsertionObjective["fixed"],
  endSlot: EndSlot,
): CleanRow => {
  const own = tokens.subarray(r * length, (r + 1) * length)
  const content = own.subarray(0, lengths?.[r] ?? contentLength(own, padId))
  const given = (i: number): boolean =>
    fixed?.[r * length + i] === 1 || (rule === "boundary" && content[i] === boundaryId)
  const last = content.length - 1
  if (endSlot === "extra" || (last >= 0 && content[last] === boundaryId && given(last)))
    return { tokens: content, fixed: given }
  const anchored = new Int32Array(content.length + 1)
  anchored.set(content)
  anchored[content.length] = boundaryId
  return { tokens: anchored, fixed: (i) => i === content.length || given(i) }
}

/** Times of a micro-batch of `rows` rows. */
export const insertionTimes = (
  { times, timeMin, timeMax }: Pick<InsertionObjective, "times" | "timeMin" | "timeMax">,
  draws: ArrayLike<number>,
): Float64Array =>
  (times === "stratified" ? stratifiedTimes(draws, 0) : independentTimes(draws)).map(
    (t) => timeMin + (timeMax - timeMin) * t,
  )

/** The state of a clean row at time t, from two uniforms for each of its tokens. */
export const noisedRow = (
  { tokens, fixed }: CleanRow,
  t: number,
  draws: ArrayLike<number>,
  objective: Pick<InsertionObjective, "schedules" | "hitting" | "targets">,
  { padId, maskId }: Pick<InsertionIds, "padId" | "maskId">,
  endSlot: EndSlot,
): Pick<InsertionState, "tokens" | "masks" | "targets" | "gaps"> => {
  const rule = { rule: objective.hitting ?? "joint" }
  const state = interpolate(
    tokens,
    (i) => hittingTimes(objective.schedules, [draws[2 * i]!, draws[2 * i + 1]!], rule),
    t,
    { padId, maskId, endSlot, fixed },
  )
  const masks = Int32Array.from(state.tokens.keys()).filter((j) => state.tokens[j] === maskId)
  if (objective.targets === "hidden") {
    const targets = Array.from(masks, (j): Soft => ({
      tokens: [tokens[state.source[j]!]!],
      probabilities: [1],
    }))
    return { tokens: state.tokens, masks, targets, gaps: state.gaps }
  }
  const { gaps, targets } = embeddingPosterior(state.tokens, tokens, { maskId, fixed })
  return { tokens: state.tokens, masks, targets, gaps: gaps.subarray(0, state.gaps.length) }
}

/**
 * The states of a micro-batch, weighed as the objective says.
 *
 * @throws RangeError when a PAD stands within a row
 */
export const insertionBatch = (
  rows: InsertionRows,
  objective: InsertionObjective,
  ids: InsertionIds,
  endSlot: EndSlot,
  streams: { readonly time: Stream; readonly mask: Stream },
  { step, micro }: { readonly step: number; readonly micro: number },
): readonly InsertionState[] => {
  const { length, tokens } = rows
  const count = tokens.length / length
  const times = insertionTimes(objective, uniforms(streams.time, [step, micro], count))
  const divisor = count * (objective.divisor === "canvas" ? length : objective.divisor)
  const capped = (weight: number): number =>
    Math.min(weight, objective.weightCap ?? Number.POSITIVE_INFINITY) / divisor
  return Array.from(times, (t, row): InsertionState => {
    const clean = cleanRow(rows, row, ids, objective.fixed, endSlot)
    const draws = uniforms(streams.mask, [step, micro, row], 2 * clean.tokens.length)
    const weights = rowWeights(objective.schedules, t, objective.weight)
    return {
      row,
      t,
      insertionAlpha: alphaAt(objective.schedules.insertion, t),
      ...noisedRow(clean, t, draws, objective, ids, endSlot),
      unmaskWeight: capped(weights.unmask),
      insertWeight: capped(weights.insert),
    }
  })
}
