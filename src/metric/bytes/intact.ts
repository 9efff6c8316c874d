/** Whether a normaliser changed the text of a split whose source text has a known length. */
import type { Tokens } from "../tokens.js"
import type { TablePiece } from "./byte-table.js"
import { decodeText, type TextRules } from "./text-bytes.js"

/**
 * The tokens of a split decode to exactly as many bytes as its documents have. False where they do not, and where the
 * length of the source text is not known: then nobody can say.
 */
export const isIntact = (
  { pieces, text }: { readonly pieces: readonly TablePiece[]; readonly text: TextRules },
  split: Tokens,
  sourceBytes: number | undefined,
): boolean =>
  sourceBytes !== undefined &&
  split.every((token) => token < pieces.length) &&
  decodeText(pieces, text, { tokens: split, previous: -1, following: -1 }).length === sourceBytes
