/** The cells of a sweep with what is known of each: chosen by name, their state, their planned time. */
import { availableParallelism, totalmem } from "node:os"
import { join } from "node:path"
import { DataMismatch } from "../../files/errors.js"
import { makePlan } from "../../plan/plan.js"
import type { SweepCellRun } from "../../analysis/sweep-runs.js"
import { readRun } from "../../run/directory.js"
import { findRuns, wantedFingerprint, type WantedRun } from "../../run/identity.js"
import type { DataContent } from "../../spec/content.js"
import { cellSpecs, type CellSpec } from "../../spec/cell-spec.js"
import { nearest } from "../../spec/nearest.js"
import type { LoadedSpec } from "../../spec/spec-file.js"
import { experimentState, type ExperimentState } from "../experiment-state.js"
import { UsageError } from "../outcome.js"
import { presentContent } from "../present-content.js"

export interface PlannedCell extends CellSpec {
  /** Of its run: with the digests of the data, where they are known. */
  readonly fingerprint: string
  readonly state: ExperimentState
  /** Finished runs of the cell on data that are not those of this sweep. */
  readonly otherData: readonly string[]
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

/** Equal for cells of the same data. */
const keyOf = ({ spec }: CellSpec): string => JSON.stringify(spec.experiment.data)

/**
 * The data that each cell's run must have: as they lie on disk, else, where they are gone or cannot be used, those of
 * the newest run of any cell with the same data, so that no two contents meet in one table.
 */
const wantedRuns = async (cells: readonly CellSpec[], runs: string): Promise<readonly WantedRun[]> => {
  const present = new Map<string, DataContent | undefined>()
  for (const cell of cells)
    if (!present.has(keyOf(cell)))
      present.set(keyOf(cell), await presentContent(cell.spec.experiment.data).catch(() => undefined))
  const wanted = cells.map((cell) => ({ spec: cell.spec, content: present.get(keyOf(cell)) }))
  if (wanted.every(({ content }) => content !== undefined)) return wanted
  const found = await findRuns(runs, wanted)
  const kept = new Map<string, DataContent>()
  const newest = cells
    .flatMap((cell, i) => found[i]!.map((summary) => ({ ...summary, key: keyOf(cell) })))
    .sort((a, b) => (a.started < b.started ? -1 : 1))
  for (const { key, data, status } of newest)
    if (data !== undefined && status === "finished") kept.set(key, data)
  return wanted.map(({ spec, content }, i) => ({ spec, content: content ?? kept.get(keyOf(cells[i]!)) }))
}

/**
 * Not every cell rests on files that contradict its spec; one of several that does so fails alone.
 * @throws DataMismatch of the first
 */
export const requireSomeData = async (cells: readonly CellSpec[]): Promise<void> => {
  const seen = new Map<string, unknown>()
  for (const cell of cells)
    if (!seen.has(keyOf(cell)))
      seen.set(
        keyOf(cell),
        await presentContent(cell.spec.experiment.data).then(
          () => undefined,
          (error: unknown) => error,
        ),
      )
  const errors = [...seen.values()]
  if (errors.every((error) => error instanceof DataMismatch)) throw errors[0]
}

export const planCells = async (
  cells: readonly CellSpec[],
  runs: string,
): Promise<readonly PlannedCell[]> => {
  const wanted = await wantedRuns(cells, runs)
  const found = await findRuns(runs, wanted)
  const onAny = await findRuns(
    runs,
    wanted.map(({ spec }) => ({ spec, content: undefined })),
  )
  const machine = { cores: availableParallelism(), memory: totalmem() }
  return cells.map((each, i) => ({
    ...each,
    fingerprint: wantedFingerprint(wanted[i]!),
    state: experimentState(found[i]!),
    otherData: onAny[i]!.filter(
      ({ id, status }) => status === "finished" && !found[i]!.some((own) => own.id === id),
    ).map(({ id }) => id),
    seconds: makePlan(each.spec, machine).time.total,
  }))
}

/** Of finished runs that are left out because their data are others; empty when there are none. */
export const otherDataRemarks = (cells: readonly Pick<PlannedCell, "otherData">[]): readonly string[] => {
  const runs = cells.flatMap(({ otherData }) => otherData)
  return runs.length === 0
    ? []
    : [
        `${runs.length} finished ${runs.length === 1 ? "run" : "runs"} of these cells ${runs.length === 1 ? "rests" : "rest"} on other data and ${runs.length === 1 ? "is" : "are"} left out (${runs.join(", ")}).`,
      ]
}

/** The finished run of each cell. */
export const finishedRuns = async (
  cells: readonly CellSpec[],
  runs: string,
): Promise<readonly (PlannedCell & SweepCellRun)[]> =>
  Promise.all(
    (await planCells(cells, runs)).map(async (each) => ({
      ...each,
      run: each.state.state === "finished" ? await readRun(join(runs, each.state.run.id)) : undefined,
    })),
  )
