/** Reads the finished runs of a sweep and makes its table from their evidence. Nothing is measured here. */
import { parameterCount } from "../plan/parameters.js"
import type { RunReader } from "../run/directory.js"
import { readFloors } from "../run/floors.js"
import type { CellSpec } from "../spec/cell-spec.js"
import { contentNotices } from "../spec/content.js"
import { unstatedFiles } from "../spec/fingerprint.js"
import { neighbouringPoints, pointName, type Sweep } from "../spec/sweep.js"
import { markedClaimRows, type TableClaims } from "./claim-marks.js"
import type { ExperimentDifference } from "./differences.js"
import { runSummaries } from "./run-table.js"
import { buildSweepTable, type SweepComparison, type SweepPoint, type SweepSeed } from "./sweep-table.js"
import type { ResultsTable } from "./table.js"

/** A cell and its finished run, if there is one. */
export interface SweepCellRun extends CellSpec {
  readonly run: RunReader | undefined
}

const readSeed = async (seed: number, run: RunReader): Promise<SweepSeed> => ({
  seed,
  run: run.manifest.id,
  evaluations: await runSummaries(run),
  floors: (await readFloors(run)) ?? [],
})

const readPoints = async (cells: readonly SweepCellRun[]): Promise<readonly SweepPoint[]> => {
  const points = new Map<string, { readonly parameters: number; readonly seeds: SweepSeed[] }>()
  for (const { cell, spec, run } of cells) {
    if (run === undefined) continue
    const name = pointName(cell)
    const point = points.get(name) ?? { parameters: parameterCount(spec.experiment).total, seeds: [] }
    points.set(name, point)
    point.seeds.push(await readSeed(cell.seed, run))
  }
  return [...points].map(([name, point]) => ({ name, ...point }))
}

/** What every cell changes of the published experiment, and changes alike. */
const sharedDifferences = (cells: readonly SweepCellRun[]): readonly ExperimentDifference[] => {
  const [first, ...rest] = cells.map(({ spec }) => spec.differences)
  return (first ?? []).filter((each) =>
    rest.every((others) => others.some((other) => JSON.stringify(other) === JSON.stringify(each))),
  )
}

/** Executors and precisions are no part of an experiment, but a difference between cells may be theirs. */
const executorRemarks = (cells: readonly SweepCellRun[]): readonly string[] => {
  const kinds = new Set(
    cells.flatMap(({ run }) => {
      if (run === undefined) return []
      const { name, version, precision } = run.manifest.provenance.executor
      return [`${name} ${version}, ${precision}`]
    }),
  )
  return kinds.size < 2
    ? []
    : [
        `The cells were computed by different executors (${[...kinds].join("; ")}): they differ by rounding too.`,
      ]
}

/** What the data of the runs hold that a reader must know, once each. */
const dataRemarks = (cells: readonly SweepCellRun[]): readonly string[] => [
  ...new Set(
    cells.flatMap(({ run }) => (run?.manifest.data === undefined ? [] : contentNotices(run.manifest.data))),
  ),
]

/** The table over the cells that are finished; the verdict names the others. `cells` holds one at least. */
export const sweepTable = async (
  sweep: Sweep,
  cells: readonly SweepCellRun[],
  published: TableClaims = { claims: [] },
  remarks: readonly string[] = [],
): Promise<{ readonly table: ResultsTable; readonly comparisons: readonly SweepComparison[] }> => {
  const { rows, contracts } = markedClaimRows(published)
  const { experiment, profile } = cells[0]!.spec
  return buildSweepTable({
    experiment: experiment.id,
    title: experiment.title,
    profile,
    streams: sweep.streams,
    differences: sharedDifferences(cells),
    points: await readPoints(cells),
    neighbours: neighbouringPoints(sweep),
    missing: cells.filter(({ run }) => run === undefined).map(({ cell }) => cell.name),
    remarks: [...dataRemarks(cells), ...remarks, ...executorRemarks(cells)],
    unstated: unstatedFiles(experiment),
    claims: rows,
    contracts,
  })
}
