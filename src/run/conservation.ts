/** Before a denominator is used: the byte table against the text of the very tokens that are scored. */
import { buildByteTable, type TablePiece } from "../metric/byte-table.js"
import { checkConservation, describeConservation, type Conservation } from "../metric/conservation.js"
import type { Experiment } from "../spec/experiment.js"

/** A byte table that disagrees with the text it should measure. */
export class ConservationError extends Error {
  override readonly name = "ConservationError"
}

/** The beginning of the split that the experiment's evaluations score, by its longest. */
export const scoredSlice = (
  split: Uint16Array,
  { evaluations }: Pick<Experiment, "evaluations">,
): Uint16Array =>
  split.subarray(
    0,
    Math.max(
      ...evaluations.map(({ windows }) =>
        windows.alignment === "document-chunks"
          ? split.length
          : // One target lies behind the last window.
            Math.min(split.length, windows.count * windows.length + 1),
      ),
    ),
  )

const checked = (pieces: readonly TablePiece[], tokens: Uint16Array, tokenizer: string) => {
  try {
    return checkConservation({ pieces, table: buildByteTable(pieces), tokens })
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new ConservationError(`${tokenizer} does not fit the shards: ${error.message}.`, { cause: error })
  }
}

/**
 * Throws unless the byte table of the pieces conserves the slice.
 *
 * @throws ConservationError naming the tokenizer, the terms and the surplus by piece type
 */
export const requireConservation = (
  pieces: readonly TablePiece[],
  tokens: Uint16Array,
  tokenizer: string,
): Conservation => {
  const { report, conserved } = checked(pieces, tokens, tokenizer)
  if (conserved) return report
  throw new ConservationError(
    `${tokenizer}: its byte table does not conserve the scored slice, so bits per byte would be wrong by the factor ${report.inflation.toFixed(5)}: ${describeConservation(report)}. Give the tokenizer that made the shards, with a U+2581 of its own, or report bits per token.`,
  )
}
