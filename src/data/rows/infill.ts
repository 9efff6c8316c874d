/** Rows with a gap, cut anew whenever they are drawn, from the documents of a token stream. */
import { infillRow, middleLastRow, type MiddleLast } from "../../diffusion/insertion/infill-row.js"
import { DataError } from "../../files/errors.js"
import type { Infill } from "../../spec/data.js"
import type { CollatedRow } from "./collate.js"
import { documentParts, type DocumentIndex, type DocumentRule } from "./documents.js"
import { spelled, type Encode } from "./spelled.js"
import type { Tokens } from "./tokens.js"

export interface MadeInfillRow extends Pick<CollatedRow, "tokens" | "fixed" | "length"> {
  /** The middle is [start, end) of the row. */
  readonly start: number
  readonly end: number
  /** The text before the gap and behind it, without marks. */
  readonly before: readonly number[]
  readonly behind: readonly number[]
}

export interface InfillRows {
  /** Documents that can be cut and fit a row. */
  readonly choices: number
  readonly notice: string | undefined
  /** Row `choice`, cut where two uniforms in [0, 1) say. */
  readonly make: (choice: number, cuts: readonly [number, number]) => MadeInfillRow
}

/** The marks of rows with a gap, as ids. */
export type InfillMarks =
  | { readonly form: "in-place"; readonly boundary: readonly number[] }
  | (MiddleLast & { readonly form: "middle-last" })

/** @throws DataError where the tokenizer cannot spell a mark, naming it */
export const marksOf = (infill: Infill, encode: Encode): InfillMarks => {
  const ids = (mark: string | readonly number[]): readonly number[] =>
    spelled(mark, "data.batching.infill", encode)
  const pair = ([open, close]: readonly [string | readonly number[], string | readonly number[]]) =>
    [ids(open), ids(close)] as const
  return infill.form === "in-place"
    ? { form: infill.form, boundary: ids(infill.boundary) }
    : {
        form: infill.form,
        instruction: ids(infill.instruction),
        prefix: pair(infill.prefix),
        suffix: pair(infill.suffix),
      }
}

/** What is given of a row whose gap lies between two texts: before the middle, and behind it. */
export const gapStart = (
  before: readonly number[],
  behind: readonly number[],
  marks: InfillMarks,
): { readonly prefix: readonly number[]; readonly suffix: readonly number[] } => {
  if (marks.form === "in-place")
    return { prefix: [...before, ...marks.boundary], suffix: [...marks.boundary, ...behind] }
  const { instruction, prefix, suffix } = marks
  return {
    prefix: [...instruction, ...prefix[0], ...before, ...prefix[1], ...suffix[0], ...behind, ...suffix[1]],
    suffix: [],
  }
}

/** Tokens that a row has besides its text. */
const sizeOfMarks = (infill: InfillMarks): number =>
  infill.form === "in-place"
    ? 2 * infill.boundary.length
    : [infill.instruction, ...infill.prefix, ...infill.suffix].reduce((n, ids) => n + ids.length, 0)

/** Tokens that must follow the prompt: a middle, and in place a suffix. */
const leastOf = ({ form }: Pick<InfillMarks, "form">): number => (form === "in-place" ? 2 : 1)

/** @throws DataError where no document can be cut and fits */
export const openInfillRows = (
  tokens: Tokens,
  index: DocumentIndex,
  infill: InfillMarks,
  { length, padId }: DocumentRule,
): InfillRows => {
  const partsOf = (row: number): { readonly text: readonly number[]; readonly cut: number } => {
    const { prompt = [], target } = documentParts(tokens, index, row)
    return { text: [...Array.from(prompt), ...Array.from(target)], cut: prompt.length }
  }
  const marks = sizeOfMarks(infill)
  const cutRow = (text: readonly number[], cut: number, cuts: readonly [number, number]) => {
    if (infill.form === "middle-last")
      return middleLastRow(text, cut, cuts, { ...infill, width: length, padId })
    const { boundary } = infill
    const row = infillRow(text, cut, cuts, { boundary, width: length, padId })
    return { ...row, from: row.start - boundary.length }
  }
  const usable: number[] = []
  for (let row = 0; row < index.starts.length; row++) {
    const { text, cut } = partsOf(row)
    if (text.length - cut >= leastOf(infill) && text.length + marks <= length) usable.push(row)
  }
  const lost = index.starts.length - usable.length
  if (usable.length === 0)
    throw new DataError(
      "invalid",
      "data.batching.infill",
      `none of the ${index.starts.length} documents has ${leastOf(infill)} tokens behind its prompt and fits ${length} places with ${marks} for the marks; raise data.batching.length.`,
    )
  return {
    choices: usable.length,
    notice:
      lost === 0
        ? undefined
        : `${lost} of ${index.starts.length} documents have no place for a gap or do not fit ${length} tokens with their marks: they are left out.`,
    make: (choice, cuts) => {
      const { text, cut } = partsOf(usable[choice]!)
      const row = cutRow(text, cut, cuts)
      return {
        ...row,
        length: infill.form === "in-place" ? text.length + marks : row.end,
        before: text.slice(0, row.from),
        behind: text.slice(row.from + row.end - row.start),
      }
    },
  }
}
