/**
 * Rows that are whole documents of a token stream, each as long as it is: nothing is packed, absence is PAD. A document
 * lies between two boundary tokens; with a separator in it, what stands before is the prompt.
 */
import { DataError } from "../../files/errors.js"
import { predictionRow, trainingRow, type CollatedRow, type RowParts, type RowShape } from "./collate.js"
import { cannotSpell, spelled, type Encode } from "./spelled.js"
import { splitDocument } from "./split-document.js"
import type { Tokens } from "./tokens.js"

export interface DocumentRule {
  readonly boundaryId: number
  /** Stands between prompt and target; no document has a prompt when absent. */
  readonly separatorId?: number
  readonly padId: number
  /** Tokens of a row. */
  readonly length: number
  /** anchor: each row ends with the boundary token, which is given. none: rows are their tokens alone. */
  readonly end: "anchor" | "none"
  /** kept: the separator stays in the row, given with the prompt. */
  readonly separator: "kept" | "dropped"
  /** Where a document longer than a row is cut; see `splitDocument`. */
  readonly delimiter: readonly number[]
}

/** Rows of a stream: row i has the tokens [starts[i], ends[i]), and up to prompts[i] they are given. */
export interface DocumentIndex {
  readonly starts: Uint32Array
  readonly ends: Uint32Array
  /** End of each row's prompt, which is the place of its separator; `NO_PROMPT` without one. */
  readonly prompts: Uint32Array
  /** Documents that the rows come from. */
  readonly documents: number
  /** Rows whose prompt and target do not fit, and the tokens of them that are lost. */
  readonly cut: { readonly rows: number; readonly tokens: number }
}

export const NO_PROMPT = 0xffffffff

const room = ({ length, end }: DocumentRule): number => (end === "anchor" ? length - 1 : length)

/**
 * The rows of all whole documents, in the order of the stream. A document without a prompt that is longer than a row
 * becomes several; one with a prompt is cut at its end. Adjacent boundaries hold no document.
 *
 * @throws DataError when the stream has no whole document
 */
export const buildDocumentIndex = (
  tokens: Tokens,
  rule: DocumentRule,
  subject = "token stream",
): DocumentIndex => {
  const starts: number[] = []
  const ends: number[] = []
  const prompts: number[] = []
  const cut = { rows: 0, tokens: 0 }
  let documents = 0
  const add = (start: number, end: number, prompt: number): void => {
    starts.push(start)
    ends.push(end)
    prompts.push(prompt)
  }
  for (let at = tokens.indexOf(rule.boundaryId); at >= 0;) {
    const next = tokens.indexOf(rule.boundaryId, at + 1)
    if (next > at + 1) {
      documents++
      const found = rule.separatorId === undefined ? -1 : tokens.indexOf(rule.separatorId, at + 1)
      const prompt = found >= 0 && found < next ? found : NO_PROMPT
      if (prompt === NO_PROMPT)
        for (const [start, end] of splitDocument(tokens, [at + 1, next], room(rule), rule.delimiter))
          add(start, end, NO_PROMPT)
      else {
        add(at + 1, next, prompt)
        const lost = next - at - 1 - (rule.separator === "dropped" ? 1 : 0) - room(rule)
        if (lost > 0) {
          cut.rows++
          cut.tokens += lost
        }
      }
    }
    at = next
  }
  if (starts.length === 0)
    throw new DataError(
      "invalid",
      subject,
      `there is no whole document between two boundary tokens (id ${rule.boundaryId}) in ${tokens.length} tokens; correct data.tokenizer.boundaryId or use larger shards.`,
    )
  return {
    starts: Uint32Array.from(starts),
    ends: Uint32Array.from(ends),
    prompts: Uint32Array.from(prompts),
    documents,
    cut,
  }
}

/** A sentence about rows that were cut; undefined when none was. */
export const describeCut = ({ cut, starts }: DocumentIndex, { length }: DocumentRule): string | undefined =>
  cut.rows === 0
    ? undefined
    : `${cut.rows} of ${starts.length} rows do not fit ${length} tokens: ${cut.tokens} tokens of their ends are left out, and a row that was cut looks like a finished one; raise data.batching.length to keep them.`

/** Prompt and target of a row, as they stand in the stream; the separator belongs to neither. */
export const documentParts = (
  tokens: Tokens,
  { starts, ends, prompts }: DocumentIndex,
  row: number,
): RowParts => {
  const [start, end, prompt] = [starts[row], ends[row], prompts[row]]
  if (start === undefined || end === undefined || prompt === undefined)
    throw new RangeError(`documentParts: row ${row} of ${starts.length}.`)
  return prompt === NO_PROMPT
    ? { target: tokens.subarray(start, end) }
    : { prompt: tokens.subarray(start, prompt), target: tokens.subarray(prompt + 1, end) }
}

/** Rows of a rule as the collators know them. */
export const documentShape = ({
  length,
  padId,
  boundaryId,
  separatorId,
  end,
  separator,
}: DocumentRule): RowShape => ({
  width: length,
  padId,
  ...(end === "anchor" ? { endId: boundaryId } : {}),
  ...(separator === "kept" && separatorId !== undefined ? { separatorId } : {}),
})

/** One row for training. */
export const documentRow = (
  tokens: Tokens,
  index: DocumentIndex,
  row: number,
  rule: DocumentRule,
): CollatedRow => trainingRow(documentParts(tokens, index, row), documentShape(rule))

/** [length] Where in the stream each token of a training row stands; -1 for its end and padding. */
export const documentPlaces = (
  { starts, ends, prompts }: DocumentIndex,
  row: number,
  rule: DocumentRule,
): Int32Array => {
  const places = new Int32Array(rule.length).fill(-1)
  const dropped = rule.separator === "dropped" ? prompts[row]! : NO_PROMPT
  let at = 0
  for (let place = starts[row]!; place < ends[row]! && at < room(rule); place++)
    if (place !== dropped) places[at++] = place
  return places
}

/** What a sampler starts from for the same row: its prompt, and the end where rows have one. */
export const documentPrompt = (
  tokens: Tokens,
  index: DocumentIndex,
  row: number,
  rule: DocumentRule,
): CollatedRow => predictionRow(documentParts(tokens, index, row), documentShape(rule))

/** What a spec says about rows of documents. */
export interface DocumentSpec {
  readonly tokenizer: {
    readonly boundaryId: number
    readonly separatorId?: number
    readonly padId: number
  }
  readonly batching: {
    readonly length: number
    readonly end?: "anchor" | "none"
    readonly separator?: "kept" | "dropped"
    readonly delimiter?: string | readonly number[]
  }
}

/** @param encode spells a delimiter that is a text. @throws DataError where it cannot */
export const documentRule = (
  { tokenizer, batching }: DocumentSpec,
  encode: Encode = cannotSpell,
): DocumentRule => ({
  boundaryId: tokenizer.boundaryId,
  ...(tokenizer.separatorId === undefined ? {} : { separatorId: tokenizer.separatorId }),
  padId: tokenizer.padId,
  length: batching.length,
  end: batching.end ?? "none",
  separator: batching.separator ?? "kept",
  delimiter: spelled(batching.delimiter ?? [], "data.batching.delimiter", encode),
})
