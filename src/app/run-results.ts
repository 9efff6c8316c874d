/** What the commands that read a run share. */
import type { TableClaims } from "../analysis/claim-marks.js"
import { runTable } from "../analysis/run-table.js"
import { claimIdsOf, claimsLedger } from "./claims.js"
import { adviceFor } from "./resume-advice.js"
import { readRun, type RunReader } from "../run/directory.js"
import { experimentOf } from "../run/experiment-of.js"
import { resolveRun } from "../run/list.js"
import { parseTable, type ResultsTable } from "../analysis/table.js"

/** The run has no results yet; ends with exit code 3. */
export class IncompleteRunError extends Error {
  readonly _tag = "IncompleteRunError"
  readonly exitCode = 3

  /** @param advice what to do about it */
  constructor(directory: string, advice: string) {
    super(`${directory}: the run has no results yet; ${advice}, then run this command again.`)
    this.name = "IncompleteRunError"
  }
}

export const findRun = async (root: string, name: string): Promise<RunReader> =>
  readRun(await resolveRun(root, name))

/** The results of a run; undefined before there are any. */
export const resultsOf = async (run: RunReader): Promise<ResultsTable | undefined> => {
  const results = await run.results()
  return results === undefined ? undefined : parseTable(results, `${run.directory}/results.json`)
}

/** @throws IncompleteRunError before there are any. */
export const requireResults = async (run: RunReader): Promise<ResultsTable> => {
  const table = await resultsOf(run)
  if (table === undefined) throw new IncompleteRunError(run.directory, await adviceFor(run))
  return table
}

/** The published claims of a run's experiment that there are, with what is known of their slices. */
export const publishedClaims = async (run: RunReader, folder?: string): Promise<TableClaims> => {
  const ledger = await claimsLedger(folder)
  const claims = claimIdsOf(run).flatMap((id) => ledger.claims.get(id) ?? [])
  return {
    claims,
    sampleOf: (claim) => {
      const fact = ledger.facts.find((each) => each.kind === "ratio-sample" && each.claims.includes(claim))
      return fact?.kind === "ratio-sample" ? fact : undefined
    },
    unigramOf: (claim) => {
      const fact = ledger.facts.find(
        (each) => each.kind === "floor" && each.floor === "unigram" && each.claims.includes(claim),
      )
      return fact?.kind === "floor" ? fact.bitsPerToken : undefined
    },
  }
}

/**
 * The table of a run: computed from its evidence, or as it was stored where the evidence is no longer there.
 * @throws IncompleteRunError before everything is measured
 */
export const recomputeTable = async (run: RunReader): Promise<ResultsTable> => {
  const { evaluations } = experimentOf(run)
  const there = new Set(await run.evidence())
  if (!there.has("floors") || !evaluations.every(({ id }) => there.has(id))) return requireResults(run)
  return runTable(run, await publishedClaims(run))
}

/** Columns to fill: those of the terminal, or enough for every column of a table in a pipe. */
export const outputWidth = (): number => process.stdout.columns ?? 120
