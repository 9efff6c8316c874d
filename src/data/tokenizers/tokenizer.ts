/** Between text and token ids, whatever file a tokenizer comes from. */
import { decodeTokens } from "./decode.js"
import { encoderOf } from "./encoder.js"
import { literalTokenizer } from "./literal.js"
import { literalPieces } from "./piece-file.js"
import type { SentencePieceModel } from "./sentencepiece.js"
import type { Tokenizer } from "./text-tokenizer.js"
import { parseTokenizerJson } from "./tokenizer-json.js"

export type { Tokenizer } from "./text-tokenizer.js"

/** The tokenizer of a model file: SentencePiece, tokenizer.json, or pieces that are their own text. */
export const modelTokenizer = (id: string, model: SentencePieceModel): Tokenizer => {
  const { pieces, digest } = model
  const common = { id, digest, size: pieces.length, pieces }
  if (model.json !== undefined) {
    const { encode, decode } = parseTokenizerJson(model.json, { id, subject: id })
    // Its pieces are no text as they stand, so that no byte table is made of them.
    return { id, digest, size: pieces.length, encode, decode }
  }
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
