/** Before a denominator is used: what the scored tokens say of the bytes of their text. */
import { isIntact } from "../metric/bytes/intact.js"
import type { Tokens } from "../data/rows/tokens.js"
import { textRulesOf } from "../data/tokenizers/text-rules.js"
import type { LoadedCorpus } from "../data/corpora/corpus.js"
import { buildByteTable } from "../metric/bytes/byte-table.js"
import { conservation, describeConservation, type Conservation } from "../metric/bytes/conservation.js"
import { accountNotes, accountText, type TextAccount } from "../metric/bytes/text-account.js"
import type { Experiment } from "../spec/experiment.js"

/** A tokenizer that is not that of the shards. */
export class ConservationError extends Error {
  override readonly name = "ConservationError"
}

/** The beginning of the split that the experiment's evaluations score, by its longest. */
export const scoredSlice = (split: Tokens, { evaluations }: Pick<Experiment, "evaluations">): Tokens =>
  split.subarray(
    0,
    Math.max(
      ...evaluations.map(({ windows }) =>
        windows.alignment !== "raw-stream"
          ? split.length
          : // One target lies behind the last window.
            Math.min(split.length, windows.count * windows.length + 1),
      ),
    ),
  )

/** The account of a slice, and the published table's terms on it. */
export interface SliceAccount {
  readonly account: TextAccount
  readonly conservation: Conservation
  /** What is to be told a person: every note; and first, where there is no denominator, why. */
  readonly notes: readonly string[]
}

/**
 * What may be said of the bytes of the scored slice. A slice without a denominator is no error: a run then reports bits
 * per token alone.
 *
 * @throws ConservationError when the tokenizer is not that of the shards
 */
export const accountSlice = (
  corpus: Pick<LoadedCorpus, "tokenizer" | "tokenizerPath"> & Partial<Pick<LoadedCorpus, "totals">>,
  split: Tokens,
  experiment: Pick<Experiment, "evaluations">,
): SliceAccount => {
  const { tokenizer, tokenizerPath } = corpus
  const { pieces } = tokenizer
  const rules = textRulesOf(tokenizer)
  const tokens = scoredSlice(split, experiment)
  try {
    const account = accountText({
      pieces,
      rules,
      runs: [{ tokens, previous: -1, following: split[tokens.length] ?? -1 }],
      intact: isIntact({ pieces, text: rules }, split, corpus.totals?.validation.bytes),
    })
    const report = conservation({ pieces, table: buildByteTable(pieces), tokens })
    return { account, conservation: report, notes: slicesNotes(account, report, tokenizerPath) }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new ConservationError(`${tokenizerPath} does not fit the shards: ${error.message}.`, {
      cause: error,
    })
  }
}

const slicesNotes = (account: TextAccount, report: Conservation, tokenizer: string): readonly string[] => {
  const notes = accountNotes(account)
  if (account.standing !== "none") return notes
  const broken = account.findings.some(({ kind }) => kind === "table-against-text")
  return [
    broken
      ? `${tokenizer}: its byte table does not conserve the scored slice, so bits per byte would be wrong by the factor ${report.inflation.toFixed(5)}: ${describeConservation(report)}. Bits per token are reported alone; for bits per byte give the tokenizer that made the shards, with a U+2581 of its own.`
      : `${tokenizer}: the scored tokens do not say how many bytes their text has. Bits per token are reported alone.`,
    ...notes,
  ]
}
