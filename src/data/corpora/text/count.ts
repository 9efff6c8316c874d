/** One batch of documents as tokens, with what their making found. */
import { buildByteTable, countBytes, type ByteTable } from "../../../metric/bytes/byte-table.js"
import { buildTextTable, countTextBytes, type TextTable } from "../../../metric/bytes/text-bytes.js"
import { encoderOf, type Encoder } from "../../tokenizers/encoder.js"
import type { SentencePieceModel } from "../../tokenizers/sentencepiece.js"
import { textRulesOf } from "../../tokenizers/text-rules.js"

/** Sums over documents. */
export interface TextSums {
  readonly documents: number
  /** Tokens, those of boundaries included. */
  readonly tokens: number
  /** UTF-8 bytes of the documents, as they stand in the files. */
  readonly bytes: number
  /** What the tokens decode to, by the tokenizer's own rules. */
  readonly decodedBytes: number
  /** What the published byte table counts on the tokens. */
  readonly tableBytes: number
  /** Tokens that say nothing of their text. */
  readonly unknownTokens: number
}

export const NO_TEXT: TextSums = {
  documents: 0,
  tokens: 0,
  bytes: 0,
  decodedBytes: 0,
  tableBytes: 0,
  unknownTokens: 0,
}

export const addSums = (a: TextSums, b: TextSums): TextSums => ({
  documents: a.documents + b.documents,
  tokens: a.tokens + b.tokens,
  bytes: a.bytes + b.bytes,
  decodedBytes: a.decodedBytes + b.decodedBytes,
  tableBytes: a.tableBytes + b.tableBytes,
  unknownTokens: a.unknownTokens + b.unknownTokens,
})

export interface TokenisedBatch {
  readonly tokens: Uint16Array<ArrayBuffer>
  readonly sums: TextSums
}

/** Makes batches with one tokenizer; each document is preceded by the boundary token. */
export class BatchTokeniser {
  readonly #encoder: Encoder
  readonly #published: ByteTable
  readonly #text: TextTable
  readonly #unknown: ReadonlySet<number>
  readonly #boundaryId: number

  constructor(model: SentencePieceModel, boundaryId: number) {
    this.#encoder = encoderOf(model)
    this.#published = buildByteTable(model.pieces)
    this.#text = buildTextTable(model.pieces, textRulesOf(model))
    this.#unknown = new Set(model.pieces.flatMap(({ type }, id) => (type === "unknown" ? [id] : [])))
    this.#boundaryId = boundaryId
  }

  tokenise(documents: readonly string[]): TokenisedBatch {
    const ids: number[] = []
    let [bytes, unknownTokens] = [0, 0]
    for (const document of documents) {
      bytes += Buffer.byteLength(document)
      ids.push(this.#boundaryId)
      const own = this.#encoder.encode(document)
      for (let i = 0; i < own.length; i++) {
        ids.push(own[i]!)
        if (this.#unknown.has(own[i]!)) unknownTokens++
      }
    }
    const tokens = Uint16Array.from(ids)
    return {
      tokens,
      sums: {
        documents: documents.length,
        tokens: tokens.length,
        bytes,
        decodedBytes: countTextBytes(this.#text, { tokens, previous: -1, following: this.#boundaryId }),
        tableBytes: countBytes(this.#published, tokens),
        unknownTokens,
      },
    }
  }
}
