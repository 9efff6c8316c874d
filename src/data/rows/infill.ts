/** Rows with a gap, cut anew whenever they are drawn, from the documents of a token stream. */
import { infillRow, middleLastRow, type MiddleLast } from "../../diffusion/insertion/infill-row.js"
import { DataError } from "../../files/errors.js"
import type { Infill } from "../../spec/data.js"
import type { CollatedRow } from "./collate.js"
import { documentParts, type DocumentIndex, type DocumentRule } from "./documents.js"
import type { Tokens } from "./tokens.js"

export interface InfillRows {
  /** Documents that can be cut and fit a row. */
  readonly choices: number
  readonly notice: string | undefined
  /** Row `choice`, cut where two uniforms in [0, 1) say. */
  readonly make: (
    choice: number,
    cuts: readonly [number, number],
  ) => Pick<CollatedRow, "tokens" | "fixed" | "length">
}

/** The marks of rows with a gap, as ids. */
export type InfillMarks =
  | { readonly form: "in-place"; readonly boundary: readonly number[] }
  | (MiddleLast & { readonly form: "middle-last" })

/** @throws DataError where the tokenizer cannot spell a mark, naming it */
export const marksOf = (infill: Infill, encode: (text: string) => ArrayLike<number>): InfillMarks => {
  const ids = (mark: string | readonly number[]): readonly number[] => {
    if (typeof mark !== "string") return mark
    try {
      return Array.from(mark === "" ? [] : encode(mark))
    } catch (error) {
      throw new DataError(
        "invalid",
        "data.batching.infill",
        `the tokenizer cannot spell the mark ${JSON.stringify(mark)}: ${error instanceof Error ? error.message : String(error)}; write one of its pieces, or the ids.`,
        error,
      )
    }
  }
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
      const row =
        infill.form === "in-place"
          ? infillRow(text, cut, cuts, { boundary: infill.boundary, width: length, padId })
          : middleLastRow(text, cut, cuts, { ...infill, width: length, padId })
      return {
        tokens: row.tokens,
        fixed: row.fixed,
        length: infill.form === "in-place" ? text.length + marks : row.end,
      }
    },
  }
}
