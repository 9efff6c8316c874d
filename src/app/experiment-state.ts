/** What the runs of an experiment amount to. */
import type { RunSummary } from "../run/list.js"

/** finished: its results are there. stopped: it can be gone on with. new: there is none. */
export type ExperimentState =
  { readonly state: "finished" | "running" | "stopped"; readonly run: RunSummary } | { readonly state: "new" }

const ORDER = ["finished", "running", "stopped", "failed"] as const

/** What the runs of one experiment on one data set, oldest first, amount to: of several, the newest that came furthest. */
export const experimentState = (runs: readonly RunSummary[]): ExperimentState => {
  const status = ORDER.find((each) => runs.some((run) => run.status === each))
  const found = runs.findLast((run) => run.status === status)
  if (found === undefined || status === undefined) return { state: "new" }
  return { state: status === "failed" ? "stopped" : status, run: found }
}
