/** The windows an evaluation scores, cut from the validation split. */
import { fillWindow, sequentialWindows, buildChunkIndex, fillChunk } from "../data/rows/chunks.js"
import type { Tokens } from "../data/rows/tokens.js"
import {
  buildDocumentIndex,
  documentPlaces,
  documentRow,
  documentRule,
  type DocumentSpec,
} from "../data/rows/documents.js"
import type { Encode } from "../data/rows/spelled.js"
import { DataError } from "../files/errors.js"
import type { Data } from "../spec/data.js"
import type { LeftOut, Windows } from "../spec/windows.js"

export interface ScoredWindows {
  /** Token ids [count * length], row-major; PAD only where windows are cut from documents. */
  readonly tokens: Int32Array
  readonly count: number
  readonly length: number
  /** Offset of each window's first token in the split. */
  readonly starts: Int32Array
  /** Windows the split holds in all; `count` of them are scored. */
  readonly available: number
  readonly leftOut?: LeftOut
  /** Of rows that are documents. */
  readonly rows?: DocumentWindows
}

export interface DocumentWindows {
  /** [count * length]: 1 where a token is given, and so no target. */
  readonly fixed: Uint8Array
  /** [count]: tokens of each row before its padding. */
  readonly lengths: Int32Array
  /** [count * length]: where in the split each token stands; -1 where it does not. */
  readonly places: Int32Array
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

/** The first rows as training makes them, of whole documents. */
const cutDocuments = (
  split: Tokens,
  { length, count: most }: Windows,
  { tokenizer, batching, encode }: WindowedData,
  subject: string,
): ScoredWindows => {
  const rule = documentRule({ tokenizer, batching: { ...batching, length } }, encode)
  const index = buildDocumentIndex(split, rule, subject)
  const available = index.starts.length
  const count = Math.min(most, available)
  const tokens = new Int32Array(count * length)
  const fixed = new Uint8Array(count * length)
  const places = new Int32Array(count * length)
  const lengths = new Int32Array(count)
  let targets = 0
  for (let w = 0; w < available; w++) {
    const row = documentRow(split, index, w, rule)
    targets += row.fixed.subarray(0, row.length).reduce((n, given) => n - given, row.length)
    if (w >= count) continue
    tokens.set(row.tokens, w * length)
    fixed.set(row.fixed, w * length)
    places.set(documentPlaces(index, w, rule), w * length)
    lengths[w] = row.length
  }
  return {
    tokens,
    count,
    length,
    starts: Int32Array.from(index.starts.subarray(0, count)),
    available,
    leftOut: { ...outsideDocuments(split, tokenizer.boundaryId), tokens: split.length - targets },
    rows: { fixed, lengths, places },
  }
}

/** What of an experiment's data says how windows are cut. */
export type WindowedData = Pick<Data, "tokenizer"> & {
  readonly batching: Omit<DocumentSpec["batching"], "length">
  /** Spells a delimiter that is a text. */
  readonly encode?: Encode
}

/**
 * Windows i * length of the raw stream (document boundaries inside), the first document chunks, or the first documents
 * as rows of training.
 *
 * @throws DataError when the split is shorter than one window
 */
export const cutWindows = (
  split: Tokens,
  windows: Windows,
  data: WindowedData,
  subject: string,
): ScoredWindows => {
  const { length } = windows
  const { tokenizer } = data
  if (windows.alignment === "documents") return cutDocuments(split, windows, data, subject)
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
