/** The encoder of a tokenizer, whatever its algorithm. */
import { BpeEncoder } from "./bpe.js"
import { literalTokenizer } from "./literal.js"
import { normalizerOf, SPACE } from "./normalizer.js"
import { literalPieces } from "./piece-file.js"
import type { SentencePieceModel } from "./sentencepiece.js"
import { Speller, splitter } from "./speller.js"
import { UnigramEncoder } from "./unigram.js"

export interface Encoder {
  /** Token ids of a text; no boundary tokens are added. */
  readonly encode: (text: string) => ArrayLike<number>
}

/** Words of normalised text, each with its own space. */
const wordsOf = (text: string, suffix: boolean): readonly string[] =>
  text.split(suffix ? new RegExp(`(?<=${SPACE})`) : new RegExp(`(?=${SPACE})`)).filter((word) => word !== "")

/** Models whose pieces are whole words, or single characters: each is looked up. */
const lookUp = (model: SentencePieceModel): Encoder => {
  const ids = new Map<string, number>()
  for (const [id, { piece, type }] of model.pieces.entries())
    if (type === "normal" || type === "user-defined" || type === "unused") ids.set(piece, id)
  const speller = new Speller(model)
  const normalize = normalizerOf(model)
  const split = splitter(model)
  const cut = (text: string): readonly string[] =>
    model.algorithm === "char" ? split(text).symbols : wordsOf(text, model.whitespaceAsSuffix)
  return {
    encode: (text) => {
      const out: number[] = []
      for (const symbol of cut(normalize(text))) speller.spell(symbol, ids.get(symbol), out)
      return out
    },
  }
}

export const encoderOf = (model: SentencePieceModel): Encoder => {
  if (model.encode !== undefined) return { encode: model.encode }
  const literal = literalPieces(model)
  if (literal !== undefined) return literalTokenizer(literal)
  switch (model.algorithm) {
    case "bpe":
      return new BpeEncoder(model)
    case "unigram":
      return new UnigramEncoder(model)
    default:
      return lookUp(model)
  }
}
