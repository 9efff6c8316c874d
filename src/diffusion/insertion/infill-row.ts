/** Rows of the 8B infilling task: prefix, boundary, middle, boundary, suffix; all but the middle is fixed. */

export interface InfillRow {
  readonly tokens: Int32Array
  readonly fixed: Uint8Array
  /** The middle is [start, end) of the row. */
  readonly start: number
  readonly end: number
}

/**
 * Cut points p = floor(cut + u1 (n - 2 - cut)) and s = floor(p + 1 + u2 (n - p - 1)), so that the middle [p, s) and the
 * suffix [s, n) hold at least one token each.
 *
 * @param tokens [n] without padding
 * @param cut length of the instruction, which is never cut
 * @param boundary ids that mark the gap
 * @param width of a row
 * @throws RangeError where the published code would go on with a wrong row: no room to cut, or a row wider than `width`
 */
export const infillRow = (
  tokens: ArrayLike<number>,
  cut: number,
  [u1, u2]: readonly [number, number],
  {
    boundary,
    width,
    padId,
  }: { readonly boundary: readonly number[]; readonly width: number; readonly padId: number },
): InfillRow => {
  const n = tokens.length
  if (cut > n - 2)
    throw new RangeError(
      `an instruction of ${cut} tokens in ${n} leaves no middle and suffix; at least 2 must follow it`,
    )
  const needed = n + 2 * boundary.length
  if (needed > width)
    throw new RangeError(`a row of ${n} tokens needs ${needed} places with its boundaries, and has ${width}`)
  // Whole numbers are added after the floor: added before, they round the largest uniforms up to the end of the row.
  const p = cut + Math.floor(u1 * (n - 2 - cut))
  const s = p + 1 + Math.floor(u2 * (n - p - 1))
  const all = Array.from(tokens)
  const row = [...all.slice(0, p), ...boundary, ...all.slice(p, s), ...boundary, ...all.slice(s)]
  const start = p + boundary.length
  const end = start + s - p
  const padded = new Int32Array(width).fill(padId)
  padded.set(row)
  const fixed = new Uint8Array(width)
  fixed.fill(1, 0, row.length).fill(0, start, end)
  return { tokens: padded, fixed, start, end }
}

/** What a row in which the middle comes last is written with, besides the text: ids. */
export interface MiddleLast {
  /** Before everything. */
  readonly instruction: readonly number[]
  /** Around the text before the gap. */
  readonly prefix: readonly [open: readonly number[], close: readonly number[]]
  /** Around the text behind it. */
  readonly suffix: readonly [open: readonly number[], close: readonly number[]]
}

/**
 * The same task for a model that writes after its prompt: instruction, prefix and suffix between their marks, then the
 * middle (brianlck/FlexMDM scaling_flexmdm/llada_trainer.py). Cut points p = floor(cut + u1 (n - cut)) and
 * s = floor(p + 1 + u2 (n - p - 1)): the suffix may be empty. All but the middle is fixed.
 *
 * @param tokens [n] without padding
 * @param cut length of the instruction in the text, which is never cut
 * @throws RangeError where nothing follows the instruction, or a row is wider than `width`
 */
export const middleLastRow = (
  tokens: ArrayLike<number>,
  cut: number,
  [u1, u2]: readonly [number, number],
  {
    instruction,
    prefix,
    suffix,
    width,
    padId,
  }: MiddleLast & { readonly width: number; readonly padId: number },
): InfillRow => {
  const n = tokens.length
  if (cut > n - 1) throw new RangeError(`an instruction of ${cut} tokens in ${n} leaves no middle`)
  const p = cut + Math.floor(u1 * (n - cut))
  const s = p + 1 + Math.floor(u2 * (n - p - 1))
  const all = Array.from(tokens)
  const given = [
    ...instruction,
    ...prefix[0],
    ...all.slice(0, p),
    ...prefix[1],
    ...suffix[0],
    ...all.slice(s),
    ...suffix[1],
  ]
  const end = given.length + s - p
  if (end > width)
    throw new RangeError(`a row of ${n} tokens needs ${end} places with its marks, and has ${width}`)
  const row = new Int32Array(width).fill(padId)
  row.set([...given, ...all.slice(p, s)])
  return { tokens: row, fixed: new Uint8Array(width).fill(1, 0, given.length), start: given.length, end }
}
