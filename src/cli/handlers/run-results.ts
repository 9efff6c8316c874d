/** What the commands that read a run share. */
import { readRun, type RunReader } from "../../run/directory.js"
import { resolveRun } from "../../run/list.js"
import { parseTable, type ResultsTable } from "../../report/table.js"

/** The run has no results yet; ends with exit code 3. */
export class IncompleteRunError extends Error {
  readonly _tag = "IncompleteRunError"
  readonly exitCode = 3

  constructor(directory: string) {
    super(
      `${directory}: the run has no results yet; finish it with "repro run --resume", then run this command again.`,
    )
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
  if (table === undefined) throw new IncompleteRunError(run.directory)
  return table
}

/** Columns to fill: those of the terminal, or enough for every column of a table in a pipe. */
export const outputWidth = (): number => process.stdout.columns ?? 120
