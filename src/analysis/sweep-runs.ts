/** Reads the finished runs of a sweep and makes its table from their evidence. Nothing is measured here. */
import { parameterCount } from "../plan/parameters.js"
import { contentNotices } from "../spec/content.js"
import { unstatedFiles } from "../spec/fingerprint.js"
import { byPoint } from "../spec/study.js"
import { isPaired, neighbouringPoints, type Sweep } from "../spec/sweep.js"
import { markedClaimRows, type TableClaims } from "./claim-marks.js"
import type { ExperimentDifference } from "./differences.js"
import { readStudyRun, type MemberRun } from "./study-runs.js"
import { buildSweepTable, type SweepComparison, type SweepPoint, type SweepSeed } from "./sweep-table.js"
import type { ResultsTable } from "./table.js"

const readPoints = async (members: readonly MemberRun[]): Promise<readonly SweepPoint[]> => {
  const points: SweepPoint[] = []
  for (const [name, own] of byPoint(members, ({ point }) => point)) {
    const seeds: SweepSeed[] = []
    for (const { seed, run } of own) if (run !== undefined) seeds.push({ seed, ...(await readStudyRun(run)) })
    if (seeds.length > 0)
      points.push({ name, parameters: parameterCount(own[0].spec.experiment).total, seeds })
  }
  return points
}

/** What every cell changes of the published experiment, and changes alike. */
const sharedDifferences = (cells: readonly MemberRun[]): readonly ExperimentDifference[] => {
  const [first, ...rest] = cells.map(({ spec }) => spec.differences)
  return (first ?? []).filter((each) =>
    rest.every((others) => others.some((other) => JSON.stringify(other) === JSON.stringify(each))),
  )
}

/** Executors and precisions are no part of an experiment, but a difference between cells may be theirs. */
const executorRemarks = (cells: readonly MemberRun[]): readonly string[] => {
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
const dataRemarks = (cells: readonly MemberRun[]): readonly string[] => [
  ...new Set(
    cells.flatMap(({ run }) => (run?.manifest.data === undefined ? [] : contentNotices(run.manifest.data))),
  ),
]

/** The table over the cells that are finished; the verdict names the others. `cells` holds one at least. */
export const sweepTable = async (
  sweep: Sweep,
  cells: readonly MemberRun[],
  published: TableClaims = { claims: [] },
  remarks: readonly string[] = [],
): Promise<{ readonly table: ResultsTable; readonly comparisons: readonly SweepComparison[] }> => {
  const { rows, contracts } = markedClaimRows(published)
  const { experiment, profile } = cells[0]!.spec
  return buildSweepTable({
    experiment: experiment.id,
    title: experiment.title,
    profile,
    streams: isPaired(sweep) ? "paired" : "independent",
    differences: sharedDifferences(cells),
    points: await readPoints(cells),
    neighbours: neighbouringPoints(sweep),
    missing: cells.filter(({ run }) => run === undefined).map(({ name }) => name),
    remarks: [...dataRemarks(cells), ...remarks, ...executorRemarks(cells)],
    unstated: unstatedFiles(experiment),
    claims: rows,
    contracts,
  })
}
