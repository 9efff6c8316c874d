/**
 * The vocabulary of a tokenizer.json as pieces that say their bytes, and how text became them, as the byte counts need.
 *
 * Byte-level vocabularies spell every byte by a printable character (GPT-2's table); a piece that is part of a UTF-8
 * character, or holds a U+2581 of its own, is written as its bytes. Metaspace vocabularies write a space as U+2581.
 * Any other (word pieces) does not say what text it stands for: nothing is counted then.
 */
import type { Piece, SentencePieceModel } from "./sentencepiece.js"
import { SPACE } from "./normalizer.js"

interface Step {
  readonly type?: string
  readonly [key: string]: unknown
}

export interface JsonVocabulary {
  readonly model: {
    readonly type?: string
    readonly vocab: Readonly<Record<string, number>> | readonly unknown[]
    readonly byte_fallback?: boolean
    readonly unk_token?: string | null
    readonly unk_id?: number | null
  }
  readonly added_tokens?: readonly {
    readonly id: number
    readonly content: string
    readonly special?: boolean
  }[]
  readonly normalizer?: Step | null
  readonly pre_tokenizer?: Step | null
  readonly decoder?: Step | null
}

/** A step and those inside it, in order. */
const stepsOf = (step: Step | null | undefined): readonly Step[] => {
  if (step === null || step === undefined) return []
  const inner = ["normalizers", "pretokenizers", "decoders"].flatMap((key) =>
    Array.isArray(step[key]) ? (step[key] as readonly Step[]) : [],
  )
  return inner.length === 0 ? [step] : inner.flatMap(stepsOf)
}

const printable = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae

/** GPT-2's table: the printable bytes stand for themselves, the others for the characters from U+0100 on, in order. */
const BYTE_OF: ReadonlyMap<string, number> = (() => {
  const table = new Map<string, number>()
  let beyond = 0
  for (let byte = 0; byte < 256; byte++)
    table.set(String.fromCharCode(printable(byte) ? byte : 0x100 + beyond++), byte)
  return table
})()

const spelled = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`).join("")

/** A byte-level piece: its text, or its bytes where they are no text of their own. */
const byteLevel = (piece: string): Pick<Piece, "piece" | "type"> | undefined => {
  const bytes = new Uint8Array(piece.length)
  for (let i = 0; i < piece.length; i++) {
    const byte = BYTE_OF.get(piece[i]!)
    if (byte === undefined) return undefined
    bytes[i] = byte
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
    if (!text.includes(SPACE)) return { piece: text, type: "normal" }
  } catch {
    // Part of a character.
  }
  return { piece: spelled(bytes), type: "byte" }
}

type Form = "byte-level" | "metaspace" | "words"

const formOf = ({ pre_tokenizer, decoder, normalizer }: JsonVocabulary): Form => {
  const types = new Set([...stepsOf(pre_tokenizer), ...stepsOf(decoder)].map(({ type }) => type))
  if (types.has("ByteLevel")) return "byte-level"
  const marks = [...stepsOf(decoder), ...stepsOf(normalizer)].some(
    ({ type, content, pattern }) =>
      type === "Replace" &&
      (content === SPACE || (pattern as { String?: string } | undefined)?.String === SPACE),
  )
  return types.has("Metaspace") || marks ? "metaspace" : "words"
}

/** Whether a space is put before each text. */
const prefixed = ({ pre_tokenizer, normalizer }: JsonVocabulary): boolean =>
  [...stepsOf(pre_tokenizer), ...stepsOf(normalizer)].some(
    ({ type, add_prefix_space: add, prepend_scheme: scheme, prepend }) =>
      (type === "ByteLevel" && add !== false) ||
      (type === "Metaspace" && (scheme === undefined ? add !== false : scheme !== "never")) ||
      (type === "Prepend" && prepend === SPACE),
  )

/** Names of what changes text beyond the mark of spaces. */
const replacements = ({ normalizer }: JsonVocabulary): readonly string[] =>
  stepsOf(normalizer).flatMap(({ type, content }) =>
    type === undefined || type === "Prepend" || (type === "Replace" && content === SPACE) ? [] : [type],
  )

/** Id and text of every piece of the vocabulary. */
const entries = ({ model }: JsonVocabulary): readonly (readonly [string, number])[] =>
  Array.isArray(model.vocab)
    ? model.vocab.map((row: unknown, id) => [String((row as readonly unknown[])[0]), id])
    : Object.entries(model.vocab as Readonly<Record<string, number>>)

/** What a tokenizer.json says of its pieces; without its encoder. */
export const jsonModel = (
  json: JsonVocabulary,
  size: number,
): Omit<SentencePieceModel, "digest" | "encode"> => {
  const form = formOf(json)
  const { model, added_tokens: added = [] } = json
  const unused: Piece = { piece: "", type: "unused", score: 0 }
  const pieces: Piece[] = Array.from({ length: size }, () => unused)
  const fallback = model.byte_fallback === true
  const unknown = model.unk_token ?? undefined
  for (const [text, id] of entries(json)) {
    const isUnknown = text === unknown || (Array.isArray(model.vocab) && id === model.unk_id)
    const own: Pick<Piece, "piece" | "type"> = isUnknown
      ? { piece: text, type: "unknown" }
      : form === "byte-level"
        ? (byteLevel(text) ?? { piece: text, type: "unused" })
        : fallback && /^<0x[0-9A-F]{2}>$/.test(text)
          ? { piece: text, type: "byte" }
          : { piece: text, type: "normal" }
    pieces[id] = { ...own, score: 0 }
  }
  for (const { id, content, special } of added)
    if (pieces[id]?.type !== "unknown")
      pieces[id] = { piece: content, type: special === false ? "user-defined" : "control", score: 0 }
  const replaced = replacements(json)
  return {
    pieces,
    algorithm: "json",
    byteFallback: fallback,
    splitDigits: false,
    whitespaceAsSuffix: false,
    characterCoverage: 1,
    ids: {
      unknown: pieces.findIndex(({ type }) => type === "unknown"),
      bos: pieces.findIndex(({ type }) => type === "control"),
      eos: -1,
      pad: -1,
    },
    normalizer: {
      stated: true,
      name: replaced.join(" and "),
      rules: replaced.length > 0 || form === "words" ? Uint8Array.of(1) : new Uint8Array(),
      addDummyPrefix: prefixed(json),
      removeExtraWhitespaces: false,
      escapeWhitespaces: form === "metaspace",
      denormalizes: false,
      ...(form === "words" ? { lossy: true } : {}),
    },
  }
}
