/** What a tokenizer is, whatever file it comes from. */
import type { TablePiece } from "../../metric/bytes/byte-table.js"

export interface Tokenizer {
  /** Short name, as a spec gives it. */
  readonly id: string
  /** SHA-256 of everything that decides its ids, hexadecimal. */
  readonly digest: string
  /** Every id is below. */
  readonly size: number
  /** No boundary and no other special id is added. */
  readonly encode: (text: string) => Int32Array
  /** Special ids have no text. */
  readonly decode: (ids: ArrayLike<number>) => string
  /** Rows of the byte table, where each piece has bytes of its own. */
  readonly pieces?: readonly TablePiece[]
}
