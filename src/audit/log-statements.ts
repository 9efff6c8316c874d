/** What a log says of its own evaluation: scored tokens, vocabulary, and how its windows end. */
import { printedCount } from "./printed-count.js"
import type { LogLine } from "./log-text.js"
import type { Tail } from "../metric/code/sliding.js"

/** What a line says. */
export interface Statement<A> {
  readonly line: number
  readonly value: A
}

export interface RefusedStatement {
  readonly line: number
  readonly what: "count" | "figure"
  readonly printed: string
  readonly reason: string
}

/** Windows that overlap, where the log prints them. */
export interface StatedWindows {
  readonly length: number | undefined
  readonly stride: number | undefined
  readonly tail: Tail | undefined
}

export interface LogStatements {
  readonly tokens: readonly Statement<number>[]
  /** Counts that are no count to the last unit. */
  readonly refused: readonly RefusedStatement[]
  /** Name of a tokenizer as `knownTokenizer` reads it, or the number of its pieces. */
  readonly vocabularies: readonly Statement<number>[]
  readonly caseOps: boolean
  readonly windows: StatedWindows
}

/** What follows a key up to a blank or a mark that ends it; a comma or a hard space before a digit belongs to the number. */
const RAW = String.raw`(?<raw>(?:[^\s,;|{}()\[\]"]|[,\u00a0\u2009\u202f](?=\d))+)`
const KEY_END = String.raw`"?\s*[:=]\s*"?`
/** A number that begins here; names of variables in a script's own source do not. */
const LIKE_NUMBER = /^[-+~<>≈]?\.?\d/

const TOKEN_KEYS = [
  new RegExp(String.raw`\bval(?:idation)?_loader\b.*?\btokens${KEY_END}${RAW}(?<rest>.{0,40})`, "i"),
  new RegExp(
    String.raw`\b(?:num_|n_|total_)?(?:val(?:idation)?|eval)[_ ]tokens${KEY_END}${RAW}(?<rest>.{0,40})`,
    "i",
  ),
]
const VOCABULARY = new RegExp(String.raw`(?:^|[\s{,"(])vocab(?:ulary)?_?size${KEY_END}${RAW}`, "i")
/** A hyperparameter on a line of its own, which no call in a script's source is. */
const VOCABULARY_ALONE = /^\s*"?vocab(?:ulary)?_?size"?(?::\s*|=)"?(?<raw>\d[^\s"]*?)"?,?\s*$/i
const DATA_PATH =
  /\b(?:tokenizer_path|val_files|datasets?_dir|data_path|data_dir|pattern|dataset)\s*[:=]\s*(?<path>[./~\w][^\s"',()]*)/gi
const PIECES_IN_PATH = /(?:^|[_./-])(?:sp|bpe|byte)[-_]?(\d{3,6})(?=$|[_./-])|_(\d{3,6})_bpe/i
const BYTE_TOKENIZER = /\btokenizer_kind\s*[:=]\s*(?:pure_?)?bytes?\b/i
const CASE_OPS = /\bcaseops_enabled\s*[:=]\s*(?:true|1)\b/i
const STRIDE = /\b(?:eval_)?stride\s*[:=]\s*(\d{1,6})\b/i
const LENGTH = /\b(?:eval_seq_len|eval_length|eval_context)\s*[:=]\s*(\d{1,6})\b/i
const TAIL = /\btail(?:_rule|_policy)?\s*[:=]\s*"?([ABC])\b/

/** The tokens that a line says are scored; several forms on one line count once. */
const tokensOf = (text: string): { readonly raw: string; readonly spaced: boolean } | undefined => {
  for (const key of TOKEN_KEYS) {
    const groups = key.exec(text)?.groups
    const raw = groups?.["raw"]?.replace(/[.:]+$/, "")
    if (raw === undefined || !LIKE_NUMBER.test(raw)) continue
    // "62 021 632": the first group alone is another count.
    return { raw, spaced: /^\d{1,3}$/.test(raw) && /^[ ]\d{3}(?!\d)/.test(groups?.["rest"] ?? "") }
  }
  return undefined
}

const piecesOf = (text: string): number | undefined => {
  if (BYTE_TOKENIZER.test(text)) return 256
  for (const match of text.matchAll(DATA_PATH)) {
    const pieces = PIECES_IN_PATH.exec(match.groups?.["path"] ?? "")
    if (pieces !== null) return Number(pieces[1] ?? pieces[2])
  }
  return undefined
}

const wholeOf = (raw: string | undefined): number | undefined => {
  if (raw === undefined) return undefined
  const count = printedCount(raw)
  return count.kind === "whole" ? count.value : undefined
}

/** A path names the tokenizer itself; a hyperparameter alone on its line comes next, then any other mention. */
const strongest = (
  lines: readonly { readonly line: number; readonly rank: number; readonly value: number }[],
): readonly Statement<number>[] => {
  const best = lines.reduce((most, { rank }) => Math.max(most, rank), 0)
  return lines.filter(({ rank }) => rank === best).map(({ line, value }) => ({ line, value }))
}

export const readStatements = (lines: readonly LogLine[]): LogStatements => {
  const tokens: Statement<number>[] = []
  const refused: RefusedStatement[] = []
  const vocabularies: { line: number; rank: number; value: number }[] = []
  let caseOps = false
  let windows: StatedWindows = { length: undefined, stride: undefined, tail: undefined }
  for (const { number: line, text } of lines) {
    const found = tokensOf(text)
    if (found !== undefined) {
      const count = printedCount(found.raw)
      if (found.spaced)
        refused.push({ line, what: "count", printed: found.raw, reason: "more digits follow after a blank" })
      else if (count.kind === "whole") tokens.push({ line, value: count.value })
      else refused.push({ line, what: "count", printed: count.printed, reason: count.reason })
    }
    const path = piecesOf(text)
    if (path !== undefined) vocabularies.push({ line, rank: 3, value: path })
    const alone = wholeOf(VOCABULARY_ALONE.exec(text)?.groups?.["raw"])
    const inline = wholeOf(VOCABULARY.exec(text)?.groups?.["raw"])
    if (alone !== undefined) vocabularies.push({ line, rank: 2, value: alone })
    else if (inline !== undefined) vocabularies.push({ line, rank: 1, value: inline })
    caseOps ||= CASE_OPS.test(text)
    const numberOf = (pattern: RegExp): number | undefined => {
      const match = pattern.exec(text)?.[1]
      return match === undefined ? undefined : Number(match)
    }
    windows = {
      length: numberOf(LENGTH) ?? windows.length,
      stride: numberOf(STRIDE) ?? windows.stride,
      tail: (TAIL.exec(text)?.[1] as Tail | undefined) ?? windows.tail,
    }
  }
  return { tokens, refused, vocabularies: strongest(vocabularies), caseOps, windows }
}
