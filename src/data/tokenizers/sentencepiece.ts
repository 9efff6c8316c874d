/**
 * SentencePiece models: what a ModelProto says about its pieces and how text is to be normalised. The field numbers
 * are those of sentencepiece_model.proto, https://github.com/google/sentencepiece.
 */
import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import { DataError, fromSystemError } from "../../files/errors.js"
import { readWire, WireError, type WireField } from "../../files/wire.js"

const PIECE_TYPES = {
  1: "normal",
  2: "unknown",
  3: "control",
  4: "user-defined",
  5: "unused",
  6: "byte",
} as const

export type PieceType = (typeof PIECE_TYPES)[keyof typeof PIECE_TYPES]

/** One vocabulary entry; its id is its index. U+2581 in `piece` stands for a space. */
export interface Piece {
  readonly piece: string
  readonly type: PieceType
  /** Merge priority in a BPE model: higher merges first. */
  readonly score: number
}

const ALGORITHMS = { 1: "unigram", 2: "bpe", 3: "word", 4: "char" } as const

export interface SentencePieceModel {
  readonly pieces: readonly Piece[]
  /** literal: of a piece file, whose pieces are the texts that they stand for. json: of a tokenizer.json. */
  readonly algorithm: (typeof ALGORITHMS)[keyof typeof ALGORITHMS] | "literal" | "json"
  /** Of a tokenizer.json: how it encodes. */
  readonly encode?: (text: string) => Int32Array
  /** Characters outside the vocabulary become byte pieces. */
  readonly byteFallback: boolean
  readonly splitDigits: boolean
  readonly whitespaceAsSuffix: boolean
  readonly characterCoverage: number
  /** Special ids; -1 where the model has none. */
  readonly ids: { readonly unknown: number; readonly bos: number; readonly eos: number; readonly pad: number }
  readonly normalizer: {
    /** Whether the model file has a normalizer_spec; without one the fields are the defaults of the definition. */
    readonly stated: boolean
    readonly name: string
    /** Compiled replacement rules (see `normalizer.ts`); empty for the identity. */
    readonly rules: Uint8Array
    readonly addDummyPrefix: boolean
    readonly removeExtraWhitespaces: boolean
    readonly escapeWhitespaces: boolean
    /** The denormalizer_spec has rules of its own, applied to decoded text. */
    readonly denormalizes: boolean
  }
  /** SHA-256 of the model file. */
  readonly digest: string
}

const collect = (fields: Iterable<WireField>): Map<number, WireField> =>
  new Map([...fields].map((field) => [field.number, field]))

const lookUp = <Names extends Record<number, string>>(
  names: Names,
  value: number,
  what: string,
): Names[keyof Names] => {
  const name = names[value]
  if (name === undefined) throw new WireError(`${what} ${value} is unknown`)
  return name as Names[keyof Names]
}

const parsePiece = (field: WireField): Piece => {
  const fields = collect(field.message())
  return {
    piece: fields.get(1)?.string() ?? "",
    type: lookUp(PIECE_TYPES, fields.get(3)?.integer() ?? 1, "piece type"),
    score: fields.get(2)?.float() ?? 0,
  }
}

/**
 * Read a model from the bytes of its file; defaults are those of the proto definition.
 * @throws DataError naming `subject` when the bytes are not a SentencePiece model.
 */
export const parseSentencePiece = (
  bytes: Uint8Array,
  subject = "SentencePiece model",
): SentencePieceModel => {
  try {
    const pieces: Piece[] = []
    let trainer = new Map<number, WireField>()
    let normalizer = new Map<number, WireField>()
    let denormalizer = new Map<number, WireField>()
    let stated = false
    for (const field of readWire(bytes)) {
      if (field.number === 1) pieces.push(parsePiece(field))
      else if (field.number === 2) trainer = collect(field.message())
      else if (field.number === 3) {
        normalizer = collect(field.message())
        stated = true
      } else if (field.number === 5) denormalizer = collect(field.message())
    }
    if (pieces.length === 0) throw new WireError("it has no pieces")
    return {
      pieces,
      algorithm: lookUp(ALGORITHMS, trainer.get(3)?.integer() ?? 1, "model type"),
      byteFallback: trainer.get(35)?.boolean() ?? false,
      splitDigits: trainer.get(25)?.boolean() ?? false,
      whitespaceAsSuffix: trainer.get(24)?.boolean() ?? false,
      characterCoverage: trainer.get(10)?.float() ?? Math.fround(0.9995),
      ids: {
        unknown: trainer.get(40)?.integer() ?? 0,
        bos: trainer.get(41)?.integer() ?? 1,
        eos: trainer.get(42)?.integer() ?? 2,
        pad: trainer.get(43)?.integer() ?? -1,
      },
      normalizer: {
        stated,
        name: normalizer.get(1)?.string() ?? "",
        rules: normalizer.get(2)?.bytes().slice() ?? new Uint8Array(),
        addDummyPrefix: normalizer.get(3)?.boolean() ?? true,
        removeExtraWhitespaces: normalizer.get(4)?.boolean() ?? true,
        escapeWhitespaces: normalizer.get(5)?.boolean() ?? true,
        denormalizes: (denormalizer.get(2)?.bytes().length ?? 0) > 0,
      },
      digest: createHash("sha256").update(bytes).digest("hex"),
    }
  } catch (error) {
    if (!(error instanceof WireError || error instanceof TypeError)) throw error
    throw new DataError(
      "invalid",
      subject,
      `it is not a SentencePiece model (${error.message}); give the .model file, not .vocab, or fetch it again.`,
      error,
    )
  }
}

/** Read a model file. */
export const readSentencePiece = async (path: string): Promise<SentencePieceModel> => {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw fromSystemError(error, path, "reading the SentencePiece model")
  })
  return parseSentencePiece(bytes, path)
}
