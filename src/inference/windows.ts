/** The windows an evaluation scores, cut from the validation split. */
import { fillWindow, sequentialWindows, buildChunkIndex, fillChunk } from "../data/rows/chunks.js"
import type { Tokens } from "../data/rows/tokens.js"
import { DataError } from "../files/errors.js"
import type { Tokenizer } from "../spec/data.js"
import type { LeftOut, Windows } from "../spec/windows.js"

export interface ScoredWindows {
  /** Token ids [count * length], row-major; PAD only in document chunks. */
  readonly tokens: Int32Array
  readonly count: number
  readonly length: number
  /** Offset of each window's first token in the split. */
  readonly starts: Int32Array
  /** Windows the split holds in all; `count` of them are scored. */
  readonly available: number
  readonly leftOut?: LeftOut
}

/** A document lies between two boundary tokens: what opens the split without one, and what follows the last, is none. */
export const outsideDocuments = (split: Tokens, boundaryId: number): LeftOut => {
  let boundaries = 0
  for (const token of split) if (token === boundaryId) boundaries++
  const [first, last] = [split.indexOf(boundaryId), split.lastIndexOf(boundaryId)]
  const [opening, closing] = [first > 0 ? 1 : 0, last < split.length - 1 ? 1 : 0]
  return {
    tokens: split.length - (last - first),
    documents: opening + closing,
    ofDocuments: boundaries - 1 + opening + closing,
  }
}

/**
 * Windows i * length of the raw stream (document boundaries inside), or the first document chunks.
 *
 * @throws DataError when the split is shorter than one window
 */
export const cutWindows = (
  split: Tokens,
  windows: Windows,
  tokenizer: Tokenizer,
  subject: string,
): ScoredWindows => {
  const { length } = windows
  if (windows.alignment === "document-chunks") {
    const index = buildChunkIndex(split, { boundaryId: tokenizer.boundaryId, length, subject })
    const count = Math.min(windows.count, index.starts.length)
    const tokens = new Int32Array(count * length)
    for (let w = 0; w < count; w++)
      fillChunk(split, index, w, tokens.subarray(w * length, (w + 1) * length), tokenizer.padId)
    return {
      tokens,
      count,
      length,
      starts: Int32Array.from(index.starts.subarray(0, count)),
      available: index.starts.length,
      leftOut: outsideDocuments(split, tokenizer.boundaryId),
    }
  }
  const available = sequentialWindows(split.length, length)
  if (available === 0) {
    throw new DataError(
      "invalid",
      subject,
      `${split.length} tokens are fewer than one window of ${length}; use a shorter /evaluations/*/windows/length.`,
    )
  }
  const count = Math.min(windows.count, available)
  const tokens = new Int32Array(count * length)
  for (let w = 0; w < count; w++) fillWindow(split, w * length, tokens.subarray(w * length, (w + 1) * length))
  return {
    tokens,
    count,
    length,
    starts: Int32Array.from({ length: count }, (_, w) => w * length),
    available,
    leftOut: { tokens: split.length - available * length },
  }
}
