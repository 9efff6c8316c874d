/** The cells of a sweep one after another in this process. */
import type { Display } from "../../run/display.js"
import { findAvailable } from "../../engine/choose.js"
import { chooseExecutor, trainingSeconds, type EngineFlags } from "../choose-executor.js"
import { ensureRun } from "../ensure-run.js"
import { isAbort } from "../interrupts.js"
import type { PlannedCell } from "./cells.js"
import { cellDisplay, cellLine, estimator, outcomeOf, type CellOutcome } from "./progress.js"

export interface SweepJob {
  readonly cells: readonly PlannedCell[]
  readonly runs: string
  readonly engine: EngineFlags
  readonly display: Display
  readonly stopping: () => boolean
  readonly signal?: AbortSignal
}

const runCell = async (
  cell: PlannedCell,
  { runs, engine, stopping, signal }: SweepJob,
  display: Display,
): Promise<CellOutcome> => {
  const { spec } = cell
  try {
    const seconds = trainingSeconds(spec)
    const choice = await chooseExecutor(engine, spec.experiment.execution, findAvailable, seconds)
    const ensured = await ensureRun({
      spec,
      choice,
      runs,
      display,
      stopping,
      ...(signal === undefined ? {} : { signal }),
    })
    if (ensured.state === "elsewhere") return outcomeOf(cell, { state: "elsewhere", message: ensured.reason })
    const run = ensured.run.manifest.id
    return ensured.state === "finished"
      ? outcomeOf(cell, { state: "finished", how: ensured.how, run })
      : outcomeOf(cell, {
          state: "stopped",
          run,
          message: `stopped after step ${ensured.step} of ${ensured.totalSteps}`,
        })
  } catch (error) {
    if (isAbort(error))
      return outcomeOf(cell, { state: "stopped", message: "stopped while its data were fetched" })
    return outcomeOf(cell, {
      state: "failed",
      message: error instanceof Error ? error.message : String(error),
    })
  }
}

export const sweepInProcess = async (job: SweepJob): Promise<readonly CellOutcome[]> => {
  const { cells, display, stopping } = job
  const estimate = estimator()
  const outcomes: CellOutcome[] = []
  for (const [index, cell] of cells.entries()) {
    if (cell.state.state === "finished") {
      outcomes.push(outcomeOf(cell, { state: "finished", how: "found", run: cell.state.run.id }))
      continue
    }
    if (stopping()) {
      outcomes.push(outcomeOf(cell, { state: "pending" }))
      continue
    }
    const left = cells.slice(index).filter(({ state }) => state.state !== "finished")
    const alone = cells.length === 1 // a worker's cell, or one that was asked for
    if (!alone)
      display.log(cellLine(index, cells.length, cell.cell.name, left.length, estimate.left(left, 1)))
    const started = performance.now()
    const outcome = await runCell(
      cell,
      job,
      alone ? display : cellDisplay(display, `[${index + 1}/${cells.length} ${cell.cell.name}]`),
    )
    if (outcome.state === "finished" && outcome.how === "made")
      estimate.took(cell, (performance.now() - started) / 1000)
    if (outcome.state === "failed") display.warn(`Cell ${cell.cell.name} failed: ${outcome.message ?? ""}`)
    if (outcome.state === "elsewhere")
      display.log(`Cell ${cell.cell.name}: ${outcome.message ?? ""}; left to it.`)
    outcomes.push(outcome)
  }
  return outcomes
}
