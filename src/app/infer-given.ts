/** What a person gives the figures of `repro infer` to be held against. */
import { basename } from "node:path"
import type { GivenReference } from "../audit/judge-given.js"
import { readModel } from "../data/tokenizers/read.js"
import { buildByteTable } from "../metric/bytes/byte-table.js"
import { UsageError } from "./outcome.js"

export interface ReferenceOptions {
  /** File of a SentencePiece model or a tokenizer.json. */
  readonly tokenizer?: string | undefined
  /** As written: the digits say what rounding hid. */
  readonly bytesPerToken?: string | undefined
  /** Bytes of the scored text. */
  readonly total?: number | undefined
}

/** @throws UsageError for more than one, or for what is no reference; DataError for a tokenizer that cannot be read */
export const referenceOf = async (options: ReferenceOptions): Promise<GivenReference | undefined> => {
  const { tokenizer, bytesPerToken, total } = options
  if ([tokenizer, bytesPerToken, total].filter((each) => each !== undefined).length > 1)
    throw new UsageError(
      "Give one of --tokenizer, --bytes-per-token and --total: the figures are held against it.",
    )
  if (bytesPerToken !== undefined) {
    if (!(/^\d*\.?\d+$/.test(bytesPerToken) && Number(bytesPerToken) > 0))
      throw new UsageError(`--bytes-per-token ${bytesPerToken}: this is a number above 0, such as 2.4359.`)
    return { kind: "ratio", printed: bytesPerToken }
  }
  if (total !== undefined) {
    if (!(Number.isSafeInteger(total) && total > 0))
      throw new UsageError(`--total ${total}: the bytes of the scored text are a whole number above 0.`)
    return { kind: "total", bytes: total }
  }
  if (tokenizer === undefined) return undefined
  const { pieces } = await readModel(tokenizer)
  const { base, lead } = buildByteTable(pieces)
  const longest = base.reduce((most, bytes, id) => Math.max(most, bytes + lead[id]!), 0)
  return { kind: "tokenizer", name: basename(tokenizer), pieces: pieces.length, longest }
}
