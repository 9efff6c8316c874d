/** From token ids back to the bytes of the text. */
import { byteValues } from "../../metric/bytes/byte-table.js"
import { SPACE } from "./normalizer.js"
import type { Piece } from "./sentencepiece.js"

const SPACE_BYTE = 0x20

type Spelled = Pick<Piece, "piece" | "type">

const encoder = new TextEncoder()

/** Bytes of one piece; undefined for a boundary. */
const bytesOf = ({ piece, type }: Spelled): Uint8Array | undefined => {
  if (type === "control" || type === "unknown" || type === "unused") return undefined
  return byteValues({ piece, type }) ?? encoder.encode(piece.startsWith(SPACE) ? ` ${piece.slice(1)}` : piece)
}

/**
 * UTF-8 bytes of tokens: pieces joined, U+2581 read as a space, byte pieces as their byte. The space that a piece
 * opens with is left out after a boundary (a control, unknown or unused piece, or nothing), as the text before it
 * has ended; boundaries themselves are no text. So the length equals the byte table's sum over the same tokens.
 *
 * @param previous id before the first token, or -1
 */
export const decodeTokens = (
  pieces: readonly Spelled[],
  tokens: ArrayLike<number>,
  previous = -1,
): Uint8Array => {
  // Those that occur, never the whole vocabulary: it may have a quarter of a million pieces, and a text a few.
  const textAt = (id: number): Uint8Array | undefined => {
    const piece = pieces[id]
    return piece === undefined ? undefined : bytesOf(piece)
  }
  const parts: Uint8Array[] = []
  let open = previous >= 0 && textAt(previous) !== undefined
  for (let i = 0; i < tokens.length; i++) {
    const text = textAt(tokens[i]!)
    if (text !== undefined) parts.push(!open && text[0] === SPACE_BYTE ? text.subarray(1) : text)
    open = text !== undefined
  }
  return Buffer.concat(parts)
}
