import { claimsAbout } from "../analysis/claim-marks.js"
import { claimsDiffText, diffClaims, diffRuns, runsDiffText, type RunSide } from "../report/diff.js"
import type { RunReader } from "../run/directory.js"
import { experimentOf } from "../run/experiment-of.js"
import { unknownClaimNotes } from "./claims.js"
import type { Outcome } from "./outcome.js"
import { adviceFor } from "./resume-advice.js"
import { findRun, outputWidth, publishedClaims, recomputeTable, resultsOf } from "./run-results.js"

/** A run beside the published claims of its experiment. Exit code 3 unless it agrees with every one that it names. */
export const diffWithClaims = async (
  root: string,
  name: string,
  folder: string | undefined,
): Promise<Outcome> => {
  const run = await findRun(root, name)
  const table = await recomputeTable(run)
  const { experiment, differences } = run.manifest
  const notes = await unknownClaimNotes(run, folder)
  const { claims: all, sampleOf } = await publishedClaims(run, folder)
  const about = claimsAbout(all, experiment)
  const elsewhere = all.filter((claim) => !about.includes(claim)).map(({ id }) => id)
  const diff = diffClaims(table, about, differences, { sampleOf, elsewhere })
  return {
    text: claimsDiffText(diff, outputWidth()),
    json: diff,
    notes,
    exitCode: notes.length === 0 && (diff.agrees || all.length === 0) ? 0 : 3,
  }
}

const sideOf = async (run: RunReader): Promise<RunSide> => {
  const { id, fingerprint, data, experiment, provenance } = run.manifest
  experimentOf(run) // a manifest that holds none is named before anything is compared
  const ids = await run.evidence()
  const events = await run.events()
  const table = await resultsOf(run)
  return {
    id,
    fingerprint,
    ...(data === undefined ? {} : { data }),
    experiment,
    precision: provenance.executor.precision,
    table,
    ...(table === undefined ? { advice: await adviceFor(run) } : {}),
    evidence: new Map(
      await Promise.all(ids.map(async (each) => [each, await run.readEvidence(each)] as const)),
    ),
    losses: new Map(
      events.flatMap((event) =>
        event.type === "step" && event.loss !== null ? [[event.step, event.loss] as const] : [],
      ),
    ),
  }
}

/** Two runs beside each other. Exit code 3 when they differ or one has no results. */
export const diffTwoRuns = async (root: string, first: string, second: string): Promise<Outcome> => {
  const [a, b] = [await findRun(root, first), await findRun(root, second)]
  const diff = diffRuns(await sideOf(a), await sideOf(b))
  const agree = diff.verdict === "identical" || diff.verdict === "within-rounding"
  return { text: runsDiffText(diff, outputWidth()), json: diff, exitCode: agree ? 0 : 3 }
}
