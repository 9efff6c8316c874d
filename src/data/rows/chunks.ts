/**
 * Training sequences cut from a token stream. Nothing here draws random numbers: callers choose the chunk or window
 * with numbers of their own streams.
 */
import { DataError } from "../../files/errors.js"
import type { Tokens } from "./tokens.js"

/** Where each chunk lies in the token stream. */
export interface ChunkIndex {
  readonly starts: Uint32Array
  readonly lengths: Uint32Array
  /** Longest chunk allowed, the sequence length. */
  readonly length: number
}

/**
 * Document chunks as published (parameter-golf PR #1241, train_mdlm.py): for each pair of consecutive boundary tokens
 * at p and q, the tokens p+1..q, the last being the next document's boundary in the role of an end token, cut from
 * the left into pieces of at most `length`. What precedes the first and follows the last boundary is dropped; only
 * the last piece of a document holds a boundary, and it holds nothing else when the document's content is a multiple
 * of `length`.
 * @throws DataError when the stream has no whole document.
 */
export const buildChunkIndex = (
  tokens: Tokens,
  options: { readonly boundaryId: number; readonly length: number; readonly subject?: string },
): ChunkIndex => {
  const { boundaryId, length } = options
  let chunks = 0
  const first = tokens.indexOf(boundaryId)
  for (let at = first, next = 0; at >= 0; at = next) {
    next = tokens.indexOf(boundaryId, at + 1)
    if (next >= 0) chunks += Math.ceil((next - at) / length)
  }
  if (chunks === 0) {
    throw new DataError(
      "invalid",
      options.subject ?? "token stream",
      `there is no whole document between two boundary tokens (id ${boundaryId}) in ${tokens.length} tokens; correct data.tokenizer.boundaryId or use larger shards.`,
    )
  }
  const starts = new Uint32Array(chunks)
  const lengths = new Uint32Array(chunks)
  let chunk = 0
  for (let at = first, next = 0; at >= 0; at = next) {
    next = tokens.indexOf(boundaryId, at + 1)
    for (let start = at + 1; start <= next; start += length) {
      starts[chunk] = start
      lengths[chunk] = Math.min(length, next + 1 - start)
      chunk++
    }
  }
  return { starts, lengths, length }
}

/**
 * Copy a chunk to the left end of `row` and fill the rest with PAD.
 * @param row int32 [length]
 * @returns the chunk's length, boundary included.
 */
export const fillChunk = (
  tokens: Tokens,
  index: ChunkIndex,
  chunk: number,
  row: Int32Array,
  padId: number,
): number => {
  const start = index.starts[chunk]
  const length = index.lengths[chunk]
  if (start === undefined || length === undefined || row.length !== index.length) {
    throw new RangeError(
      `fillChunk: chunk ${chunk} of ${index.starts.length} into ${row.length} places of ${index.length}.`,
    )
  }
  row.set(tokens.subarray(start, start + length))
  row.fill(padId, length)
  return length
}

/**
 * Number of consecutive windows of `length` tokens: floor((tokens - 1) / length). One token is left over, so that the
 * last position of every window has a successor to predict. Window i starts at i * length.
 */
export const sequentialWindows = (tokens: number, length: number): number =>
  Math.max(0, Math.floor((tokens - 1) / length))

/** Number of places where a window may start, at any offset, with a token left over as above. */
export const randomWindows = (tokens: number, length: number): number => Math.max(0, tokens - length)

/** Copy the window of `row.length` tokens that starts at `start`; no PAD, boundaries inside. */
export const fillWindow = (tokens: Tokens, start: number, row: Int32Array): void => {
  if (start < 0 || start + row.length > tokens.length) {
    throw new RangeError(`fillWindow: [${start}, ${start + row.length}) of ${tokens.length} tokens.`)
  }
  row.set(tokens.subarray(start, start + row.length))
}
