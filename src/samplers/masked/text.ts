/** Between the text of prompts and samples and their tokens. */
import { decodeTokens } from "../../data/tokenizers/decode.js"
import { encoderOf, type Encoder } from "../../data/tokenizers/encoder.js"
import type { SentencePieceModel } from "../../data/tokenizers/sentencepiece.js"
import { SamplingError } from "./settings.js"

/** Normalising drops a text's leading space; within a text, after a word, it is kept. */
const encodeInside = (encoder: Encoder, text: string): readonly number[] => {
  const before = Array.from(encoder.encode("a"))
  const whole = Array.from(encoder.encode(`a${text}`))
  return before.every((token, i) => whole[i] === token)
    ? whole.slice(before.length)
    : Array.from(encoder.encode(text))
}

/**
 * Tokens of a prompt, or of a text within a text where it begins with a space.
 *
 * @throws SamplingError when the model cannot spell the text, naming what it cannot
 */
export const encodePrompt = (model: SentencePieceModel, text: string, what: string): readonly number[] => {
  if (text === "") return []
  const encoder = encoderOf(model)
  if (model.algorithm === "literal") {
    // Pieces are their own text, a leading space too.
    try {
      return Array.from(encoder.encode(text))
    } catch (error) {
      if (error instanceof RangeError) throw new SamplingError(`${what}: ${error.message}; leave it out.`)
      throw error
    }
  }
  const unknown = model.pieces.findIndex(({ type }) => type === "unknown")
  const tokens = /^\s/.test(text) ? encodeInside(encoder, text) : Array.from(encoder.encode(text))
  if (tokens.includes(unknown)) {
    const character = Array.from(text).find((each) => Array.from(encoder.encode(each)).includes(unknown))
    throw new SamplingError(
      `${what}: the tokenizer cannot spell ${JSON.stringify(character ?? text)}; leave it out.`,
    )
  }
  if (tokens.length === 0)
    throw new SamplingError(`${what}: nothing is left of ${JSON.stringify(text)} once it is normalised.`)
  return tokens
}

/** Text of tokens: documents separated by an empty line; bytes that are no UTF-8 become U+FFFD. */
export const textOf = (
  { pieces }: Pick<SentencePieceModel, "pieces">,
  tokens: ArrayLike<number>,
  boundaryId: number,
): string => {
  const documents: number[][] = [[]]
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] === boundaryId) documents.push([])
    else documents.at(-1)!.push(tokens[i]!)
  }
  return documents
    .filter((document) => document.length > 0)
    .map((document) => Buffer.from(decodeTokens(pieces, document)).toString("utf8"))
    .join("\n\n")
}
