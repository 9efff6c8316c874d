/** From token ids back to the bytes of the text. */
import { byteValues } from "../../metric/bytes/byte-table.js"
import { SPACE } from "./normalizer.js"
import type { Piece } from "./sentencepiece.js"

const SPACE_BYTE = 0x20

/**
 * UTF-8 bytes of tokens: pieces joined, U+2581 read as a space, byte pieces as their byte. The space that a piece
 * opens with is left out after a boundary (a control, unknown or unused piece, or nothing), as the text before it
 * has ended; boundaries themselves are no text. So the length equals the byte table's sum over the same tokens.
 *
 * @param previous id before the first token, or -1
 */
export const decodeTokens = (
  pieces: readonly Pick<Piece, "piece" | "type">[],
  tokens: ArrayLike<number>,
  previous = -1,
): Uint8Array => {
  const encoder = new TextEncoder()
  const texts = pieces.map(({ piece, type }): Uint8Array | undefined => {
    if (type === "control" || type === "unknown" || type === "unused") return undefined
    const bytes = byteValues({ piece, type })
    if (bytes !== undefined) return bytes
    return encoder.encode(piece.startsWith(SPACE) ? ` ${piece.slice(1)}` : piece)
  })
  const parts: Uint8Array[] = []
  let open = previous >= 0 && texts[previous] !== undefined
  for (let i = 0; i < tokens.length; i++) {
    const text = texts[tokens[i]!]
    if (text !== undefined) parts.push(!open && text[0] === SPACE_BYTE ? text.subarray(1) : text)
    open = text !== undefined
  }
  return Buffer.concat(parts)
}
