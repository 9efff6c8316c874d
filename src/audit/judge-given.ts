/** Whether an inferred ratio of bytes to tokens is the one that a person gives. */
import type { Inferred } from "./inferred.js"
import type { RatioVerdict } from "./judge-ratio.js"
import { judgeRatio, type RatioStatements } from "./judge-ratio.js"
import { roundingHalfWidth } from "./rescore-claim.js"
import type { Interval } from "../metric/contract/units.js"

/** What the figures are held against, of a person's own. */
export type GivenReference =
  /** Bytes per token, as written: its digits say what rounding hid. */
  | { readonly kind: "ratio"; readonly printed: string }
  /** Bytes of the scored text. */
  | { readonly kind: "total"; readonly bytes: number }
  /** A tokenizer by its file: the vocabulary, and the bytes of its longest piece. */
  | { readonly kind: "tokenizer"; readonly name: string; readonly pieces: number; readonly longest: number }

const held = (
  why: string,
  inferred: Inferred,
): Pick<RatioVerdict, "heldAgainst" | "plausible" | "matches"> => ({
  heldAgainst: { tokenizer: undefined, why, given: true },
  plausible: inferred.interval,
  matches: [],
})

/** More than this wide, relative, an interval tells nothing apart. */
const COARSE = 0.1

const against = (
  inferred: Inferred,
  tokens: number | undefined,
  name: string,
  { lo, hi }: Interval,
): RatioVerdict => {
  const { bytesPerToken: ratio, interval } = inferred
  const bytesPerToken = (lo + hi) / 2
  const reference = { name, tokens: tokens ?? 0, bytesPerToken }
  const meets = interval.lo <= hi + 1e-12 && interval.hi >= lo - 1e-12
  const coarse = meets && interval.hi - interval.lo > COARSE * bytesPerToken
  return {
    ...held(name, inferred),
    verdict: coarse ? "coarse" : meets ? "agrees" : "differs",
    matches: meets && !coarse ? [reference] : [],
    reference,
    factor: ratio / bytesPerToken,
    bytesApart: tokens === undefined ? undefined : (ratio - bytesPerToken) * tokens,
  }
}

/**
 * @param tokens scored tokens; needed for a total
 * @throws RangeError for a total without tokens
 */
export const judgeGiven = (
  inferred: Inferred,
  tokens: number | undefined,
  given: GivenReference,
  statements: RatioStatements = {},
): RatioVerdict => {
  switch (given.kind) {
    case "ratio": {
      const ratio = Number(given.printed)
      const half = roundingHalfWidth(given.printed)
      return against(inferred, tokens, `${given.printed} bytes per token, as given`, {
        lo: ratio - half,
        hi: ratio + half,
      })
    }
    case "total": {
      if (tokens === undefined) throw new RangeError("a total of bytes needs the number of scored tokens")
      const name = `${given.bytes} bytes in ${tokens} tokens, as given`
      return against(inferred, tokens, name, {
        lo: (given.bytes - 0.5) / tokens,
        hi: (given.bytes + 0.5) / tokens,
      })
    }
    case "tokenizer": {
      const { name, pieces, longest } = given
      if (inferred.interval.lo > longest)
        return {
          ...against(inferred, tokens, `the longest piece of ${name}, ${longest} bytes`, {
            lo: 0,
            hi: longest,
          }),
          reference: { name: `the longest piece of ${name}`, tokens: tokens ?? 0, bytesPerToken: longest },
          factor: inferred.bytesPerToken / longest,
          bytesApart: undefined,
          remark: "no text has so many bytes a token under this tokenizer",
        }
      const judged = judgeRatio(inferred, tokens, { ...statements, vocabulary: pieces })
      const why = `${name} has ${pieces} pieces, of at most ${longest} bytes`
      return { ...judged, heldAgainst: { ...judged.heldAgainst, why } }
    }
  }
}
