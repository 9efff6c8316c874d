/** What every evaluation of a masked model shares: which tokens may be masked, the noise level, rows in groups. */
import { isMaskable, maskablePositions, type MaskRule } from "../diffusion/corrupt.js"
import { uniforms, type Site, type Stream } from "../diffusion/philox.js"
import { sigmaOfVisible, type NoiseSchedule } from "../diffusion/schedule.js"
import type { Scorer, ScoreRow } from "./scorer.js"
import type { ScoredWindows } from "./windows.js"

/** What an evaluation of a masked model is told. */
export interface MaskedOptions {
  readonly schedule: NoiseSchedule
  readonly rule: MaskRule
  /** The token that is coded behind a text, as its end. */
  readonly textEnd?: number
  readonly onProgress?: (rowsDone: number) => void
}

/**
 * The noise level of a sequence with `masked` of its `maskable` tokens masked: that of the visible share
 * 1 - masked / (maskable + 1), which is inside (0, 1] for every count, clipped to [eps, 1]. Any level that depends on
 * the mask alone gives a valid code; this is the mean share of a mask rate given its count.
 */
export const sigmaOfMasked = (schedule: NoiseSchedule, masked: number, maskable: number): number =>
  sigmaOfVisible(schedule, 1 - masked / (maskable + 1))

/** The tokens of window `w`, a view. */
export const windowRow = ({ tokens, length }: ScoredWindows, w: number): Int32Array =>
  tokens.subarray(w * length, (w + 1) * length)

/** A row as a network is given it, and which of its positions take part in the diffusion. */
export interface CodedRow {
  readonly tokens: Int32Array
  readonly free: (position: number) => boolean
}

/**
 * Window `w` as rows of training are: prompts are given, and where a text's end is learned, `textEnd` fills what is behind
 * it and is coded like any other token, so that the code says the length too.
 */
export const codedRow = (
  windows: ScoredWindows,
  w: number,
  rule: MaskRule,
  textEnd: number | undefined,
): CodedRow => {
  const { length, rows } = windows
  const row = windowRow(windows, w)
  const given = (position: number): boolean => rows?.fixed[w * length + position] === 1
  if (textEnd === undefined)
    return { tokens: row, free: (position) => isMaskable(rule, row[position]!) && !given(position) }
  const content = rows?.lengths[w] ?? 1 + row.findLastIndex((token) => token !== rule.padId)
  const tokens = row.slice().fill(textEnd, content)
  return { tokens, free: (position) => position >= content || !given(position) }
}

/** Maskable positions of every window, ascending. */
export const maskableOf = (windows: ScoredWindows, rule: MaskRule): readonly (readonly number[])[] =>
  Array.from({ length: windows.count }, (_, w) => maskablePositions(rule, windowRow(windows, w)))

/** Number of maskable tokens in all windows. */
export const countMaskable = (windows: ScoredWindows, rule: MaskRule): number =>
  windows.tokens.reduce((n, token) => n + (isMaskable(rule, token) ? 1 : 0), 0)

/** A uniform choice among the orders of `positions`: sorted by independent uniforms, which do not depend on the text. */
export const randomOrder = (positions: readonly number[], source: Stream, site: Site): readonly number[] => {
  const last = positions[positions.length - 1]
  if (last === undefined) return []
  const keys = uniforms(source, site, last + 1)
  return positions.toSorted((a, b) => keys[a]! - keys[b]! || a - b)
}

/** A row with the given positions masked and the given columns, ascending, scored. */
export const maskedRow = (
  tokens: Int32Array,
  masked: Iterable<number>,
  columns: readonly number[],
  sigma: number,
  { maskId }: MaskRule,
): ScoreRow => {
  const inputIds = tokens.slice()
  for (const position of masked) inputIds[position] = maskId
  return {
    inputIds,
    sigma,
    columns: Int32Array.from(columns),
    targets: Int32Array.from(columns, (column) => tokens[column]!),
  }
}

export const total = (values: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]!
  return sum
}

/** Rows drawn and scored together; bounds the memory and gives the packing something to pair. */
const ROWS_AT_ONCE = 2048

/** Scores rows as they are made, some at a time, and hands over each row's nats in order. */
export const scoreRows = async (
  scorer: Scorer,
  rows: Iterable<ScoreRow>,
  take: (index: number, nats: Float32Array, row: ScoreRow) => void,
  onProgress?: (rowsDone: number) => void,
): Promise<void> => {
  let done = 0
  const flush = async (group: readonly ScoreRow[]): Promise<void> => {
    let passed = done
    const scored = await scorer.score(group, (n) => onProgress?.((passed += n)))
    scored.forEach((nats, i) => take(done + i, nats, group[i]!))
    done += group.length
    onProgress?.(done)
  }
  let group: ScoreRow[] = []
  for (const row of rows) {
    group.push(row)
    if (group.length === ROWS_AT_ONCE) {
      await flush(group)
      group = []
    }
  }
  if (group.length > 0) await flush(group)
}
