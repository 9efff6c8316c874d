/** What the encoders of SentencePiece models share: user-defined pieces, unknown characters and byte pieces. */
import type { SentencePieceModel } from "./sentencepiece.js"

export interface Symbols {
  readonly symbols: string[]
  /** Places of user-defined pieces; undefined where there is none. */
  readonly frozen: ReadonlySet<number> | undefined
}

/** Cuts normalised text into characters and user-defined pieces, the longest that fits. */
export const splitter = ({ pieces }: Pick<SentencePieceModel, "pieces">): ((text: string) => Symbols) => {
  const defined = pieces
    .flatMap(({ piece, type }) => (type === "user-defined" && piece !== "" ? [piece] : []))
    .sort((a, b) => b.length - a.length)
  if (defined.length === 0) return (text) => ({ symbols: Array.from(text), frozen: undefined })
  return (text) => {
    const symbols: string[] = []
    const frozen = new Set<number>()
    for (let at = 0; at < text.length;) {
      const piece = defined.find((each) => text.startsWith(each, at))
      const symbol = piece ?? String.fromCodePoint(text.codePointAt(at)!)
      if (piece !== undefined) frozen.add(symbols.length)
      symbols.push(symbol)
      at += symbol.length
    }
    return { symbols, frozen }
  }
}

/** Writes ids of symbols: those without a piece in bytes, where the model has them, else as the unknown token. */
export class Speller {
  readonly #bytes: number[] = []
  readonly #unknown: number
  readonly #byteFallback: boolean

  constructor(model: Pick<SentencePieceModel, "pieces" | "byteFallback">) {
    for (const [id, { piece, type }] of model.pieces.entries())
      if (type === "byte") this.#bytes[Number.parseInt(piece.slice(3, 5), 16)] = id
    this.#unknown = model.pieces.findIndex(({ type }) => type === "unknown")
    this.#byteFallback = model.byteFallback
  }

  spell(symbol: string, id: number | undefined, ids: number[]): void {
    if (id !== undefined) ids.push(id)
    else if (this.#byteFallback) for (const byte of Buffer.from(symbol)) ids.push(this.#bytes[byte]!)
    else this.push(ids, this.#unknown)
  }

  /** A run of unknown characters is one unknown token, as in the reference. */
  push(ids: number[], id: number): void {
    if (id !== this.#unknown || ids.at(-1) !== id) ids.push(id)
  }
}
