/**
 * Long documents cut recursively, as published (brianlck/FlexMDM 99eb7b7): a piece longer than a row is cut at the
 * delimiter closest to its middle, which is dropped; without one it is cut into pieces of a row each.
 */

/** Where a piece lies in the document: [start, end). */
export type Piece = readonly [start: number, end: number]

const matches = (tokens: ArrayLike<number>, at: number, delimiter: readonly number[]): boolean =>
  delimiter.every((id, k) => tokens[at + k] === id)

/** Start of the delimiter closest to the middle of [start, end), the earlier of two; -1 without one. */
const nearestDelimiter = (
  tokens: ArrayLike<number>,
  [start, end]: Piece,
  delimiter: readonly number[],
): number => {
  const middle = start + Math.floor((end - start) / 2)
  const last = end - delimiter.length
  const fits = (at: number): boolean => at >= start && at <= last && matches(tokens, at, delimiter)
  for (let away = 0; away <= end - start; away++) {
    if (fits(middle - away)) return middle - away
    if (fits(middle + away)) return middle + away
  }
  return -1
}

/** Pieces of [start, end) of at most `length` tokens, in order; empty ones are left out. */
export const splitDocument = (
  tokens: ArrayLike<number>,
  [start, end]: Piece,
  length: number,
  delimiter: readonly number[] = [],
): readonly Piece[] => {
  if (end <= start) return []
  if (end - start <= length) return [[start, end]]
  const at = delimiter.length === 0 ? -1 : nearestDelimiter(tokens, [start, end], delimiter)
  if (at < 0)
    return Array.from({ length: Math.ceil((end - start) / length) }, (_, i): Piece => {
      const from = start + i * length
      return [from, Math.min(from + length, end)]
    })
  return [
    ...splitDocument(tokens, [start, at], length, delimiter),
    ...splitDocument(tokens, [at + delimiter.length, end], length, delimiter),
  ]
}
