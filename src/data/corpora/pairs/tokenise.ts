/** Rows to the ids of their documents; what a worker thread does. */
import { DataError } from "../../../files/errors.js"
import type { Tokenizer } from "../../tokenizers/tokenizer.js"
import { DETOKENISERS, type Detokeniser } from "./detokenise.js"

export interface PairRule {
  readonly prompt: string
  readonly target: string
  readonly promptEnd: string
  readonly blanks?: "kept" | undefined
  readonly promptTemplate?: string | undefined
  readonly targetSplit?: string | undefined
  readonly targetTemplate?: string | undefined
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
  /** Of each row: its ids, and the UTF-8 bytes of its texts; 0 where it is no document. */
  readonly lengths: Uint32Array
  readonly sizes: Uint32Array
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

/** The template with each {name} replaced; what a text holds in braces is left alone. */
const filled = (template: string, texts: Readonly<Record<string, string>>): string =>
  template.replaceAll(/\{(\w+)\}/g, (whole, name: string) => texts[name] ?? whole)

/** The text of a target as its rule has it. @throws DataError where it lacks what divides it */
const targetText = (text: string, { targetSplit, targetTemplate }: PairRule, place: string): string => {
  if (targetSplit === undefined)
    return targetTemplate === undefined ? text : filled(targetTemplate, { target: text })
  const at = text.lastIndexOf(targetSplit)
  if (at < 0)
    throw new DataError(
      "invalid",
      place,
      `its target has no ${JSON.stringify(targetSplit)}; correct data.corpus.targetSplit in the spec.`,
    )
  const parts = { target: text.slice(0, at).trim(), answer: text.slice(at + targetSplit.length).trim() }
  return filled(targetTemplate ?? "{target}", parts)
}

const pairsBy = (rule: PairRule, { encode }: Pick<Tokenizer, "encode">): Make => {
  const { prompt, target, promptEnd, separatorId, blanks, promptTemplate } = rule
  const end = encode(promptEnd)
  const where = "data.corpus.prompt or data.corpus.target"
  return (row, place) => {
    const own = (name: string): string => {
      const text = textOf(row, name, place, where)
      return blanks === "kept" ? text : text.trim()
    }
    const first = filled(promptTemplate ?? "{prompt}", { prompt: own(prompt) })
    const second = targetText(own(target), rule, place)
    const given = encode(first)
    // Rows are told apart at the first separator of a document.
    if (
      separatorId !== undefined &&
      (Array.from(given).includes(separatorId) || Array.from(end).includes(separatorId))
    )
      throw new DataError(
        "invalid",
        place,
        `its prompt holds the piece ${separatorId}, which is to stand between prompt and target; give data.tokenizer.separatorId an id that no text has.`,
      )
    return {
      ids: [given, end, separatorId === undefined ? [] : [separatorId], encode(second)],
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
  const [lengths, sizes] = [new Uint32Array(texts.length), new Uint32Array(texts.length)]
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
    const before = ids.length
    for (const part of made.ids) for (let k = 0; k < part.length; k++) ids.push(part[k]!)
    ids.push(rule.boundaryId)
    bytes += made.bytes
    documents++
    lengths[i] = ids.length - before
    sizes[i] = made.bytes
  })
  return { ids: Uint32Array.from(ids), lengths, sizes, documents, bytes }
}
