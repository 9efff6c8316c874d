/** The published claims that come with the program, and the ids that are not among them. */
import { join } from "node:path"
import type { RunReader } from "../run/directory.js"
import { experimentOf } from "../run/experiment-of.js"
import { unknownClaim } from "../spec/claim-id.js"
import { readLedger, type Ledger } from "../spec/claim-ledger.js"
import { formatProblem } from "../spec/spec-error.js"
import { packageRoot } from "../files/package-files.js"

let published: Promise<Ledger> | undefined

/** The claims of a folder; those that come with the program, read once, when absent. */
export const claimsLedger = (folder?: string): Promise<Ledger> =>
  folder === undefined ? (published ??= readLedger(join(packageRoot, "specs", "claims"))) : readLedger(folder)

/** Ids that a spec may name. */
export const knownClaims = async (): Promise<ReadonlySet<string>> =>
  new Set((await claimsLedger()).claims.keys())

/** The claims that a run's manifest names. */
export const claimIdsOf = (run: RunReader): readonly string[] => experimentOf(run).claims

/**
 * A sentence for each claim that a run names and the ledger does not have. A manifest is never changed, so that what
 * reads the run goes on without such a claim, and says so.
 */
export const unknownClaimNotes = async (run: RunReader, folder?: string): Promise<readonly string[]> => {
  const { claims } = await claimsLedger(folder)
  return claimIdsOf(run).flatMap((id, index) =>
    claims.has(id)
      ? []
      : [
          `${join(run.directory, "manifest.json")} ${formatProblem(unknownClaim(`/experiment/claims/${index}`, id, claims.keys()))} The claim is left out.`,
        ],
  )
}
