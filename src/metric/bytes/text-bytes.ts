/**
 * Bytes of text behind tokens, from what a SentencePiece model says about its pieces and its normaliser.
 *
 * The published table (`byte-table.ts`) knows pieces alone: it never counts the space that opens a document, takes an
 * unknown token for the end of one, and counts three bytes for a U+2581 inside a piece. Here the rules of the model
 * decide: which mark stands for a space, whether a document's first (or last) space was put there by the normaliser,
 * and that text goes on after an unknown token. On text of a vocabulary with none of these the two agree byte by byte.
 */
import { byteValues, type TablePiece } from "./byte-table.js"

/** What a SentencePiece model's normalizer_spec and trainer_spec say about how text became pieces. */
export interface TextRules {
  /** False where the model file has no normalizer_spec: nothing is said about its normalisation. */
  readonly stated: boolean
  /** Name of the normalisation, such as nmt_nfkc; empty for rules of one's own. */
  readonly name: string
  /** Characters are replaced by compiled rules. */
  readonly replaces: boolean
  /** Rules are applied to decoded text as well. */
  readonly denormalizes: boolean
  /** A space is put before each document (behind it, where whitespace is a suffix). */
  readonly addDummyPrefix: boolean
  /** Spaces at both ends and repeated ones are taken away. */
  readonly removeExtraWhitespaces: boolean
  /** A space is written as U+2581 in pieces. */
  readonly escapeWhitespaces: boolean
  readonly whitespaceAsSuffix: boolean
  /** Pieces do not say what text they stand for, as word pieces without their spaces. */
  readonly lossy?: true
}

/** Consecutive tokens of a stream, with what stands on their two sides; -1: nothing. */
export interface TokenRun {
  readonly tokens: ArrayLike<number>
  readonly previous: number
  readonly following: number
}

const SPACE = "\u2581"
const encoder = new TextEncoder()
const utf8 = (text: string): Uint8Array => encoder.encode(text)

/** The character that stands for a space in pieces. */
const markOf = ({ escapeWhitespaces }: TextRules): string => (escapeWhitespaces ? SPACE : " ")

/** Whether the normaliser puts a space before every document, or leaves none of the document's own there. */
const opensWithoutSpace = (rules: TextRules): boolean =>
  !rules.whitespaceAsSuffix && (rules.addDummyPrefix || rules.removeExtraWhitespaces)

const closesWithoutSpace = (rules: TextRules): boolean =>
  rules.whitespaceAsSuffix && (rules.addDummyPrefix || rules.removeExtraWhitespaces)

/** One row per token id. */
export interface TextTable {
  /** UTF-8 bytes of the piece's text, all its spaces included. */
  readonly bytes: Uint16Array
  /** 1 where the piece opens with a space that is no text at the start of a document. */
  readonly opens: Uint8Array
  /** 1 where the piece ends with a space that is no text at the end of a document. */
  readonly closes: Uint8Array
  /** 1 where a document starts behind the token and ends before it: control, unused, or outside the vocabulary. */
  readonly boundary: Uint8Array
}

/** @param rows rows of the model's table; those beyond the pieces are boundaries of 0 bytes */
export const buildTextTable = (
  pieces: readonly TablePiece[],
  rules: TextRules,
  rows = pieces.length,
): TextTable => {
  const size = Math.max(rows, pieces.length)
  const table: TextTable = {
    bytes: new Uint16Array(size),
    opens: new Uint8Array(size),
    closes: new Uint8Array(size),
    boundary: new Uint8Array(size).fill(1),
  }
  const mark = markOf(rules)
  pieces.forEach((each, id) => {
    const { piece, type } = each
    if (type === "control" || type === "unused") return
    table.boundary[id] = 0
    if (type === "unknown") return
    const values = byteValues(each)
    if (values !== undefined) {
      table.bytes[id] = values.length
      // A mark that is a byte can open and end such a piece too.
      if (rules.escapeWhitespaces || values.length === 1) return
      table.opens[id] = opensWithoutSpace(rules) && values[0] === 0x20 ? 1 : 0
      table.closes[id] = closesWithoutSpace(rules) && values.at(-1) === 0x20 ? 1 : 0
      return
    }
    const spaces = rules.escapeWhitespaces ? piece.split(SPACE).length - 1 : 0
    table.bytes[id] = utf8(piece).length - spaces * (utf8(SPACE).length - 1)
    table.opens[id] = opensWithoutSpace(rules) && piece.startsWith(mark) ? 1 : 0
    table.closes[id] = closesWithoutSpace(rules) && piece.endsWith(mark) ? 1 : 0
  })
  return table
}

/** Bytes of one target between its neighbours in the stream; -1 (nothing) is a boundary. */
export const textBytesOf = (
  { bytes, opens, closes, boundary }: TextTable,
  token: number,
  previous: number,
  following: number,
): number => {
  if (token < 0 || token >= bytes.length)
    throw new RangeError(`text table: token ${token} is outside its ${bytes.length} rows`)
  const first = previous < 0 || boundary[previous] === 1
  const last = following < 0 || boundary[following] === 1
  return bytes[token]! - (first ? opens[token]! : 0) - (last ? closes[token]! : 0)
}

/**
 * Bytes of all tokens of a run.
 *
 * @throws RangeError naming the position of an id outside the table
 */
export const countTextBytes = (table: TextTable, { tokens, previous, following }: TokenRun): number => {
  let total = 0
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i]! >= table.bytes.length || tokens[i]! < 0)
      throw new RangeError(
        `text table: token ${tokens[i]} at position ${i} is outside its ${table.bytes.length} rows`,
      )
    total += textBytesOf(table, tokens[i]!, tokens[i - 1] ?? previous, tokens[i + 1] ?? following)
  }
  return total
}

const SPACE_BYTES = utf8(SPACE)
/** A space that a mark spelled, while a document is decoded; no byte has this value. */
const MARKED = 0x100

/**
 * The text itself, decoded document by document without any table: the witness of every count above. Pieces are
 * joined, byte pieces as their byte; then each U+2581 is read as a space wherever it stands and whatever spelled it;
 * then the space that the normaliser put at the document's edge is taken away. Control and unused pieces end a
 * document; an unknown token is a gap of no bytes, across which nothing is spelled together.
 *
 * @throws RangeError naming the position of an id outside the pieces
 */
export const decodeText = (pieces: readonly TablePiece[], rules: TextRules, run: TokenRun): Uint8Array => {
  const { tokens, previous, following } = run
  const ends = Uint8Array.from(pieces, ({ type }) => (type === "control" || type === "unused" ? 1 : 0))
  const endsDocument = (id: number): boolean => id < 0 || (ends[id] ?? 1) === 1
  const raw = pieces.map((piece) => byteValues(piece) ?? utf8(piece.piece))
  const chunks: Uint8Array[] = []
  let document: number[] = []
  let gap = 0
  let fresh = endsDocument(previous)
  let openedByUnknown = false
  const close = (last: boolean): void => {
    const at = document.length - 1
    if (last && gap <= at && closesWithoutSpace(rules) && document[at] === MARKED) document.pop()
    if (fresh && !openedByUnknown && opensWithoutSpace(rules) && document[0] === MARKED) document.shift()
    const text = new Uint8Array(document.length)
    for (let i = 0; i < text.length; i++) text[i] = document[i] === MARKED ? 0x20 : document[i]!
    chunks.push(text)
    document = []
    gap = 0
    openedByUnknown = false
  }
  for (let i = 0; i < tokens.length; i++) {
    const piece = pieces[tokens[i]!]
    if (piece === undefined)
      throw new RangeError(
        `decode: token ${tokens[i]} at position ${i} is outside the ${pieces.length} pieces`,
      )
    if (endsDocument(tokens[i]!)) {
      close(true)
      fresh = true
      continue
    }
    if (piece.type === "unknown") {
      if (document.length === 0) openedByUnknown = true
      gap = document.length
      continue
    }
    const bytes = raw[tokens[i]!]!
    for (let k = 0; k < bytes.length; k++) {
      const byte = bytes[k]!
      if (byte === SPACE_BYTES[2] && rules.escapeWhitespaces) {
        const at = document.length - 2
        if (at >= gap && document[at] === SPACE_BYTES[0] && document[at + 1] === SPACE_BYTES[1]) {
          document.length = at
          document.push(MARKED)
          continue
        }
      }
      document.push(byte === 0x20 && !rules.escapeWhitespaces ? MARKED : byte)
    }
  }
  close(endsDocument(following))
  const text = new Uint8Array(chunks.reduce((n, { length }) => n + length, 0))
  let at = 0
  for (const chunk of chunks) {
    text.set(chunk, at)
    at += chunk.length
  }
  return text
}
