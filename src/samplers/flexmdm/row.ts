/**
 * A row that grows: tokens from the left of a canvas of L places, PAD behind them.
 *
 * Its first `prefix` and last `suffix` tokens are given. Nothing is inserted between or before given tokens of the
 * beginning, nor between or behind those of the end; directly after the prefix and directly before the suffix is open.
 * An EOS anchor is a suffix of one token.
 */

export interface RowRule {
  readonly padId: number
  readonly maskId: number
  readonly prefix: number
  readonly suffix: number
  /**
   * The suffix is an EOS anchor: masks behind it, which only the overflow policy `fill` makes, are revealed like others.
   * Otherwise it is text, and what stands in the last `suffix` places is never revealed.
   */
  readonly anchored: boolean
}

/** Tokens that are not PAD. The published samplers take this for the length wherever PAD stands. */
export const lengthOf = (row: Int32Array, padId: number): number =>
  row.reduce((n, token) => (token === padId ? n : n + 1), 0)

export interface StartingText {
  readonly prefix: readonly number[]
  /** Text after the gap, or the EOS anchor. */
  readonly suffix: readonly number[]
}

/**
 * The canvas that sampling begins with.
 *
 * @throws RangeError when the given tokens leave no room
 */
export const startingRow = ({ prefix, suffix }: StartingText, canvas: number, padId: number): Int32Array => {
  const given = prefix.length + suffix.length
  if (given >= canvas)
    throw new RangeError(
      `the given text takes ${given} of the ${canvas} places of the canvas and leaves no room to generate; shorten it or raise the canvas.`,
    )
  const row = new Int32Array(canvas).fill(padId)
  row.set([...prefix, ...suffix])
  return row
}

/** Whether a MASK may be inserted directly before token `slot` of n; slot n is after the last. */
export const isOpenSlot = ({ prefix, suffix }: RowRule, slot: number, n: number): boolean =>
  slot >= prefix && slot <= n - suffix

/** Positions of the masks that may be revealed, ascending. */
export const eligibleMasks = (row: Int32Array, rule: RowRule): readonly number[] => {
  const end = rule.anchored || rule.suffix === 0 ? row.length : lengthOf(row, rule.padId) - rule.suffix
  const masks: number[] = []
  for (let j = rule.prefix; j < end; j++) if (row[j] === rule.maskId) masks.push(j)
  return masks
}

/** The row with tokens written at positions. */
export const reveal = (
  row: Int32Array,
  positions: readonly number[],
  tokens: ArrayLike<number>,
): Int32Array => {
  const next = row.slice()
  positions.forEach((position, k) => (next[position] = tokens[k]!))
  return next
}
