/**
 * Plots as SVG text: equal data gives equal bytes. Shapes tell kinds apart as well as colours do, and a bound is drawn
 * with an arrow towards where the truth may lie.
 */
import type { LadderPlot, LadderPoint } from "../analysis/ladder-plot.js"
import { linearScale, logScale } from "./plot-scale.js"
import { apart, axes, least, most, NAME_LINE, spread } from "./svg-axes.js"
import type { BoundKind } from "../analysis/table.js"
import {
  element,
  text,
  line,
  INK,
  MUTED,
  GRID,
  PALETTE,
  WIDE,
  widthOf,
  wrapped,
  clip,
  colourKey,
  frame,
  isNarrow,
  mark,
  KIND_NAMES,
  kindLegend,
} from "./svg-elements.js"

export { linePlot, type LinePlot, type LineSeries } from "./line-plot.js"

export interface IntervalItem {
  readonly label: string
  readonly value: number
  readonly low?: number
  readonly high?: number
  readonly boundKind: BoundKind
  /** Items of one group share a colour and a heading. */
  readonly group: string
  /** Printed at the right; the value as the table prints it. */
  readonly text: string
}

export interface IntervalPlot {
  readonly title: string
  readonly unit: string
  readonly items: readonly IntervalItem[]
}

/** A forest plot: one line an item, its value with interval on a shared axis. */
export const intervalPlot = ({ title, unit, items }: IntervalPlot, room = WIDE): string => {
  const narrow = isNarrow(room)
  const groups = [...new Set(items.map(({ group }) => group))]
  const labelWidth = Math.min(480, Math.max(90, ...items.map(({ label }) => widthOf(label))))
  // Long labels widen the picture and leave the axis its room.
  const width = narrow ? room : room + Math.max(0, labelWidth - 340)
  const textWidth = Math.max(30, ...items.map((item) => widthOf(item.text)))
  const left = narrow ? 16 : 28 + labelWidth + 24
  const right = narrow ? width - 24 : width - 24 - textWidth - 12
  const values = items.flatMap(({ value, low, high }) => [value, low ?? value, high ?? value])
  const scale = linearScale(Math.min(...values), Math.max(...values), left + 12, right, narrow ? 4 : 6)
  const rowHeight = 26
  const top = 44
  const parts: string[] = []
  let y = top
  for (const [index, group] of groups.entries()) {
    const colour = PALETTE[index % PALETTE.length]!
    y += 24
    const heading = narrow ? wrapped(group, width - 40) : [group]
    parts.push(...heading.map((each, i) => text(16, y + i * 17, each, { "font-weight": 600, fill: colour })))
    y += (heading.length - 1) * 17
    for (const item of items.filter((each) => each.group === group)) {
      y += rowHeight
      const lines = narrow
        ? wrapped(item.label, width - 40 - widthOf(item.text) - 24)
        : [clip(item.label, labelWidth)]
      parts.push(...lines.map((each, i) => text(narrow ? 16 : 28, y + i * 17, each)))
      parts.push(text(width - 24, y, item.text, { "text-anchor": "end" }))
      // Beside its name, or below it.
      const middle = narrow ? y + (lines.length - 1) * 17 + 14 : y - 4
      if (narrow) y = middle + 2
      if (item.low !== undefined && item.high !== undefined) {
        const [from, to] = [scale.at(item.low), scale.at(item.high)]
        parts.push(
          line(from, middle, to, middle, { stroke: colour, "stroke-width": 2, "stroke-opacity": 0.45 }),
        )
        for (const end of [from, to]) {
          parts.push(line(end, middle - 5, end, middle + 5, { stroke: colour, "stroke-opacity": 0.45 }))
        }
      }
      parts.push(mark(scale.at(item.value), middle, item.boundKind, colour, "x"))
    }
  }
  const bottom = y + 14
  const grid = scale.ticks.flatMap(({ value, text: label }) => [
    line(scale.at(value), top + 4, scale.at(value), bottom, { stroke: GRID }),
    text(scale.at(value), bottom + 17, label, { "text-anchor": "middle", fill: MUTED, "font-size": 12 }),
  ])
  const kinds = (Object.keys(KIND_NAMES) as BoundKind[]).filter((kind) =>
    items.some(({ boundKind }) => boundKind === kind),
  )
  const legend = kindLegend(kinds, 16, bottom + 62, narrow ? width - 16 : Infinity)
  return frame(width, bottom + 76 + legend.height, title, [
    ...grid,
    ...parts,
    text((left + right) / 2, bottom + 37, unit, { "text-anchor": "middle", fill: MUTED }),
    ...legend.parts,
  ])
}

/** Horizontal distance of marks that would cover each other. */
const ASIDE = 17

/** Horizontal positions: marks of nearly one cost stand side by side around it, in the order of their costs. */
const sideBySide = (wanted: readonly number[]): readonly number[] => {
  const placed = [...wanted]
  for (let first = 0; first < wanted.length;) {
    let last = first
    while (last + 1 < wanted.length && wanted[last + 1]! - wanted[first]! < ASIDE * 0.75) last++
    const middle = (wanted[first]! + wanted[last]!) / 2
    for (let i = first; i <= last; i++) placed[i] = middle + (i - (first + last) / 2) * ASIDE
    first = last + 1
  }
  return placed
}

/** A reference further from the points than their own spread would flatten them; it is named instead of drawn. */
const inSight = (points: readonly LadderPoint[]): ((y: number) => boolean) => {
  const values = points.flatMap(({ value, low, high }) => [value, low ?? value, high ?? value])
  const [lowest, highest] = [least(values), most(values)]
  const room = highest > lowest ? highest - lowest : Math.abs(highest)
  return (y) => y >= lowest - room && y <= highest + room
}

/**
 * Bounds against what they cost, cheapest at the left; the cost axis is logarithmic. Marks carry numbers, which the
 * key below explains.
 */
export const ladderPlot = (
  { title, cost, unit, points, references = [] }: LadderPlot,
  width = WIDE,
): string => {
  const narrow = isNarrow(width)
  if (points.length === 0) return frame(width, 90, title, [text(16, 60, "no data", { fill: MUTED })])
  const near = inSight(points)
  const shown = references.filter(({ y }) => near(y))
  const beyond = references.filter(({ y }) => !near(y))
  const labelWidth = Math.max(20, ...shown.map(({ name }) => Math.min(200, widthOf(name))))
  const sorted = [...points].sort((a, b) => a.cost - b.cost || a.value - b.value)
  const series = [...new Set(points.map((point) => point.series ?? ""))]
  const colourOf = (point: LadderPoint): string =>
    PALETTE[series.indexOf(point.series ?? "") % PALETTE.length]!
  const several = series.length > 1
  const axisNames = {
    x: narrow ? wrapped(cost, width - 40) : [cost],
    y: narrow ? wrapped(unit, width - 32) : [unit],
  }
  const above = (narrow && several ? series.length * 18 : 0) + (axisNames.y.length - 1) * NAME_LINE
  const box = {
    left: narrow ? 54 : 64,
    right: narrow ? width - 16 : width - labelWidth - 32,
    top: 76 + above,
    bottom: 390 + above,
  }
  const labels = [...new Set(sorted.map(({ label }) => label))]
  const numberOf = ({ label }: LadderPoint): number => labels.indexOf(label) + 1
  const costs = points.map((point) => point.cost)
  const values = [
    ...points.flatMap(({ value, low, high }) => [value, low ?? value, high ?? value]),
    ...shown.map(({ y }) => y),
  ]
  const xScale = logScale(
    least(costs),
    most(costs),
    box.left + (narrow ? 16 : 40),
    box.right - (narrow ? 16 : 40),
    narrow ? 6 : 10,
  )
  const yScale = linearScale(least(values), most(values), box.bottom, box.top, 6)
  const costAt = sorted.map((point) => xScale.at(point.cost))
  const xs = narrow ? apart(costAt, 15, box.left + 8, box.right - 8) : sideBySide(costAt)
  // A mark that had to stand aside is led back to its cost.
  const leaders = sorted.flatMap(({ value, low }, index) =>
    Math.abs(xs[index]! - costAt[index]!) < 1
      ? []
      : [
          line(xs[index]!, yScale.at(low ?? value), costAt[index]!, box.bottom, {
            stroke: MUTED,
            "stroke-width": 0.6,
            "stroke-opacity": 0.5,
          }),
        ],
  )
  const joins = [...new Set(sorted.flatMap(({ curve }) => curve ?? []))].flatMap((name) => {
    const own = sorted.flatMap((point, index) => (point.curve === name ? [{ point, x: xs[index]! }] : []))
    return own.slice(1).map(({ point, x }, i) =>
      line(own[i]!.x, yScale.at(own[i]!.point.value), x, yScale.at(point.value), {
        stroke: colourOf(point),
        "stroke-width": 1.5,
        "stroke-opacity": 0.7,
      }),
    )
  })
  const marks = sorted.flatMap((point, index) => {
    const { value, low, high, boundKind } = point
    const colour = colourOf(point)
    const [x, y] = [xs[index]!, yScale.at(value)]
    return [
      ...(low === undefined || high === undefined
        ? []
        : [
            line(x, yScale.at(low), x, yScale.at(high), {
              stroke: colour,
              "stroke-width": 5,
              "stroke-opacity": 0.25,
            }),
          ]),
      mark(x, y, boundKind, colour, "y"),
      text(x, Math.min(yScale.at(high ?? value), y - 4) - 5, String(numberOf(point)), {
        "text-anchor": "middle",
        "font-size": 11,
        fill: colour,
      }),
    ]
  })
  const ends = spread(
    shown.map(({ y }) => yScale.at(y)),
    16,
  )
  const floors = shown.flatMap(({ name, y }, index) => [
    line(box.left, yScale.at(y), box.right, yScale.at(y), { stroke: MUTED, "stroke-dasharray": "5 4" }),
    narrow
      ? text(box.right, yScale.at(y) + (yScale.at(y) < box.top + 16 ? 14 : -4), name, {
          fill: MUTED,
          "font-size": 12,
          "text-anchor": "end",
        })
      : text(box.right + 10, ends[index]! + 4, clip(name, labelWidth), { fill: MUTED }),
  ])
  const keyTop = box.bottom + 70 + (axisNames.x.length - 1) * NAME_LINE
  const columns = narrow ? 1 : 2
  const perColumn = Math.ceil(labels.length / columns)
  const column = (width - 32) / columns
  const keyed = labels.map((label) => (narrow ? wrapped(label, column - 30, 12) : [clip(label, column)]))
  const lowerBy = (index: number): number =>
    narrow ? keyed.slice(0, index).reduce((n, lines) => n + lines.length, 0) : index % perColumn
  const keyLines = narrow ? lowerBy(labels.length) : perColumn
  const key = keyed.flatMap((lines, index) => {
    const left = 16 + Math.floor(index / perColumn) * column
    const y = keyTop + lowerBy(index) * 18
    return [
      text(left + 18, y, String(index + 1), {
        "text-anchor": "end",
        "font-size": 12,
        fill: several ? INK : PALETTE[0],
      }),
      ...lines.map((each, i) => text(left + 26, y + i * 18, each, { "font-size": 12 })),
    ]
  })
  let right = 16
  const coloured = series.map((name, index) => ({ name, colour: PALETTE[index % PALETTE.length]! }))
  const names = !several
    ? []
    : narrow
      ? colourKey(coloured, 16, 45, width - 32)
      : series.flatMap((name, index) => {
          const at = right
          right += 18 + widthOf(name, 12) + 24
          const colour = PALETTE[index % PALETTE.length]!
          return [
            element("rect", { x: at, y: 36, width: 10, height: 10, fill: colour }),
            text(at + 16, 45, name, { "font-size": 12, fill: colour }),
          ]
        })
  const afterKey = keyTop + keyLines * 18 + 12
  const outside =
    beyond.length === 0
      ? []
      : wrapped(`Outside the picture: ${beyond.map(({ name }) => name).join(", ")}.`, width - 32, 12)
  const bottom = afterKey + (outside.length === 0 ? 0 : outside.length * 17 + 5)
  const kinds = (Object.keys(KIND_NAMES) as BoundKind[]).filter((kind) =>
    points.some(({ boundKind }) => boundKind === kind),
  )
  const legend = kindLegend(kinds, 16, bottom + 6, narrow ? width - 16 : Infinity)
  return frame(width, bottom + 24 + legend.height, title, [
    ...axes(xScale, yScale, box, axisNames),
    ...floors,
    ...leaders,
    ...joins,
    ...marks,
    ...names,
    ...key,
    ...outside.map((each, i) => text(16, afterKey + i * 17, each, { fill: MUTED, "font-size": 12 })),
    ...legend.parts,
  ])
}
