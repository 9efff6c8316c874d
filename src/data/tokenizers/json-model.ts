/** A tokenizer.json beside SentencePiece models: its pieces by id, and the bytes that encode and decode. */
import { createHash } from "node:crypto"
import { DataError } from "../../files/errors.js"
import type { Piece, SentencePieceModel } from "./sentencepiece.js"
import { parseTokenizerJson, type JsonTokenizer } from "./tokenizer-json.js"

/** Whether the bytes of a file begin as a JSON object does. */
export const isJson = (bytes: Uint8Array): boolean =>
  /^\s*\{/.test(new TextDecoder().decode(bytes.subarray(0, 64)))

interface Json {
  readonly model?: {
    readonly vocab?: Readonly<Record<string, number>> | readonly (readonly [string, number])[]
  }
  readonly added_tokens?: readonly {
    readonly id: number
    readonly content: string
    readonly special?: boolean
  }[]
}

/**
 * Special added tokens are control pieces, ids without a piece are unused. Nothing is said about how text was
 * normalised, and byte-level pieces are no text as they stand: figures per byte are not made from them.
 *
 * @throws DataError when it is cut or no tokenizer.json
 */
export const jsonModel = (bytes: Uint8Array, subject: string): SentencePieceModel => {
  let json: Json
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as Json
  } catch (error) {
    throw new DataError("invalid", subject, "the tokenizer is cut or not JSON; fetch it again.", error)
  }
  const vocab = json.model?.vocab
  if (typeof vocab !== "object" || vocab === null)
    throw new DataError(
      "invalid",
      subject,
      "it is no tokenizer.json: model.vocab is missing; give the file of that name, not tokenizer_config.json or vocab.json.",
    )
  let encoder: JsonTokenizer | undefined
  const pieces: Piece[] = []
  const put = (id: number, piece: string, type: Piece["type"]): void => {
    while (pieces.length < id) pieces.push({ piece: "", type: "unused", score: 0 })
    pieces[id] = { piece, type, score: 0 }
  }
  const byId: readonly (readonly [string, number])[] = Array.isArray(vocab)
    ? (vocab as readonly (readonly [string, number])[]).map(([piece], id) => [piece, id] as const)
    : Object.entries(vocab).sort(([, a], [, b]) => a - b)
  for (const [piece, id] of byId) put(id, piece, "normal")
  for (const { id, content, special } of [...(json.added_tokens ?? [])].sort((a, b) => a.id - b.id))
    put(id, content, special === true ? "control" : "user-defined")
  return {
    pieces,
    algorithm: "json",
    json: bytes,
    encode: (text) => (encoder ??= parseTokenizerJson(bytes, { id: "json", subject })).encode(text),
    byteFallback: false,
    splitDigits: false,
    whitespaceAsSuffix: false,
    characterCoverage: 1,
    ids: { unknown: -1, bos: -1, eos: -1, pad: -1 },
    normalizer: {
      stated: false,
      name: "",
      rules: new Uint8Array(),
      addDummyPrefix: false,
      removeExtraWhitespaces: false,
      escapeWhitespaces: false,
      denormalizes: false,
    },
    digest: createHash("sha256").update(bytes).digest("hex"),
  }
}
