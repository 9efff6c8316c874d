/**
 * The table of a sweep, from what its runs measured: per point the mean over seeds with Student's interval, each seed
 * with its bootstrap interval over windows, tests between points, claims and floors. Nothing is called best.
 */
import type { Pair } from "../metric/statistics/bootstrap.js"
import { bootstrapRatio } from "../metric/statistics/bootstrap.js"
import { studentInterval, summarise } from "../metric/statistics/intervals.js"
import { comparePoints, type PointComparison } from "../metric/statistics/pairwise.js"
import { allFloorRows, isUntrained } from "./build-language-model-table.js"
import { comparabilitySentence, type ExperimentDifference } from "./differences.js"
import { estimatorName } from "../evaluators/index.js"
import { evaluationRows } from "./evaluation-rows.js"
import { isCountable, type EvaluationSummary, type FloorSummary } from "./language-model.js"
import { decimalsFor, formatNumber } from "./numbers.js"
import { isTold, noiseSentence, pairNotes } from "./sweep-words.js"
import type { StudyRun } from "./study-runs.js"
import { sweepItemRows } from "./sweep-items.js"
import { makeTable, type Interval, type ResultsTable, type TableRow } from "./table.js"

/** One finished cell. */
export interface SweepSeed extends StudyRun {
  readonly seed: number
}

export interface SweepPoint {
  /** For example `heads=4`. */
  readonly name: string
  readonly parameters: number
  /** Finished seeds, one at least. */
  readonly seeds: readonly SweepSeed[]
}

export interface SweepTableInput {
  readonly experiment: string
  readonly title: string
  readonly profile: string
  readonly streams: "paired" | "independent"
  /** What every cell changes of the published experiment. */
  readonly differences: readonly ExperimentDifference[]
  /** Files whose content the spec does not fix. */
  readonly unstated?: readonly string[]
  readonly points: readonly SweepPoint[]
  /** Names of points that differ by one step of one axis. */
  readonly neighbours: readonly (readonly [string, string])[]
  /** Names of the cells without results. */
  readonly missing: readonly string[]
  /** Further sentences, such as that the cells ran on several executors. */
  readonly remarks?: readonly string[]
  readonly claims?: readonly TableRow[]
  readonly contracts?: Readonly<Record<string, unknown>>
}

/** The tests of one evaluation, for programs. */
export interface SweepComparison extends PointComparison {
  readonly evaluation: string
  readonly unit: Unit[2]
  /** The rows that are compared. */
  readonly template: Unit[0]
  readonly points: readonly string[]
}

interface Measured {
  readonly point: SweepPoint
  readonly seed: SweepSeed
  readonly summary: EvaluationSummary
  readonly untrained: boolean
}

const UNITS = [
  ["bits-per-byte", "bytes", "bits/byte"],
  ["bits-per-token", "tokens", "bits/token"],
] as const
type Unit = (typeof UNITS)[number]

const pairsOf = ({ perWindow }: EvaluationSummary, of: Unit[1]): readonly Pair[] =>
  perWindow.map((window) => ({ numerator: window.bits, denominator: window[of] }))

const counts = (members: readonly { readonly summary: EvaluationSummary }[]): boolean =>
  members.every(({ summary }) => isCountable(summary))

const valueOf = ({ bits, bytes, tokens }: EvaluationSummary, of: Unit[1]): number =>
  bits / (of === "bytes" ? bytes : tokens)

/** The row of one seed, as it stands in the table of its run. */
const seedRow = (
  { point, seed, summary, untrained }: Measured,
  [suffix]: Unit,
  contracts: Record<string, unknown>,
): TableRow => {
  const all: Record<string, unknown> = {}
  const found = evaluationRows(
    summary,
    {
      ratioInterval: (pairs): Interval | null => {
        const { low, high, level, method } = bootstrapRatio(pairs)
        return { low, high, level, method }
      },
    },
    untrained,
    all,
  ).find(({ id }) => id === `${summary.evaluationId}/${suffix}`)!
  if (found.contractId !== null) contracts[found.contractId] = all[found.contractId]
  return {
    ...found,
    id: `${point.name}/seed-${seed.seed}/${found.id}`,
    label: `${point.name}, seed ${seed.seed}: ${found.label}`,
    group: "seed",
  }
}

const two = (value: number): string =>
  formatNumber(value, decimalsFor("", { low: 0, high: 2 * value, level: 0.95, method: "" }))

/** What the runs behind a mean are, and how sure each of them is of its own value. */
const seedsNote = (members: readonly Measured[], of: Unit[1], unit: string): string => {
  const errors = members.map(({ summary }) =>
    summary.perWindow.length < 2 ? "none" : two(bootstrapRatio(pairsOf(summary, of)).standardError),
  )
  const seeds = members.map(({ seed }) => seed.seed).join(", ")
  const runs = members.map(({ seed }) => seed.run).join(", ")
  return `Seed${members.length === 1 ? "" : "s"} ${seeds}: window-bootstrap standard error ${errors.join(", ")} ${unit}; run${members.length === 1 ? "" : "s"} ${runs}.`
}

/** The mean over the seeds of one point; `rows` are those of its seeds. */
const meanRow = (
  members: readonly Measured[],
  rows: readonly TableRow[],
  [suffix, of, unit]: Unit,
): TableRow => {
  const [{ point, summary }, row] = [members[0]!, rows[0]!]
  const stated = of === "tokens" || counts(members)
  const values = members.map((each) => valueOf(each.summary, of))
  const { mean } = summarise(values)
  const interval = stated ? studentInterval(values) : undefined
  const above = members.filter(({ untrained }) => untrained).length
  return {
    ...row,
    id: `${point.name}/${summary.evaluationId}/${suffix}`,
    label: row.label.replace(/, seed \d+:/, ":"),
    group: "result",
    value: stated ? mean : null,
    interval:
      interval === undefined
        ? null
        : {
            low: interval.low,
            high: interval.high,
            level: interval.level,
            method: `Student t over ${members.length} seeds`,
          },
    mark: above > 0 ? "untrained" : null,
    notes: [
      ...row.notes.filter((note) => !note.startsWith("Standard error of the mask draws")),
      ...(suffix === "bits-per-byte" && stated ? [seedsNote(members, of, unit)] : []),
      ...(members.length === 1 ? ["One seed: no interval over seeds, and no claim about another one."] : []),
      ...(above > 0 && above < members.length
        ? [`${above} of ${members.length} seeds are worse than the unigram floor.`]
        : []),
    ],
  }
}

const differenceRow = (
  pair: PointComparison["pairs"][number],
  comparison: SweepComparison,
  template: TableRow,
  estimator: string,
): TableRow => {
  const { a, b, difference, overSeeds, overWindows } = pair
  const [left, right] = [comparison.points[a]!, comparison.points[b]!]
  const over =
    overSeeds === undefined
      ? overWindows && { ...overWindows, method: `paired bootstrap over ${overWindows.windows} windows` }
      : { ...overSeeds, method: `${overSeeds.kind} over ${overSeeds.seeds} seeds` }
  return {
    ...template,
    id: `${left}-${right}/${comparison.evaluation}/difference`,
    group: "difference",
    label: `${left} − ${right}: ${estimator}, ${comparison.unit === "bits/byte" ? "BPB" : comparison.unit}`,
    contractId: null,
    quantity: "difference of negative-log-likelihood",
    value: difference,
    // The difference of two bounds bounds nothing.
    boundKind: template.boundKind === "exact" ? "exact" : "estimate",
    interval:
      over === undefined
        ? null
        : { low: over.low, high: over.high, level: comparison.level, method: over.method },
    mark: isTold(pair, comparison) ? "differs" : null,
    notes: pairNotes(pair, comparison, comparison.unit),
  }
}

const compare = (
  input: SweepTableInput,
  evaluation: string,
  byPoint: readonly (readonly Measured[])[],
): SweepComparison | undefined => {
  if (byPoint.length < 2) return undefined
  const points = byPoint.map(([first]) => first!.point.name)
  const neighbours = input.neighbours.flatMap(([a, b]): readonly (readonly [number, number])[] => {
    const [x, y] = [points.indexOf(a), points.indexOf(b)]
    return x < 0 || y < 0 ? [] : [[x, y]]
  })
  // Without a byte count, the tokens of the one tokenizer.
  const [suffix, of, unit] = UNITS[counts(byPoint.flat()) ? 0 : 1]
  const values = byPoint.map((members) =>
    members.map(({ seed, summary }) => ({
      seed: seed.seed,
      value: valueOf(summary, of),
      windows: pairsOf(summary, of),
    })),
  )
  const compared = comparePoints(values, { paired: input.streams === "paired", neighbours })
  return { ...compared, evaluation, unit, template: suffix, points }
}

const parameterRows = (points: readonly SweepPoint[]): readonly TableRow[] => {
  const same = points.every(({ parameters }) => parameters === points[0]!.parameters)
  return (same ? points.slice(0, 1) : points).map(({ name, parameters }) => ({
    id: same ? "parameters" : `${name}/parameters`,
    group: "result",
    label: same ? "Parameters of every point" : `${name}: parameters`,
    contractId: null,
    quantity: "parameters",
    unit: "count",
    value: parameters,
    boundKind: "exact",
    interval: null,
    denominator: null,
    estimator: null,
    tokens: null,
    bytes: null,
    notes: [],
    mark: null,
  }))
}

/** xz is left out: whether it is installed differs between machines that share a sweep. */
const floorsKey = (floors: readonly FloorSummary[]): string =>
  JSON.stringify(floors.filter(({ id }) => id !== "xz").map(({ id, bitsPerToken }) => [id, bitsPerToken]))

/** The floors once, or for each text that was scored. */
const sweepFloors = (points: readonly SweepPoint[]): readonly TableRow[] => {
  const different = [...new Map(points.map((point) => [floorsKey(point.seeds[0]!.floors), point])).values()]
  return different.flatMap(({ name, seeds }) => {
    const [first] = seeds[0]!.evaluations
    return allFloorRows(seeds[0]!.floors, first).map((row) =>
      different.length === 1 ? row : { ...row, id: `${row.id}/${name}`, label: `${name}: ${row.label}` },
    )
  })
}

const trainedSentence = (points: readonly SweepPoint[], untrained: ReadonlySet<string>): string => {
  const floor = points[0]!.seeds[0]!.floors.find(({ id }) => id === "unigram")?.bitsPerToken
  const level = floor === undefined || floor === null ? "" : ` (${floor.toFixed(3)} bits/token)`
  if (untrained.size === 0) return `Every run is trained: below the unigram floor of its text${level}.`
  return `Untrained: ${[...untrained].join(", ")} ${untrained.size === 1 ? "is" : "are"} worse than the unigram floor${level}; a comparison between untrained models says little about trained ones.`
}

/** @throws TableError when a law of reporting is broken */
export const buildSweepTable = (
  input: SweepTableInput,
): { readonly table: ResultsTable; readonly comparisons: readonly SweepComparison[] } => {
  const { points } = input
  const contracts: Record<string, unknown> = { ...input.contracts }
  const evaluations = [
    ...new Set(
      points.flatMap(({ seeds }) =>
        seeds.flatMap((seed) => seed.evaluations.map(({ evaluationId }) => evaluationId)),
      ),
    ),
  ]
  const [means, seedRows, differences]: TableRow[][] = [[], [], []]
  const comparisons: SweepComparison[] = []
  const sentences: string[] = []
  const untrained = new Set<string>()
  for (const evaluation of evaluations) {
    const byPoint = points
      .map((point) =>
        point.seeds.flatMap((seed): readonly Measured[] => {
          const summary = seed.evaluations.find(({ evaluationId }) => evaluationId === evaluation)
          return summary === undefined
            ? []
            : [{ point, seed, summary, untrained: isUntrained(summary, seed.floors, seed.evaluations[0]) }]
        }),
      )
      .filter((members) => members.length > 0)
    for (const { point, seed, untrained: worse } of byPoint.flat())
      if (worse) untrained.add(`${point.name} seed ${seed.seed}`)
    for (const unit of UNITS) {
      for (const members of byPoint) {
        const rows = members.map((member) => seedRow(member, unit, contracts))
        means!.push(meanRow(members, rows, unit))
        seedRows!.push(...rows.map((row) => ({ ...row, notes: [] })))
      }
    }
    const compared = compare(input, evaluation, byPoint)
    if (compared === undefined) continue
    const estimator = estimatorName(byPoint[0]![0]!.summary.evaluation)
    const template = means!.find(
      ({ id }) => id === `${compared.points[0]}/${evaluation}/${compared.template}`,
    )!
    comparisons.push(compared)
    sentences.push(noiseSentence(estimator, compared, compared.points, compared.unit))
    differences!.push(...compared.pairs.map((pair) => differenceRow(pair, compared, template, estimator)))
  }
  const items = sweepItemRows(points, contracts)
  const runs = points.reduce((sum, { seeds }) => sum + seeds.length, 0)
  const verdict = [
    ...(input.missing.length === 0
      ? []
      : [
          `Incomplete: ${input.missing.length} of ${input.missing.length + runs} cells have no results yet (${input.missing.join("; ")}).`,
        ]),
    comparabilitySentence(input.profile, input.differences, input.unstated),
    ...(evaluations.length === 0 ? [] : [trainedSentence(points, untrained)]),
    ...sentences,
    ...(input.remarks ?? []),
  ]
  const table = makeTable(
    {
      experiment: input.experiment,
      title: input.title,
      profile: input.profile,
      run: null,
      fingerprint: null,
      verdict,
      headings: {
        result: `Measured: each point, mean over its seeds`,
        seed: "Measured: each seed",
        difference:
          "Differences between points: neighbours, and the lowest point against each (negative: the first needs fewer bits)",
      },
    },
    [
      ...items.means,
      ...means!,
      ...(points.length === 0 ? [] : parameterRows(points)),
      ...items.seeds,
      ...seedRows!,
      ...differences!,
      ...(input.claims ?? []),
      ...(points.length === 0 ? [] : sweepFloors(points)),
    ],
    contracts,
  )
  return { table, comparisons }
}
