/** Every file of a report: the table in each format, plots, the plots' data, and the curves for TensorBoard. */
import { ceilingOf, smoothed, type TrainingCurves } from "../analysis/curves.js"
import type { LadderPlot, LadderPoint } from "../analysis/ladder-plot.js"
import { lengthCurve } from "../metric/samples/lengths.js"
import type { Contract } from "../metric/contract/contract.js"
import { showNumber } from "../analysis/numbers.js"
import { tensorboardFile } from "./interchange/tensorboard.js"
import { renderCsv } from "./render/csv.js"
import { renderHtml, type HtmlFigure } from "./render/html.js"
import { renderJson } from "./render/json.js"
import { renderLatex } from "./render/latex.js"
import { renderMarkdown } from "./render/markdown.js"
import { NARROW } from "./svg-elements.js"
import { intervalPlot, ladderPlot, linePlot, type IntervalPlot, type LinePlot } from "./svg.js"
import type { ResultsTable, TableRow } from "../analysis/table.js"
import { intervalVega, ladderVega, lineVega } from "./vega.js"
import { viewTable } from "./view.js"

const bitsPerByte = ({ rows }: ResultsTable): readonly TableRow[] =>
  rows.filter(
    ({ unit, quantity, value }) =>
      unit === "bits/byte" && quantity === "negative-log-likelihood" && value !== null,
  )

/** Every bits-per-byte value under an exact denominator; undefined without any. */
export const valuesPlot = (table: ResultsTable): IntervalPlot | undefined => {
  const ids = new Set(bitsPerByte(table).map(({ id }) => id))
  if (ids.size === 0) return undefined
  return {
    title: `${table.header.experiment}, profile ${table.header.profile}: bits per byte`,
    unit: bitsPerByte(table).every(({ denominator }) => (denominator?.text?.standing ?? "exact") === "exact")
      ? "bits/byte, exact byte count"
      : "bits/byte, over the bytes that each label names",
    items: viewTable(table).groups.flatMap(({ name, rows }) =>
      rows
        .filter(({ row }) => ids.has(row.id))
        .map(({ row, label }) => {
          const shown = showNumber(row)
          return {
            label,
            value: row.value!,
            ...(row.interval === null ? {} : { low: row.interval.low, high: row.interval.high }),
            boundKind: row.boundKind,
            group: name,
            text: [shown.sign, shown.value].filter((part) => part !== "").join(" "),
          }
        }),
    ),
  }
}

const product = (...factors: readonly (number | "not stated" | undefined)[]): number | undefined => {
  let result = 1
  for (const factor of factors) {
    if (typeof factor !== "number") return undefined
    result *= factor
  }
  return result
}

/** Network evaluations of one window, where the contract tells them. */
export const evaluationsPerWindow = ({ estimator, window }: Contract): number | undefined => {
  const length = window === "not stated" || window.length === "not stated" ? undefined : window.length
  if (estimator === "not stated") return undefined
  switch (estimator.kind) {
    case "discrete-elbo":
      return product(estimator.steps, estimator.draws)
    case "any-order":
    case "continuous-elbo":
      return product(estimator.draws)
    case "chain-rule":
      return length
    case "importance-weighted":
      return product(estimator.samples, length)
    case "autoregressive":
      return 1
    default:
      return undefined
  }
}

/**
 * This run's bits per byte against what each cost, from the table alone: for results whose evidence is gone. Rows on
 * fewer windows than the first are left out. Undefined where all cost the same.
 */
export const costPlot = (table: ResultsTable): LadderPlot | undefined => {
  const rows = bitsPerByte(table).filter(
    ({ group, id }) => group === "result" && id.endsWith("/bits-per-byte"),
  )
  const points = rows
    .filter(({ bytes }) => bytes === rows[0]?.bytes)
    .flatMap((row): readonly LadderPoint[] => {
      const contract =
        row.contractId === null ? undefined : (table.contracts[row.contractId] as Contract | undefined)
      const cost =
        row.forwardsPerWindow ?? (contract === undefined ? undefined : evaluationsPerWindow(contract))
      if (cost === undefined) return []
      const bounds = row.interval === null ? {} : { low: row.interval.low, high: row.interval.high }
      return [
        { label: row.estimator ?? row.label, cost, value: row.value!, ...bounds, boundKind: row.boundKind },
      ]
    })
  // Of one cost there is nothing to set the values against.
  return new Set(points.map(({ cost }) => cost)).size < 2
    ? undefined
    : {
        title: "Bits per byte against their cost",
        cost: "network evaluations per window",
        unit: "bits/byte",
        points,
      }
}

type Points = LinePlot["series"][number]["points"]

/** The top of a picture of several curves; infinite where none needs one. */
const commonCeiling = (
  curves: readonly Points[],
  ceiling: (points: Points) => number | undefined,
): number => {
  const found = curves.map((points) => ceiling(points))
  if (found.every((each) => each === undefined)) return Infinity
  return Math.max(
    ...curves.map((points, i) => found[i] ?? points.reduce((most, { y }) => Math.max(most, y), -Infinity)),
  )
}

const short = (value: number): string => String(Number(value.toPrecision(3)))

/** What a picture says of the values above its top, in number and in height. */
const cutAt = (
  ceiling: number,
  curves: readonly Points[],
  further: (top: string) => string = () => "",
): Pick<LinePlot, "ceiling" | "note"> => {
  const all = curves.flat()
  const cut = all.filter(({ y }) => y > ceiling)
  if (cut.length === 0) return {}
  const highest = cut.reduce((most, { y }) => Math.max(most, y), -Infinity)
  return {
    ceiling,
    note: `Cut at ${short(ceiling)}: ${cut.length} of ${all.length} recorded values ${cut.length === 1 ? "lies" : "lie"} above, up to ${short(highest)}.${further(short(ceiling))}`,
  }
}

/**
 * The training loss, of one run as recorded too; undefined without steps. Where single values would press the rest flat,
 * the picture ends below them, and they count in the smoothed curve as if they stood there.
 */
export const lossPlot = (curves: readonly TrainingCurves[]): LinePlot | undefined => {
  const recorded = curves.flatMap(({ name, steps }) =>
    steps.length === 0 ? [] : [{ name, points: steps.map(({ step, loss }) => ({ x: step, y: loss })) }],
  )
  if (recorded.length === 0) return undefined
  const ceiling = commonCeiling(
    recorded.map(({ points }) => points),
    ceilingOf,
  )
  const series = recorded.flatMap(({ name, points }) => {
    const below = points.map(({ x, y }) => ({ x, y: Math.min(y, ceiling) }))
    const calm = { name: recorded.length === 1 ? "smoothed" : name, points: smoothed(below) }
    return recorded.length === 1 ? [{ name: "as recorded", points, faint: true }, calm] : [calm]
  })
  return {
    title: `Training loss${recorded.length === 1 ? "" : ", smoothed"}: the optimised objective, not a code length`,
    x: "optimiser step",
    y: "loss",
    series,
    ...cutAt(
      ceiling,
      recorded.map(({ points }) => points),
      (top) => ` The smoothed ${recorded.length === 1 ? "curve takes" : "curves take"} them as ${top}.`,
    ),
  }
}

/** The validation curves; undefined where none was taken. */
export const validationPlot = (curves: readonly TrainingCurves[]): LinePlot | undefined => {
  const taken = curves.filter(({ validation }) => validation.length > 0)
  if (taken.length === 0) return undefined
  const series = taken.map(({ name, validation }) => ({
    name: curves.length === 1 ? "validation" : name,
    points: validation.map(({ step, natsPerToken }) => ({ x: step, y: natsPerToken })),
  }))
  const points = series.map((each) => each.points)
  const how = new Set(
    taken.map(({ taken: by }) => (by === undefined ? "" : `${by.evaluation}, ${by.windows} windows`)),
  )
  return {
    title: `Validation while training: the same windows and masks at every step${how.size === 1 ? ` (${[...how][0]!})` : ""}`,
    x: "optimiser step",
    y: "nats/token",
    series,
    // What is measured before the first step tells how far training came, and presses the rest flat.
    ...cutAt(
      commonCeiling(points, (each) => ceilingOf(each, each.slice(1))),
      points,
    ),
  }
}

/** Lengths of texts, and of the data's rows that they are set beside. */
export interface LengthsOf {
  /** Of the evaluation. */
  readonly id: string
  readonly texts: readonly number[]
  readonly data: readonly number[]
}

/** A distribution function is flat between lengths and leaps at them. */
const staircase = (lengths: readonly number[]): LinePlot["series"][number]["points"] => {
  let share = 0
  return lengthCurve(lengths).flatMap((point) => {
    const below = share
    share = point.share
    return [
      { x: point.length, y: below },
      { x: point.length, y: point.share },
    ]
  })
}

/** Distribution functions of lengths; undefined without texts or rows. */
export const lengthsPlot = ({ id, texts, data }: LengthsOf): LinePlot | undefined =>
  texts.length === 0 || data.length === 0
    ? undefined
    : {
        title: `${id}: lengths of ${texts.length} texts and of ${data.length} rows of the data`,
        x: "tokens generated",
        y: "share at most so long",
        series: [
          { name: "texts", points: staircase(texts) },
          { name: "data", points: staircase(data) },
        ],
      }

export interface MorePlots {
  readonly lengths?: readonly LengthsOf[]
  /** Quality of texts against their cost. */
  readonly qualities?: readonly LadderPlot[]
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/** File names and contents, in a fixed order. */
export const reportFiles = (
  table: ResultsTable,
  curves: readonly TrainingCurves[],
  ladder: LadderPlot | undefined = costPlot(table),
  { lengths = [], qualities = [] }: MorePlots = {},
): ReadonlyMap<string, string | Uint8Array> => {
  const files = new Map<string, string | Uint8Array>()
  const figures: HtmlFigure[] = []
  const plots: string[] = []
  const add = <P extends { readonly title: string }>(
    name: string,
    plot: P | undefined,
    draw: (plot: P, width?: number) => string,
    vega: (plot: P) => unknown,
  ): void => {
    if (plot === undefined) return
    const svg = draw(plot)
    files.set(`${name}.svg`, svg)
    files.set(`${name}.vl.json`, json(vega(plot)))
    figures.push({ caption: plot.title, svg, narrow: draw(plot, NARROW) })
    plots.push(`![${plot.title}](${name}.svg)`)
  }
  add("values", valuesPlot(table), intervalPlot, intervalVega)
  add("cost", ladder, ladderPlot, ladderVega)
  for (const [i, quality] of qualities.entries()) add(`quality-${i + 1}`, quality, ladderPlot, ladderVega)
  for (const each of lengths) add(`lengths-${each.id}`, lengthsPlot(each), linePlot, lineVega)
  add("loss", lossPlot(curves), linePlot, lineVega)
  add("validation", validationPlot(curves), linePlot, lineVega)
  files.set("table.md", [renderMarkdown(table), ...plots.map((plot) => `${plot}\n`)].join("\n"))
  files.set("table.html", renderHtml(table, figures))
  files.set("table.csv", renderCsv(table))
  files.set("table.tex", renderLatex(table))
  files.set("table-all.tex", renderLatex(table, true))
  files.set("table.json", renderJson(table))
  for (const each of curves) {
    const events = tensorboardFile(each)
    if (events !== undefined) files.set(events.name, events.bytes)
  }
  return files
}
