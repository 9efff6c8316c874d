/**
 * SentencePiece's text normalisation. A model carries its rules (nmt_nfkc and the like) compiled into a double-array
 * trie (https://github.com/s-yata/darts-clone) that maps byte strings to replacements: four bytes little-endian trie
 * size, the trie's 32-bit units, then the replacements, each ended by a zero byte.
 */
import type { SentencePieceModel } from "./sentencepiece.js"

/** Stands for a space in pieces. */
export const SPACE = "\u2581"

const SPACE_BYTE = 0x20
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
const encoder = new TextEncoder()

/** Longest matching rule at a position: how many bytes it consumes and where its replacement lies. */
class Rules {
  readonly #units: Uint32Array
  readonly #replacements: Uint8Array

  constructor(blob: Uint8Array) {
    const size = new DataView(blob.buffer, blob.byteOffset).getUint32(0, true)
    this.#units = new Uint32Array(blob.slice(4, 4 + size).buffer)
    this.#replacements = blob.subarray(4 + size)
  }

  static #offset(unit: number): number {
    return (unit >>> 10) << ((unit & 0x200) >>> 6)
  }

  /** Bytes consumed (0 when no rule matches) and the start of the replacement. */
  longest(text: Uint8Array, start: number): { consumed: number; replacement: number } {
    let consumed = 0
    let replacement = 0
    let node = Rules.#offset(this.#units[0] ?? 0)
    for (let at = start; at < text.length; at++) {
      const byte = text[at]!
      node ^= byte
      const unit = this.#units[node] ?? 0
      if ((unit & 0x800000ff) >>> 0 !== byte) break
      node ^= Rules.#offset(unit)
      if ((unit >>> 8) & 1) {
        consumed = at - start + 1
        replacement = (this.#units[node] ?? 0) & 0x7fffffff
      }
    }
    return { consumed, replacement }
  }

  replacement(start: number): Uint8Array {
    return this.#replacements.subarray(start, this.#replacements.indexOf(0, start))
  }
}

const utf8Length = (lead: number): number => (lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4)

const isSpace = (output: Uint8Array): boolean => output.length === 1 && output[0] === SPACE_BYTE

export interface NormalizerOptions {
  /** The space that is put before a text is put behind it. */
  readonly whitespaceAsSuffix?: boolean
  /** User-defined pieces: they stay as they are. */
  readonly kept?: readonly string[]
}

/** Function that normalises text for a model; spaces in its result are U+2581 where the model escapes them. */
export const makeNormalizer = (
  spec: SentencePieceModel["normalizer"],
  { whitespaceAsSuffix = false, kept = [] }: NormalizerOptions = {},
): ((text: string) => string) => {
  const rules = spec.rules.length > 4 ? new Rules(spec.rules) : undefined
  const whole = kept.map((piece) => encoder.encode(piece)).sort((a, b) => b.length - a.length)
  const keptAt = (bytes: Uint8Array, at: number): Uint8Array | undefined =>
    whole.find((piece) => piece.length > 0 && piece.every((byte, i) => bytes[at + i] === byte))

  const match = (bytes: Uint8Array, at: number): { consumed: number; output: Uint8Array } => {
    const piece = whole.length === 0 ? undefined : keptAt(bytes, at)
    if (piece !== undefined) return { consumed: piece.length, output: piece }
    const found = rules?.longest(bytes, at)
    if (found !== undefined && found.consumed > 0) {
      return { consumed: found.consumed, output: rules!.replacement(found.replacement) }
    }
    const consumed = utf8Length(bytes[at]!)
    return { consumed, output: bytes.subarray(at, at + consumed) }
  }

  /**
   * The replaced text, with extra spaces removed where asked for, spaces still being U+0020; undefined where there is
   * nothing but such spaces. Text that rules replace by nothing is an empty text still, which gets its space.
   */
  const replace = (text: string): string | undefined => {
    const bytes = encoder.encode(text)
    let result = new Uint8Array(bytes.length * 2 + 16)
    let length = 0
    let at = 0
    if (spec.removeExtraWhitespaces) {
      for (let next = 0; at < bytes.length; at = next) {
        const { consumed, output } = match(bytes, at)
        if (!isSpace(output)) break
        next = at + consumed
      }
    }
    if (at >= bytes.length) return undefined
    let afterSpace = spec.removeExtraWhitespaces
    while (at < bytes.length) {
      const { consumed, output } = match(bytes, at)
      at += consumed
      let from = 0
      if (afterSpace) while (output[from] === SPACE_BYTE) from++
      if (from < output.length) {
        if (length + output.length > result.length) {
          const larger = new Uint8Array(result.length * 2 + output.length)
          larger.set(result)
          result = larger
        }
        result.set(output.subarray(from), length)
        length += output.length - from
        afterSpace = output.at(-1) === SPACE_BYTE
      }
      if (!spec.removeExtraWhitespaces) afterSpace = false
    }
    if (spec.removeExtraWhitespaces) while (length > 0 && result[length - 1] === SPACE_BYTE) length--
    return decoder.decode(result.subarray(0, length))
  }

  /** No rule touches printable ASCII, alone or in pairs, so most English text needs no trie. */
  const plainAscii = ((): boolean => {
    if (whole.length > 0) return false
    for (let first = 0x20; first < 0x7f; first++) {
      for (let second = 0x20; second < 0x7f; second++) {
        const { consumed, output } = match(Uint8Array.of(first, second), 0)
        if (consumed !== 1 || output.length !== 1 || output[0] !== first) return false
      }
    }
    return true
  })()

  return (text) => {
    let clean: string | undefined
    if (plainAscii && /^[ -~]*$/.test(text)) {
      clean = spec.removeExtraWhitespaces ? text.replaceAll(/ {2,}/g, " ").replaceAll(/^ | $/g, "") : text
    } else {
      clean = replace(text)
      // A space before an empty text is a space at its end, which goes; one behind it stays.
      if (clean === "" && !whitespaceAsSuffix && spec.removeExtraWhitespaces) clean = undefined
      if (clean === "" && spec.addDummyPrefix) return spec.escapeWhitespaces ? SPACE : " "
    }
    if (clean === undefined || clean === "") return ""
    if (spec.addDummyPrefix) clean = whitespaceAsSuffix ? `${clean} ` : ` ${clean}`
    return spec.escapeWhitespaces ? clean.replaceAll(" ", SPACE) : clean
  }
}

/** The normaliser of a model. */
export const normalizerOf = ({
  normalizer,
  whitespaceAsSuffix,
  pieces,
}: Pick<SentencePieceModel, "normalizer" | "whitespaceAsSuffix" | "pieces">): ((text: string) => string) =>
  makeNormalizer(normalizer, {
    whitespaceAsSuffix,
    kept: pieces.flatMap(({ piece, type }) => (type === "user-defined" ? [piece] : [])),
  })
