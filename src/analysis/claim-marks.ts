/** Which published claims stand beside a run or a sweep, how they are marked, and the constant that they divide by. */
import { NOT_STATED } from "../metric/contract/contract.js"
import { rescoreClaim } from "../audit/rescore-claim.js"
import type { ResolvedClaim } from "../spec/claim.js"
import { valueAt } from "../spec/pointer.js"
import { claimRows, type RatioSampleOf } from "./claim-rows.js"
import type { TableRow } from "./table.js"

/** Published numbers to set beside a run's own. */
export interface TableClaims {
  readonly claims: readonly ResolvedClaim[]
  readonly sampleOf?: RatioSampleOf
  /** Bits per token of a unigram model on the tokens of a claim, where that is known. */
  readonly unigramOf?: (claim: string) => number | undefined
}

/** The claims about `experiment`: those of another cell of its sweep say other settings and are left out. */
export const claimsAbout = (
  claims: readonly ResolvedClaim[],
  experiment: unknown,
): readonly ResolvedClaim[] =>
  claims.filter(({ settings = {} }) =>
    Object.entries(settings).every(
      ([pointer, value]) => JSON.stringify(valueAt(experiment, pointer)) === JSON.stringify(value),
    ),
  )

/**
 * The constant of bytes per token that the claims divide by, such as 4.3 of PR #1106 and #1241: the first one, should
 * they differ. undefined where every claim uses the exact byte table or states no constant.
 */
export const publishedConstantOf = (claims: readonly ResolvedClaim[]): number | undefined =>
  claims
    .map(({ contract: { denominator } }) =>
      denominator !== NOT_STATED && denominator.kind === "constant" ? denominator.bytesPerToken : NOT_STATED,
    )
    .find((constant) => constant !== NOT_STATED)

/** Rows of the claims; those whose bits per token exceed a unigram model's on the same tokens are marked. */
export const markedClaimRows = ({
  claims,
  sampleOf,
  unigramOf,
}: TableClaims): {
  readonly rows: readonly TableRow[]
  readonly contracts: Readonly<Record<string, unknown>>
} => {
  const { rows, contracts } = claimRows(claims, sampleOf)
  const above = new Map(
    claims.flatMap((claim) => {
      const floor = unigramOf?.(claim.id)
      const bits = rescoreClaim(claim, sampleOf?.(claim.id))?.derivation.find(
        ({ unit }) => unit === "bits/token",
      )?.result
      return floor === undefined || bits === undefined || bits <= floor
        ? []
        : [
            [
              claim.id,
              `${bits.toFixed(2)} bits/token: worse than a unigram model's ${floor} on the same tokens.`,
            ] as const,
          ]
    }),
  )
  return {
    rows: rows.map((row) => {
      const note = above.get(row.id.split("/")[1] ?? "")
      return note === undefined ? row : { ...row, mark: "untrained", notes: [...row.notes, note] }
    }),
    contracts,
  }
}
