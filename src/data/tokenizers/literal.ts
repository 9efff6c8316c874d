/**
 * A tokenizer whose pieces are the texts that they stand for: the longest piece that fits is taken, from the left.
 * For generated data, whose texts are made of few parts.
 */
import { createHash } from "node:crypto"

export interface LiteralTokenizer {
  readonly pieces: readonly string[]
  /** SHA-256 of the pieces as JSON: the tokenizer's identity. */
  readonly digest: string
  /** @throws RangeError where no piece fits, naming the place */
  readonly encode: (text: string) => Int32Array
  /** Ids beyond the pieces have no text. */
  readonly decode: (ids: ArrayLike<number>) => string
}

/** @throws RangeError for an empty or a repeated piece */
export const literalTokenizer = (pieces: readonly string[]): LiteralTokenizer => {
  const ids = new Map<string, number>()
  for (const [id, piece] of pieces.entries()) {
    if (piece === "") throw new RangeError(`piece ${id} is empty`)
    if (ids.has(piece)) throw new RangeError(`the piece ${JSON.stringify(piece)} stands twice`)
    ids.set(piece, id)
  }
  const longest = Math.max(0, ...pieces.map((piece) => piece.length))
  return {
    pieces,
    digest: createHash("sha256").update(JSON.stringify(pieces)).digest("hex"),
    encode: (text) => {
      const out: number[] = []
      let at = 0
      while (at < text.length) {
        let size = Math.min(longest, text.length - at)
        while (size > 0 && !ids.has(text.slice(at, at + size))) size--
        if (size === 0)
          throw new RangeError(
            `no piece spells ${JSON.stringify(text.slice(at, at + 12))} at character ${at} of ${JSON.stringify(text.slice(0, 60))}`,
          )
        out.push(ids.get(text.slice(at, at + size))!)
        at += size
      }
      return Int32Array.from(out)
    },
    decode: (all) => Array.from(all, (id) => pieces[id] ?? "").join(""),
  }
}
