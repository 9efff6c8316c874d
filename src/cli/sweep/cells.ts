/** The cells of a sweep with what is known of each: chosen by name, their state, their planned time. */
import { availableParallelism, totalmem } from "node:os"
import { join } from "node:path"
import { makePlan } from "../../plan/plan.js"
import type { SweepCellRun } from "../../report/sweep-runs.js"
import { readRun } from "../../run/directory.js"
import { listRuns } from "../../run/list.js"
import { cellSpecs, type CellSpec } from "../../spec/cell-spec.js"
import { nearest } from "../../spec/nearest.js"
import type { LoadedSpec } from "../../spec/spec-file.js"
import { experimentState, type ExperimentState } from "../ensure-run.js"
import { UsageError } from "../outcome.js"

export interface PlannedCell extends CellSpec {
  readonly state: ExperimentState
  /** Seconds of the whole cell, as its plan estimates them. */
  readonly seconds: number
}

/** @throws UsageError when the spec has no sweep, or no cell is called like that */
export const chooseCells = (whole: LoadedSpec, only: readonly string[]): readonly CellSpec[] => {
  const { file, profile } = whole
  const all = cellSpecs(whole)
  if (all.length === 0)
    throw new UsageError(
      `${file} has no sweep in profile ${profile}: add "sweep", or run the one experiment with repro run`,
    )
  if (only.length === 0) return all
  const names = all.map(({ cell }) => cell.name)
  const chosen = new Set(
    only.flatMap((wanted) => {
      const parts = wanted.split(",")
      const found = names.filter(
        (name) => name === wanted || parts.every((part) => name.split(",").includes(part)),
      )
      if (found.length > 0) return found
      const near = nearest(wanted, names)
      throw new UsageError(
        `no cell of ${file} is called "${wanted}"${near === undefined ? "." : `; did you mean ${near}?`} Its cells: ${names.join("; ")}.`,
      )
    }),
  )
  return all.filter(({ cell }) => chosen.has(cell.name))
}

export const planCells = async (
  cells: readonly CellSpec[],
  runs: string,
): Promise<readonly PlannedCell[]> => {
  const found = await listRuns(runs, new Set(cells.map(({ spec }) => spec.fingerprint)))
  const machine = { cores: availableParallelism(), memory: totalmem() }
  return cells.map((each) => ({
    ...each,
    state: experimentState(found, each.spec.fingerprint),
    seconds: makePlan(each.spec, machine).time.total,
  }))
}

/** The finished run of each cell. */
export const finishedRuns = async (
  cells: readonly CellSpec[],
  runs: string,
): Promise<readonly SweepCellRun[]> =>
  Promise.all(
    (await planCells(cells, runs)).map(async ({ state, ...each }) => ({
      ...each,
      run: state.state === "finished" ? await readRun(join(runs, state.run.id)) : undefined,
    })),
  )
