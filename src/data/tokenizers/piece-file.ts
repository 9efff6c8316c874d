/**
 * A file of pieces that stand for the texts that they are, as a model that the byte table reads: every space of a
 * piece's beginning is U+2581 there, and text becomes pieces without any change.
 */
import { DataError } from "../../files/errors.js"
import { literalTokenizer } from "./literal.js"
import type { Piece, SentencePieceModel } from "./sentencepiece.js"
import { SPACE } from "./normalizer.js"

const FORMAT = "repro-pieces"

/** The file's text: pieces with text, then control pieces, by id. */
export const pieceFile = (pieces: readonly string[], control: readonly string[]): string =>
  `${JSON.stringify({ format: FORMAT, version: 1, pieces, control })}\n`

/** Whether the bytes of a file are such a one. */
export const isPieceFile = (bytes: Uint8Array): boolean =>
  new TextDecoder().decode(bytes.subarray(0, 64)).startsWith(`{"format":"${FORMAT}"`)

const strings = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((each) => typeof each === "string")

/** @throws DataError when the file is cut or of another version */
export const parsePieceFile = (bytes: Uint8Array, subject: string): SentencePieceModel => {
  let value: Record<string, unknown>
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as Record<string, unknown>
  } catch (error) {
    throw new DataError("invalid", subject, "the piece file is cut or not JSON; prepare it again.", error)
  }
  const { version, pieces, control } = value
  if (version !== 1 || !strings(pieces) || !strings(control))
    throw new DataError(
      "invalid",
      subject,
      `it is no piece file of version 1 (version ${JSON.stringify(version)}); prepare it again.`,
    )
  const texts = pieces.map((text): Piece => ({
    piece: text.startsWith(" ") ? `${SPACE}${text.slice(1)}` : text,
    type: "normal",
    score: 0,
  }))
  return {
    pieces: [...texts, ...control.map((piece): Piece => ({ piece, type: "control", score: 0 }))],
    algorithm: "literal",
    byteFallback: false,
    splitDigits: false,
    whitespaceAsSuffix: false,
    characterCoverage: 1,
    ids: { unknown: -1, bos: pieces.length, eos: -1, pad: -1 },
    normalizer: {
      stated: true,
      name: "identity",
      rules: new Uint8Array(),
      addDummyPrefix: false,
      removeExtraWhitespaces: false,
      escapeWhitespaces: true,
      denormalizes: false,
    },
    digest: literalTokenizer([...pieces, ...control]).digest,
  }
}

/** The pieces with text of a model that a piece file gave, by id; undefined for any other model. */
export const literalPieces = ({ algorithm, pieces }: SentencePieceModel): readonly string[] | undefined =>
  algorithm !== "literal"
    ? undefined
    : pieces
        .filter(({ type }) => type === "normal")
        .map(({ piece }) => (piece.startsWith(SPACE) ? ` ${piece.slice(1)}` : piece))
