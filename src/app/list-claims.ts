/** The published claims, found by words. */
import type { Ledger } from "../spec/claim-ledger.js"
import type { ResolvedClaim } from "../spec/claim.js"
import { withUnit } from "../report/packet/words.js"
import { columns } from "./text.js"

export interface ListedClaim {
  readonly id: string
  readonly title: string
  readonly model: string
  readonly printed: string
  readonly unit: string
  readonly source: string
  readonly url: string
}

const listed = ({ id, title, model, printed, contract, source }: ResolvedClaim): ListedClaim => ({
  id,
  title,
  model,
  printed,
  unit: String(contract.unit),
  source: source.title,
  url: source.url,
})

/** The claims that have every word somewhere in their id, figure or source; case is free. */
export const findClaims = ({ claims }: Ledger, words: readonly string[]): readonly ListedClaim[] =>
  [...claims.values()].map(listed).filter((claim) => {
    const text = Object.values(claim).join(" ").toLowerCase()
    return words.every((word) => text.includes(word.toLowerCase()))
  })

export const claimsText = (claims: readonly ListedClaim[], words: readonly string[]): string =>
  claims.length === 0
    ? `No claim has ${words.map((word) => `"${word}"`).join(" and ")}.`
    : columns([
        ["CLAIM", "PRINTED", "TITLE", "SOURCE"],
        ...claims.map(({ id, printed, unit, title, source }) => [id, withUnit(printed, unit), title, source]),
      ])
