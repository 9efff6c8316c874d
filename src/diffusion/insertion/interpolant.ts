/**
 * The joint interpolant: a clean sequence x1 and the times of its tokens give the state x_t, the index of each
 * surviving token in x1, and the number of tokens missing in each slot.
 *
 * PAD is absence: it stands after the sequence alone, is never noised and never a target. MASK is a token that is there
 * and whose value is not known yet.
 */
import type { HittingTimes } from "./hitting.js"

/**
 * - extra: slots before each surviving token and one after the last, n + 1 of them (brianlck/FlexMDM).
 * - eos-anchor: a closing EOS is never noised, so the slot before it is that after the last token: n slots (xlm-core).
 */
export type EndSlot = "extra" | "eos-anchor"

export interface InterpolantIds {
  readonly padId: number
  readonly maskId: number
}

export type TokenState = "absent" | "masked" | "clean"

/** Both bounds belong to the later state: present from T1 on, clean from T2 on. */
export const tokenState = ({ insertion, unmasking }: HittingTimes, t: number): TokenState =>
  t < insertion ? "absent" : t < unmasking ? "masked" : "clean"

export interface Interpolant {
  /** [n] x_t without padding. */
  readonly tokens: Int32Array
  /** [n] index in x1 of each token. */
  readonly source: Int32Array
  /** [n + 1] or, with an EOS anchor, [n]: tokens of x1 missing directly before each token, and after the last. */
  readonly gaps: Int32Array
}

/** The rows of a corpus must keep these; a PAD within a row would be taken for its end. */
export const paddingProblem = (x1: ArrayLike<number>, padId: number): string | undefined => {
  const length = contentLength(x1, padId)
  for (let i = 0; i < length; i++)
    if (x1[i] === padId)
      return `the padding token ${padId} stands at position ${i} of a row of ${length} tokens; PAD means that there is no token, so give the tokenizer a padding token of its own.`
  return undefined
}

/** Tokens up to the last that is not PAD. */
export const contentLength = (row: ArrayLike<number>, padId: number): number => {
  let length = row.length
  while (length > 0 && row[length - 1] === padId) length--
  return length
}

/** Number of slots of a state of n tokens. */
export const slotCount = (endSlot: EndSlot, n: number): number => (endSlot === "extra" ? n + 1 : n)

/**
 * Missing tokens per slot, from the indices of those that survive.
 *
 * @param source [n] ascending indices in x1
 * @param length tokens of x1
 */
export const gapsOf = (source: ArrayLike<number>, length: number, endSlot: EndSlot): Int32Array => {
  const n = source.length
  const gaps = new Int32Array(slotCount(endSlot, n))
  for (let j = 0; j < gaps.length; j++)
    gaps[j] = (j < n ? source[j]! : length) - (j > 0 ? source[j - 1]! : -1) - 1
  return gaps
}

/**
 * x_t of one row.
 *
 * @param x1 tokens, filled up with PAD
 * @param fixed positions that are never noised: prompt, text around a gap, the EOS anchor
 * @throws RangeError when a PAD stands within the row, or an EOS anchor is not fixed
 */
export const interpolate = (
  x1: ArrayLike<number>,
  times: (position: number) => HittingTimes,
  t: number,
  {
    padId,
    maskId,
    endSlot,
    fixed = () => false,
  }: InterpolantIds & { readonly endSlot: EndSlot; readonly fixed?: (position: number) => boolean },
): Interpolant => {
  const problem = paddingProblem(x1, padId)
  if (problem !== undefined) throw new RangeError(problem)
  const length = contentLength(x1, padId)
  if (endSlot === "eos-anchor" && length > 0 && !fixed(length - 1))
    throw new RangeError("with an EOS anchor the last token of a row is fixed")
  const tokens: number[] = []
  const source: number[] = []
  for (let i = 0; i < length; i++) {
    const state = fixed(i) ? "clean" : tokenState(times(i), t)
    if (state === "absent") continue
    tokens.push(state === "masked" ? maskId : x1[i]!)
    source.push(i)
  }
  return {
    tokens: Int32Array.from(tokens),
    source: Int32Array.from(source),
    gaps: gapsOf(source, length, endSlot),
  }
}

/** A row as the published code lays it out: padded to L, with masks of what is valid. */
export interface PaddedInterpolant {
  readonly tokens: Int32Array
  /** 0 at padding. */
  readonly source: Int32Array
  /** [L + 1], or [L] with an EOS anchor; 0 beyond the last slot. */
  readonly gaps: Int32Array
  readonly gapValid: Uint8Array
  /** Token of x1 at `source`. */
  readonly targets: Int32Array
}

const padded = <T extends Int32Array | Uint8Array>(to: T, from: ArrayLike<number>): T => {
  to.set(from)
  return to
}

export const padInterpolant = (
  { tokens, source, gaps }: Interpolant,
  x1: ArrayLike<number>,
  { padId, endSlot }: { readonly padId: number; readonly endSlot: EndSlot },
): PaddedInterpolant => {
  const length = x1.length
  const index = padded(new Int32Array(length), source)
  const slots = slotCount(endSlot, length)
  return {
    tokens: padded(new Int32Array(length).fill(padId), tokens),
    source: index,
    gaps: padded(new Int32Array(slots), gaps),
    gapValid: padded(new Uint8Array(slots), new Uint8Array(gaps.length).fill(1)),
    targets: index.map((i) => x1[i]!),
  }
}
