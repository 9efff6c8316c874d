/** Shares of task items: which counts print so, and the interval that sampling leaves. */
import { measured } from "../metric/contract/bound.js"
import type { DefinitionId } from "../metric/contract/registry.js"
import { NOT_STATED } from "../metric/contract/contract.js"
import type { Assumption } from "./rescore-assumptions.js"
import type { ClaimNumber, Rescored } from "./rescored.js"
import { normalQuantile } from "../metric/statistics/distributions.js"
import { wilsonInterval } from "../metric/statistics/intervals.js"

/** Shares such as 0.675 are not exact in binary; a billionth of an item keeps the ends. */
const HAIR = 1e-9

/** Counts of right items whose share prints as the claim does; undefined where none does. */
export const countsBehind = (
  share: number,
  half: number,
  items: number,
): readonly [fewest: number, most: number] | undefined => {
  const low = Math.max(0, Math.ceil((share - half) * items - HAIR))
  const high = Math.min(items, Math.floor((share + half) * items + HAIR))
  return low <= high ? [low, high] : undefined
}

const refuse = (definition: DefinitionId, reason: string): Rescored => ({
  definition,
  status: "not-possible",
  derivation: [],
  assumptions: [],
  charges: [],
  reason,
})

const clamp = (x: number): number => Math.min(1, Math.max(0, x))

/** The share with an interval about it, and words for where the interval comes from. */
const shareOf = (
  definition: DefinitionId,
  kind: "estimate" | "unknown",
  share: number,
  [lo, hi]: readonly [number, number],
  rest: { readonly formula: string; readonly assumptions: readonly Assumption[]; readonly reason: string },
): Rescored => ({
  definition,
  status: "rescored",
  number: measured(kind, "proportion", share, { lo: Math.min(lo, share), hi: Math.max(hi, share) }),
  derivation: [{ formula: rest.formula, result: share, unit: "proportion" }],
  assumptions: rest.assumptions,
  charges: [],
  reason: rest.reason,
})

const GRADER = "The grader is the source's; another grader needs the generations."

/** Whether a stated standard error is that of so many items, in words. */
const errorBeside = (error: number | undefined, share: number, items: number): readonly Assumption[] => {
  if (error === undefined) return []
  const expected = Math.sqrt((share * (1 - share)) / Math.max(1, items - 1))
  const agrees = Math.abs(error - expected) <= 0.02 * expected + 5e-5
  return [
    {
      text: `The source states a standard error of ${error}; ${items} items give sqrt(p(1-p)/(n-1)) = ${Number(expected.toPrecision(3))}, which ${agrees ? "agrees" : "differs: the items are not independent, or the error is of another count"}.`,
      mark: "derived",
    },
  ]
}

/** Nothing but the source's own standard error, where the items behind a share are not known. */
const fromError = (
  definition: DefinitionId,
  share: number,
  error: number,
  half: number,
  { formula, why, words }: { readonly formula: string; readonly why: string; readonly words: string },
): Rescored => {
  const reach = normalQuantile(0.975) * error + half
  return shareOf(definition, "estimate", share, [clamp(share - reach), clamp(share + reach)], {
    formula,
    assumptions: [
      {
        text: `Normal interval (95 %) from the standard error that the source states, ${words}; ${why}`,
        mark: "stated",
      },
    ],
    reason: GRADER,
  })
}

/**
 * A share of task items.
 *
 * Counts follow from digits that the source printed, or from a double that a program wrote. A value read off a figure,
 * or graded here, has no printed count behind it: its interval holds what the reading leaves open, and no count is
 * derived from it.
 *
 * @param wide what rounding or reading leaves open on either side, in the claim's unit
 */
export const rescoreShare = (claim: ClaimNumber, definition: DefinitionId, wide: number): Rescored => {
  const { unit, denominator } = claim.contract
  if (unit !== "percent" && unit !== "proportion")
    return refuse(definition, "The unit is neither a proportion nor a percentage.")
  const scale = unit === "percent" ? 100 : 1
  const share = claim.value / scale
  const half = wide / scale
  if (!(share >= 0 && share <= 1)) return refuse(definition, `${claim.printed} is no share of a whole.`)
  const error =
    claim.exact === true && claim.standardError !== undefined ? claim.standardError / scale : undefined
  if (denominator === NOT_STATED || denominator.kind !== "items" || denominator.items === NOT_STATED) {
    const formula = `${claim.printed} as a proportion`
    if (error !== undefined)
      return fromError(definition, share, error, half, {
        formula,
        why: "the number of items is not stated.",
        words: `${claim.standardError} ${unit}`,
      })
    return shareOf(definition, "unknown", share, [clamp(share - half), clamp(share + half)], {
      formula,
      assumptions: [],
      reason:
        "The number of items is not stated, so the interval holds the rounding of the printed digits and no sampling error.",
    })
  }
  const items = denominator.items
  const read = (claim.halfWidth ?? 0) / scale
  // What was graded here is a count; what was read off a figure is a length, with all that the reading leaves open.
  const ends =
    read > 0
      ? ([clamp(share - read) * items, clamp(share + read) * items] as const)
      : (countsBehind(share, half, items) ?? ([share * items, share * items] as const))
  if ((claim.mark ?? "stated") !== "stated")
    return shareOf(
      definition,
      "estimate",
      share,
      [wilsonInterval(ends[0], items).low, wilsonInterval(ends[1], items).high],
      {
        formula: `${claim.printed} as a proportion of ${items} items`,
        assumptions: [
          {
            text: `Wilson interval (95 %) for a share of ${items} items, widened by what the reading leaves open; the value is not the source's own print, so no count of items is derived from it. One generation each, items independent.`,
            mark: "derived",
          },
        ],
        reason: GRADER,
      },
    )
  const counts = countsBehind(share, half, items)
  if (counts === undefined && claim.exact === true) {
    const formula = `${claim.printed} of ${items} items is no whole number of right items`
    const why = `${claim.printed} times ${items} items is no whole number: it is a mean of other scores, or the count of items is another's.`
    if (error !== undefined)
      return fromError(definition, share, error, half, {
        formula,
        why,
        words: `${claim.standardError} ${unit}`,
      })
  }
  const nearest = Math.round(share * items)
  const [fewest, most] = counts ?? [nearest, nearest]
  const words = fewest === most ? `${fewest}` : `${fewest} to ${most}`
  return shareOf(
    definition,
    "estimate",
    share,
    [wilsonInterval(fewest, items).low, wilsonInterval(most, items).high],
    {
      formula: `${claim.exact === true && counts !== undefined ? "exactly" : "about"} ${words} of ${items} items`,
      assumptions: [
        {
          text: `Wilson interval (95 %) for ${words} of ${items} items${fewest === most ? "" : ", every count that prints so"}; one generation each, items independent.`,
          mark: "derived",
        },
        ...errorBeside(error, share, items),
      ],
      reason: GRADER,
    },
  )
}
