/** Lines of JSON to the ids of their documents; what a worker thread does. */
import { DataError } from "../../../files/errors.js"
import type { Tokenizer } from "../../tokenizers/tokenizer.js"

export interface PairRule {
  readonly prompt: string
  readonly target: string
  readonly promptEnd: string
  readonly boundaryId: number
  readonly separatorId?: number
}

/** Lines of one file, with their numbers. */
export interface Block {
  readonly file: string
  readonly lines: readonly number[]
  /** One text of JSON a line. */
  readonly texts: readonly string[]
}

export interface TokenisedBlock {
  /** Of each document: prompt, separator, target, boundary. */
  readonly ids: Uint32Array
  readonly documents: number
  /** UTF-8 bytes of the texts. */
  readonly bytes: number
}

const textOf = (row: unknown, name: string, place: string): string => {
  const value = typeof row === "object" && row !== null ? (row as Record<string, unknown>)[name] : undefined
  if (typeof value === "string") return value.trim()
  throw new DataError(
    "invalid",
    place,
    `the row has no text "${name}"${value === undefined ? "" : `, but ${JSON.stringify(value)?.slice(0, 40)}`}; correct data.corpus.prompt or data.corpus.target in the spec.`,
  )
}

/** @throws DataError naming the file and line of what is no row */
export const tokeniseBlock = (
  { file, lines, texts }: Block,
  { prompt, target, promptEnd, boundaryId, separatorId }: PairRule,
  { encode }: Pick<Tokenizer, "encode">,
): TokenisedBlock => {
  const end = encode(promptEnd)
  const ids: number[] = []
  let bytes = 0
  texts.forEach((text, i) => {
    const place = `${file}, line ${lines[i]}`
    let row: unknown
    try {
      row = JSON.parse(text)
    } catch (error) {
      throw new DataError("invalid", place, "it is cut or not JSON; fetch the file again.", error)
    }
    const [first, second] = [textOf(row, prompt, place), textOf(row, target, place)]
    for (const id of encode(first)) ids.push(id)
    for (const id of end) ids.push(id)
    if (separatorId !== undefined) ids.push(separatorId)
    for (const id of encode(second)) ids.push(id)
    ids.push(boundaryId)
    bytes += Buffer.byteLength(first) + Buffer.byteLength(promptEnd) + Buffer.byteLength(second)
  })
  return { ids: Uint32Array.from(ids), documents: texts.length, bytes }
}
