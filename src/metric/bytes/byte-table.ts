/**
 * The exact byte table: how many bytes of text each token stands for.
 *
 * This is the canonical denominator of bits per byte. Source: parameter-golf `train_gpt.py`,
 * `build_sentencepiece_luts` and its use in `eval_val` (unchanged since 2026-03-18).
 */
import type { Tokens } from "../tokens.js"

/** A vocabulary piece as the tokenizer's model file holds it. */
export interface TablePiece {
  /** U+2581 stands for a space. */
  readonly piece: string
  readonly type: "normal" | "unknown" | "control" | "user-defined" | "unused" | "byte"
}

/** Bytes of a byte piece: `<0xHH>`, or several of them in a byte-level vocabulary; undefined for any other piece. */
export const byteValues = ({ piece, type }: TablePiece): Uint8Array | undefined =>
  type === "byte" && /^(<0x[0-9A-Fa-f]{2}>)+$/.test(piece)
    ? Uint8Array.from(piece.matchAll(/[0-9A-Fa-f]{2}(?=>)/g), ([digits]) => Number.parseInt(digits, 16))
    : undefined

/** One row per token id. */
export interface ByteTable {
  /** UTF-8 bytes of the piece without its leading space. */
  readonly base: Uint16Array
  /** 1 where the piece opens with a space. */
  readonly lead: Uint8Array
  /** 1 where the token is no text: control, unknown, unused, or outside the vocabulary. */
  readonly boundary: Uint8Array
}

const SPACE = "\u2581"
const NO_TEXT = new Set<TablePiece["type"]>(["control", "unknown", "unused"])

/** UTF-8 length of a string. */
const utf8Length = (text: string): number => new TextEncoder().encode(text).length

/**
 * The table of a vocabulary.
 *
 * - control, unknown, unused: 0 bytes, boundary.
 * - a byte piece `<0xHH>`: 1 byte, and as many as it spells in a byte-level vocabulary.
 * - any other: one leading U+2581 is a leading space; the bytes are the UTF-8 length of the rest, in which a
 *   further U+2581 counts its own three bytes (as published; it matters for odd tokenizers only).
 *
 * @param rows rows of the model's table; those beyond the pieces are boundaries of 0 bytes
 */
export const buildByteTable = (pieces: readonly TablePiece[], rows = pieces.length): ByteTable => {
  const size = Math.max(rows, pieces.length)
  const base = new Uint16Array(size)
  const lead = new Uint8Array(size)
  const boundary = new Uint8Array(size).fill(1)
  pieces.forEach((each, id) => {
    const { piece, type } = each
    if (NO_TEXT.has(type)) return
    boundary[id] = 0
    if (type === "byte") {
      base[id] = byteValues(each)?.length ?? 1
      return
    }
    const spaced = piece.startsWith(SPACE)
    lead[id] = spaced ? 1 : 0
    base[id] = utf8Length(spaced ? piece.slice(1) : piece)
  })
  return { base, lead, boundary }
}

/**
 * Bytes of one target given its predecessor in the stream: its base, and one for its leading space unless the
 * predecessor is a boundary.
 *
 * @param previous id of the token before it; -1 (none) counts as a boundary
 */
export const bytesOf = ({ base, lead, boundary }: ByteTable, token: number, previous: number): number => {
  if (token < 0 || token >= base.length)
    throw new RangeError(`byte table: token ${token} is outside its ${base.length} rows`)
  const afterBoundary = previous < 0 || boundary[previous] === 1
  return base[token]! + (lead[token] === 1 && !afterBoundary ? 1 : 0)
}

export interface CountOptions {
  /** First target; 0 when absent. */
  readonly start?: number
  /** Position after the last target; the length when absent. */
  readonly end?: number
  /** Token before position `start` when `start` is 0; -1 (none) when absent. */
  readonly previous?: number
}

/**
 * Bytes of tokens[start..end) as targets, each with its predecessor in the array.
 *
 * @throws RangeError naming the position of an id outside the table
 */
export const countBytes = (
  table: ByteTable,
  tokens: Tokens | Int32Array,
  options: CountOptions = {},
): number => {
  const { start = 0, end = tokens.length, previous = -1 } = options
  const { base, lead, boundary } = table
  const rows = base.length
  // Two look-ups a token: bytes after text, and bytes after a boundary.
  const afterText = new Uint16Array(rows)
  for (let id = 0; id < rows; id++) afterText[id] = base[id]! + lead[id]!
  const before = start > 0 ? tokens[start - 1]! : previous
  let open = before >= 0 && before < rows && boundary[before] === 0
  let total = 0
  for (let i = start; i < end; i++) {
    const token = tokens[i]!
    if (token >= rows || token < 0)
      throw new RangeError(`byte table: token ${token} at position ${i} is outside its ${rows} rows`)
    total += open ? afterText[token]! : base[token]!
    open = boundary[token] === 0
  }
  return total
}
