/** Between text and token ids, whatever file a tokenizer comes from. */
import type { TablePiece } from "../../metric/bytes/byte-table.js"
import { decodeTokens } from "./decode.js"
import { encoderOf } from "./encoder.js"
import { literalTokenizer } from "./literal.js"
import { literalPieces } from "./piece-file.js"
import type { SentencePieceModel } from "./sentencepiece.js"

export interface Tokenizer {
  /** Short name, as a spec gives it. */
  readonly id: string
  /** SHA-256 of everything that decides its ids, hexadecimal. */
  readonly digest: string
  /** Every id is below. */
  readonly size: number
  /** No boundary and no other special id is added. */
  readonly encode: (text: string) => Int32Array
  /** Special ids have no text. */
  readonly decode: (ids: ArrayLike<number>) => string
  /** Rows of the byte table, where each piece has bytes of its own. */
  readonly pieces?: readonly TablePiece[]
}

/** The tokenizer of a model file: SentencePiece, tokenizer.json, or pieces that are their own text. */
export const modelTokenizer = (id: string, model: SentencePieceModel): Tokenizer => {
  const { pieces, digest } = model
  const common = { id, digest, size: pieces.length, pieces }
  const literal = literalPieces(model)
  if (literal !== undefined) {
    const { encode, decode } = literalTokenizer(literal)
    return { ...common, encode, decode }
  }
  const encoder = encoderOf(model)
  return {
    ...common,
    encode: (text) => Int32Array.from(encoder.encode(text)),
    decode: (ids) => Buffer.from(decodeTokens(pieces, ids)).toString("utf8"),
  }
}
