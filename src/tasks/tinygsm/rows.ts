/**
 * Sequence-to-sequence rows with an EOS anchor, as the STAR collators of xlm-core make them (datamodule_flexmdm.py at
 * 51c7813) and TinyGSM uses them. All ids are int32; rows are `width` long.
 */

export interface RowIds {
  readonly pad: number
  readonly eos: number
  /** Written between prompt and target; TinyGSM has none. */
  readonly bos?: number
}

export interface TrainingRow {
  readonly tokens: Int32Array
  /** 1 where the token is given and never noised: prompt, BOS and EOS. */
  readonly fixed: Uint8Array
  /** Tokens that did not fit: the row ends with a real-looking EOS all the same. */
  readonly cut: number
}

export interface PredictionRow {
  /** prompt, BOS, EOS, padding */
  readonly tokens: Int32Array
  /** 1 on prompt and BOS. */
  readonly fixed: Uint8Array
  /** target, EOS, padding */
  readonly target: Int32Array
  /** Tokens of prompt and BOS that did not fit. */
  readonly cut: number
}

/** What makes the anchor vanish: with one id, absence and the end of the text are the same. */
export const padConflict = ({ pad, eos }: RowIds): string | undefined =>
  pad === eos
    ? `the padding token and the end-of-text token are both ${eos}: with an anchor at the end they must differ. Give the tokenizer a padding token of its own, such as <|pad|>.`
    : undefined

const requireDistinct = (ids: RowIds): void => {
  const conflict = padConflict(ids)
  if (conflict !== undefined) throw new RangeError(conflict)
}

const given = (prompt: ArrayLike<number>, { bos }: RowIds): number[] => [
  ...Array.from(prompt),
  ...(bos === undefined ? [] : [bos]),
]

/**
 * prompt, BOS, target, EOS, padding; the joint row is cut at width - 1 and closed by EOS.
 * @throws RangeError when padding and EOS are one id, or nothing fits
 */
export const trainingRow = (
  prompt: ArrayLike<number>,
  target: ArrayLike<number>,
  width: number,
  ids: RowIds,
): TrainingRow => {
  requireDistinct(ids)
  if (!(width >= 1)) throw new RangeError(`a row needs room for EOS, found a width of ${width}`)
  const head = given(prompt, ids)
  const whole = [...head, ...Array.from(target)]
  const kept = whole.slice(0, width - 1)
  const tokens = new Int32Array(width).fill(ids.pad)
  const fixed = new Uint8Array(width)
  tokens.set(kept)
  tokens[kept.length] = ids.eos
  fixed.fill(1, 0, Math.min(head.length, kept.length))
  fixed[kept.length] = 1
  return { tokens, fixed, cut: whole.length - kept.length }
}

/**
 * What sampling begins with, and what it should end with. A prompt is cut as a training row is; a target that does not
 * fit is refused, where the published collator raises too.
 * @throws RangeError
 */
export const predictionRow = (
  prompt: ArrayLike<number>,
  target: ArrayLike<number>,
  width: number,
  ids: RowIds,
): PredictionRow => {
  requireDistinct(ids)
  const head = given(prompt, ids)
  if (!(width >= 1)) throw new RangeError(`a row needs room for EOS, found a width of ${width}`)
  if (target.length + 1 > width)
    throw new RangeError(`a target of ${target.length} tokens and EOS do not fit a row of ${width}`)
  const tokens = new Int32Array(width).fill(ids.pad)
  const kept = head.slice(0, width - 1)
  const fixed = new Uint8Array(width).fill(1, 0, kept.length)
  tokens.set(kept)
  tokens[kept.length] = ids.eos
  const wanted = new Int32Array(width).fill(ids.pad)
  wanted.set(Array.from(target))
  wanted[target.length] = ids.eos
  return { tokens, fixed, target: wanted, cut: head.length - kept.length }
}
