/** Which claims may stand beside which: the verdict on every pair, and the axes that decide it. */
import { compareContracts, type AxisVerdict, type Verdict } from "../metric/contract/compare.js"
import type { Contract } from "../metric/contract/contract.js"

/** A claim and what its number is. */
interface Contracted {
  readonly id: string
  readonly contract: Contract
}

export interface ClaimPair {
  readonly first: string
  readonly second: string
  readonly verdict: Verdict
  /** The axes on which the two are not the same, other than remarks. */
  readonly axes: readonly AxisVerdict[]
}

const SILENT: ReadonlySet<AxisVerdict["relation"]> = new Set(["same", "noted", "open"])

/** The relation that decides a verdict. */
const DECIDING: { readonly [K in Verdict]: AxisVerdict["relation"] | undefined } = {
  identical: undefined,
  convertible: "convertible",
  "ordered-only": "ordered",
  incomparable: "different",
  unknown: "unknown",
}

/** Every pair of which at least one is an audited claim, in the order of the claims. */
export const claimPairs = (
  claims: readonly Contracted[],
  beside: readonly Contracted[],
): readonly ClaimPair[] => {
  const all = [...claims, ...beside]
  return claims.flatMap((first, index) =>
    all.slice(index + 1).map((second) => {
      const { verdict, axes } = compareContracts(first.contract, second.contract)
      return {
        first: first.id,
        second: second.id,
        verdict,
        axes: axes.filter(({ relation }) => !SILENT.has(relation)),
      }
    }),
  )
}

/** The axes that decide a pair's verdict, by name. */
export const decidingAxes = ({ verdict, axes }: ClaimPair): readonly string[] =>
  axes.filter(({ relation }) => relation === DECIDING[verdict]).map(({ axis }) => axis)

const LETTERS: { readonly [K in Verdict]: string } = {
  identical: "=",
  convertible: "C",
  "ordered-only": "O",
  incomparable: "X",
  unknown: "?",
}

/** The pairs as a triangle of one letter each, for a terminal; undefined where there is no pair. */
export const pairsGrid = (
  pairs: readonly ClaimPair[],
  claims: readonly Contracted[],
  beside: readonly Contracted[],
): readonly string[] | undefined => {
  if (pairs.length === 0) return undefined
  const verdicts = new Map(pairs.map((pair) => [`${pair.first} ${pair.second}`, pair.verdict]))
  const ids = [...claims, ...beside].map(({ id }) => id)
  const wide = Math.max(...ids.map((id) => id.length)) + 1
  const digits = String(ids.length).length
  const rows = ids.map((id, row) =>
    [
      String(row + 1).padStart(digits),
      id.padEnd(wide),
      ...claims.slice(0, row).map((claim) => {
        const verdict = verdicts.get(`${claim.id} ${id}`)
        return (verdict === undefined ? " " : LETTERS[verdict]).padStart(digits)
      }),
    ]
      .join(" ")
      .trimEnd(),
  )
  const head = [" ".repeat(digits), "".padEnd(wide), ...claims.map((_, i) => String(i + 1).padStart(digits))]
  return [
    ...(ids.length > claims.length
      ? [`Rows from ${claims.length + 1} on: claims a published table sets beside.`]
      : []),
    head.join(" ").trimEnd(),
    ...rows,
    "= one definition, C convertible, O at most an order follows, X incomparable, ? not stated enough",
  ]
}
