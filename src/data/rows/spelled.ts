/** What a spec writes as token ids, or as a text that the tokenizer spells. */
import { DataError } from "../../files/errors.js"

/** A tokenizer's ids of a text. */
export type Encode = (text: string) => ArrayLike<number>

export const cannotSpell: Encode = () => {
  throw new Error("no tokenizer was given")
}

/**
 * The ids of a mark.
 *
 * @param place where the spec has it, as data.batching.infill
 * @throws DataError where the tokenizer cannot spell it
 */
export const spelled = (
  mark: string | readonly number[],
  place: string,
  encode: Encode,
): readonly number[] => {
  if (typeof mark !== "string") return mark
  try {
    return Array.from(mark === "" ? [] : encode(mark))
  } catch (error) {
    throw new DataError(
      "invalid",
      place,
      `the tokenizer cannot spell the mark ${JSON.stringify(mark)}: ${error instanceof Error ? error.message : String(error)}; write one of its pieces, or the ids.`,
      error,
    )
  }
}
