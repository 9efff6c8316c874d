/**
 * Rows of a prompt and a target that end with an anchor, as xlm-core's collators build them (dhruvdcoder/xlm-core
 * 51c7813, xlm-models/flexmdm/datamodule_flexmdm.py 595-841).
 */

export interface RowParts {
  /** Absent: unconditional, and no separator is written. */
  readonly prompt?: ArrayLike<number>
  readonly target: ArrayLike<number>
}

export interface RowShape {
  /** Tokens of a row. */
  readonly width: number
  /** Written between prompt and target, and given with the prompt (`add_bos`); nothing when absent. */
  readonly separatorId?: number
  /** Ends every row and is never noised; absence of tokens is PAD, so the two differ. */
  readonly endId?: number
  readonly padId: number
}

export interface CollatedRow {
  /** [width] */
  readonly tokens: Int32Array
  /** [width]: 1 where a token is given. */
  readonly fixed: Uint8Array
  /** Tokens before the padding. */
  readonly length: number
  /** Tokens of prompt, separator and target that did not fit. */
  readonly cut: number
}

const given = ({ prompt }: RowParts, { separatorId }: RowShape): readonly number[] =>
  prompt === undefined ? [] : [...Array.from(prompt), ...(separatorId === undefined ? [] : [separatorId])]

const ended = (
  tokens: readonly number[],
  fixedTokens: number,
  endFixed: 0 | 1,
  { width, endId, padId }: RowShape,
): CollatedRow => {
  if (endId === padId)
    throw new RangeError(
      `the end token and PAD have one id, ${padId}: the end anchors each row and PAD is absence; add a piece for padding, such as <|pad|>, and give its id`,
    )
  if (!(width >= 1)) throw new RangeError(`a row needs room for its end, found a width of ${width}`)
  const room = endId === undefined ? width : width - 1
  const kept = Math.min(tokens.length, room)
  const row = new Int32Array(width).fill(padId)
  const fixed = new Uint8Array(width)
  row.set(tokens.slice(0, kept))
  fixed.fill(1, 0, Math.min(fixedTokens, kept))
  if (endId !== undefined) {
    row[kept] = endId
    fixed[kept] = endFixed
  }
  return {
    tokens: row,
    fixed,
    length: kept + (endId === undefined ? 0 : 1),
    cut: tokens.length - kept,
  }
}

/**
 * prompt ⊕ [separator] ⊕ target, cut to leave room, ⊕ end ⊕ PAD; given are prompt, separator and end. A row that was
 * cut looks like a finished one, as published: `cut` says so.
 */
export const trainingRow = (parts: RowParts, shape: RowShape): CollatedRow => {
  const fixed = given(parts, shape)
  return ended([...fixed, ...Array.from(parts.target)], fixed.length, 1, shape)
}

/**
 * What a sampler starts from: prompt ⊕ [separator] ⊕ end ⊕ PAD. The end is not marked as given, as published: samplers
 * protect its id.
 */
export const predictionRow = (parts: Pick<RowParts, "prompt">, shape: RowShape): CollatedRow => {
  const fixed = given({ ...parts, target: [] }, shape)
  return ended(fixed, fixed.length, 0, shape)
}

/** target ⊕ end ⊕ PAD: what a prediction is compared with. @throws RangeError where it is wider than a row, as published */
export const targetRow = (target: ArrayLike<number>, shape: RowShape): Int32Array => {
  const { tokens, cut } = ended(Array.from(target), 0, 0, shape)
  if (cut > 0)
    throw new RangeError(
      `a target of ${target.length} tokens and its end do not fit a row of ${shape.width}; widen data.batching.length`,
    )
  return tokens
}
