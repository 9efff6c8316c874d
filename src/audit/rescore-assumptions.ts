/** What a re-scored value takes for granted about the slice and the file behind it, with the size where one is known. */
import { FINEWEB_SP1024 } from "../metric/contract/builders.js"
import { NOT_STATED, type Contract } from "../metric/contract/contract.js"
import type { Mark } from "../spec/findings-facts.js"

export interface Assumption {
  readonly text: string
  readonly mark: Mark
}

/**
 * Standard deviation of the bits per byte of one window of 2048 tokens. Assumed: no source prints per-window bits.
 */
const WINDOW = { tokens: 2048, standardDeviation: 0.25 } as const

const ofSplit = ({ data }: Contract): boolean =>
  data !== NOT_STATED && data.dataset === FINEWEB_SP1024.dataset && data.split === FINEWEB_SP1024.split

const scoredTokens = ({ data, denominator }: Contract): number | undefined => {
  if (denominator !== NOT_STATED && "tokens" in denominator && denominator.tokens !== NOT_STATED)
    return denominator.tokens
  return data === NOT_STATED || data.coverage === NOT_STATED
    ? undefined
    : data.coverage * FINEWEB_SP1024.tokens
}

/** 95 % half-width, bits per byte, of a value over this many tokens as a sample of the split, windows independent. */
export const sliceSamplingError = (tokens: number): number =>
  (1.959963984540054 * WINDOW.standardDeviation) / Math.sqrt(tokens / WINDOW.tokens)

/** That the bits of a part of the split stand for all of it; empty for the whole split. */
export const sliceStandsForSplit = (contract: Contract): readonly Assumption[] => {
  const { data } = contract
  if (!ofSplit(contract) || data === NOT_STATED || data.coverage === NOT_STATED || data.coverage >= 0.999)
    return []
  const tokens = scoredTokens(contract)
  if (tokens === undefined || !(tokens > 0)) return []
  const windows = tokens / WINDOW.tokens
  const error = sliceSamplingError(tokens)
  return [
    {
      text: `The published bits on ${Math.round(tokens)} tokens (${Math.round(windows)} windows of ${WINDOW.tokens}) stand for the whole split. The interval leaves this sampling error out: about ±${error.toFixed(3)} bits/byte (95 %), if the value of one window has standard deviation ${WINDOW.standardDeviation}, which is itself assumed.`,
      mark: "inferred",
    },
  ]
}

/** That the file is today's export, where the source does not say which it was. */
export const exportIsTodays = (contract: Contract): readonly Assumption[] =>
  ofSplit(contract) && contract.data !== NOT_STATED && contract.data.export === NOT_STATED
    ? [
        {
          text: `The source does not state the export of the split; its file is taken to be today's (${FINEWEB_SP1024.tokens} tokens).`,
          mark: "inferred",
        },
      ]
    : []
