/** Rows to the ids of their documents; what a worker thread does. */
import { DataError } from "../../../files/errors.js"
import type { Tokenizer } from "../../tokenizers/tokenizer.js"
import { DETOKENISERS, type Detokeniser } from "./detokenise.js"

export interface PairRule {
  readonly prompt: string
  readonly target: string
  readonly promptEnd: string
  readonly boundaryId: number
  readonly separatorId?: number
}

/** Rows of one text; a blank text is no document. */
export interface TextRule {
  readonly field: string
  readonly detokenise: Detokeniser | undefined
  /** Longer documents are left out; none when undefined. */
  readonly mostTokens: number | undefined
  readonly boundaryId: number
}

export type RowRule = PairRule | TextRule

/** Rows of one file, with their numbers: lines, or rows of a parquet file. */
export interface Block {
  readonly file: string
  readonly unit: "line" | "row"
  readonly numbers: readonly number[]
  /** One text of JSON a row. */
  readonly texts: readonly string[]
}

export interface TokenisedBlock {
  /** Of each document: prompt, separator, target, boundary; or text, boundary. */
  readonly ids: Uint32Array
  readonly documents: number
  /** UTF-8 bytes of the texts. */
  readonly bytes: number
}

const textOf = (row: unknown, name: string, place: string, where: string): string => {
  const value = typeof row === "object" && row !== null ? (row as Record<string, unknown>)[name] : undefined
  if (typeof value === "string") return value
  throw new DataError(
    "invalid",
    place,
    `the row has no text "${name}"${value === undefined ? "" : `, but ${JSON.stringify(value)?.slice(0, 40)}`}; correct ${where} in the spec.`,
  )
}

/** Ids of one document without its boundary, and the bytes of its text; undefined where there is none. */
type Make = (
  row: unknown,
  place: string,
) => { readonly ids: readonly ArrayLike<number>[]; readonly bytes: number } | undefined

const pairsBy = (
  { prompt, target, promptEnd, separatorId }: PairRule,
  { encode }: Pick<Tokenizer, "encode">,
): Make => {
  const end = encode(promptEnd)
  const where = "data.corpus.prompt or data.corpus.target"
  return (row, place) => {
    const first = textOf(row, prompt, place, where).trim()
    const second = textOf(row, target, place, where).trim()
    return {
      ids: [encode(first), end, separatorId === undefined ? [] : [separatorId], encode(second)],
      bytes: Buffer.byteLength(first) + Buffer.byteLength(promptEnd) + Buffer.byteLength(second),
    }
  }
}

const textsBy =
  ({ field, detokenise, mostTokens = Infinity }: TextRule, { encode }: Pick<Tokenizer, "encode">): Make =>
  (row, place) => {
    const raw = textOf(row, field, place, "data.corpus.field")
    const text = detokenise === undefined ? raw : DETOKENISERS[detokenise](raw)
    if (text.trim() === "") return undefined
    const ids = encode(text)
    return ids.length > mostTokens ? undefined : { ids: [ids], bytes: Buffer.byteLength(text) }
  }

/** @throws DataError naming the file and the line or row of what cannot be read */
export const tokeniseBlock = (
  { file, unit, numbers, texts }: Block,
  rule: RowRule,
  tokenizer: Pick<Tokenizer, "encode">,
): TokenisedBlock => {
  const make = "field" in rule ? textsBy(rule, tokenizer) : pairsBy(rule, tokenizer)
  const ids: number[] = []
  let [bytes, documents] = [0, 0]
  texts.forEach((text, i) => {
    const place = `${file}, ${unit} ${numbers[i]}`
    let row: unknown
    try {
      row = JSON.parse(text)
    } catch (error) {
      throw new DataError("invalid", place, "it is cut or not JSON; fetch the file again.", error)
    }
    const made = make(row, place)
    if (made === undefined) return
    for (const part of made.ids) for (let k = 0; k < part.length; k++) ids.push(part[k]!)
    ids.push(rule.boundaryId)
    bytes += made.bytes
    documents++
  })
  return { ids: Uint32Array.from(ids), documents, bytes }
}
