/** The problem of an id that no published claim has. */
import { nearest } from "./nearest.js"
import type { Problem } from "./spec-error.js"

/** @param known among which a near one is looked for */
export const unknownClaim = (pointer: string, id: string, known: Iterable<string>): Problem => {
  const near = nearest(id, [...known])
  return {
    pointer,
    expected: "the id of a claim in the ledger",
    found: JSON.stringify(id),
    ...(near === undefined ? {} : { nearest: JSON.stringify(near) }),
  }
}
