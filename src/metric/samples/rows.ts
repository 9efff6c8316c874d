/** What can be wrong with a sampled row whatever it says. */

export interface SampledRow {
  /** Canvas, PAD where nothing stands. */
  readonly row: ArrayLike<number>
  /** Tokens that were given, at the beginning and at the end, an EOS anchor included. */
  readonly given: number
}

export interface RowShares {
  readonly texts: number
  /** Nothing was generated. */
  readonly empty: number
  /** The canvas is full: the text may have been cut short. */
  readonly capped: number
  /** PAD stands before a token. */
  readonly broken: number
  /** A MASK was left. */
  readonly masked: number
}

/** Shares in [0, 1] of the rows; NaN for no rows. */
export const rowShares = (
  rows: readonly SampledRow[],
  { padId, maskId }: { readonly padId: number; readonly maskId: number },
): RowShares => {
  const share = (is: (tokens: readonly number[], given: number) => boolean): number =>
    rows.filter(({ row, given }) => is(Array.from(row), given)).length / rows.length
  const lengthOf = (tokens: readonly number[]): number => tokens.filter((token) => token !== padId).length
  return {
    texts: rows.length,
    empty: share((tokens, given) => lengthOf(tokens) <= given),
    capped: share((tokens) => lengthOf(tokens) === tokens.length),
    broken: share((tokens) => tokens.slice(0, lengthOf(tokens)).includes(padId)),
    masked: share((tokens) => tokens.includes(maskId)),
  }
}

/** Share of texts that equal their answers token by token. @throws RangeError where there is not an answer for each */
export const exactMatch = (
  texts: readonly ArrayLike<number>[],
  answers: readonly ArrayLike<number>[],
): number => {
  if (texts.length !== answers.length)
    throw new RangeError(`${texts.length} texts and ${answers.length} answers; give one for each`)
  const equal = texts.filter((text, i) => {
    const answer = answers[i]!
    return text.length === answer.length && Array.from(text).every((token, j) => token === answer[j])
  })
  return equal.length / texts.length
}

/** Share of texts for which `valid` holds. */
export const validShare = (
  texts: readonly ArrayLike<number>[],
  valid: (tokens: readonly number[]) => boolean,
): number => texts.filter((text) => valid(Array.from(text))).length / texts.length
