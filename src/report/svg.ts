/**
 * Plots as SVG text: equal data gives equal bytes. Shapes tell kinds apart as well as colours do, and a bound is drawn
 * with an arrow towards where the truth may lie.
 */
import type { LadderPlot, LadderPoint } from "../analysis/ladder-plot.js"
import { fittedScale, linearScale, logScale, thin, type Scale } from "./plot-scale.js"
import type { BoundKind } from "../analysis/table.js"
import {
  px,
  element,
  text,
  line,
  INK,
  MUTED,
  GRID,
  PALETTE,
  widthOf,
  clip,
  frame,
  mark,
  KIND_NAMES,
  kindLegend,
} from "./svg-elements.js"

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
export const intervalPlot = ({ title, unit, items }: IntervalPlot): string => {
  const groups = [...new Set(items.map(({ group }) => group))]
  const labelWidth = Math.min(480, Math.max(90, ...items.map(({ label }) => widthOf(label))))
  // Long labels widen the picture and leave the axis its room.
  const width = 860 + Math.max(0, labelWidth - 340)
  const textWidth = Math.max(30, ...items.map((item) => widthOf(item.text)))
  const left = 28 + labelWidth + 24
  const right = width - 24 - textWidth - 12
  const values = items.flatMap(({ value, low, high }) => [value, low ?? value, high ?? value])
  const scale = linearScale(Math.min(...values), Math.max(...values), left + 12, right, 6)
  const rowHeight = 26
  const top = 44
  const parts: string[] = []
  let y = top
  for (const [index, group] of groups.entries()) {
    const colour = PALETTE[index % PALETTE.length]!
    y += 24
    parts.push(text(16, y, group, { "font-weight": 600, fill: colour }))
    for (const item of items.filter((each) => each.group === group)) {
      y += rowHeight
      const middle = y - 4
      parts.push(text(28, y, clip(item.label, labelWidth)))
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
      parts.push(text(width - 24, y, item.text, { "text-anchor": "end" }))
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
  return frame(width, bottom + 76, title, [
    ...grid,
    ...parts,
    text((left + right) / 2, bottom + 37, unit, { "text-anchor": "middle", fill: MUTED }),
    ...kindLegend(kinds, 16, bottom + 62),
  ])
}

export interface LineSeries {
  readonly name: string
  /** Drawn lightly, behind a series that tells the same more calmly. */
  readonly faint?: boolean
  readonly points: readonly { readonly x: number; readonly y: number }[]
}

export interface LinePlot {
  readonly title: string
  readonly x: string
  readonly y: string
  readonly series: readonly LineSeries[]
  /** Horizontal lines with a name, such as a floor. */
  readonly references?: readonly { readonly name: string; readonly y: number }[]
}

const axes = (
  x: Scale,
  y: Scale,
  box: { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number },
  names: { readonly x: string; readonly y: string },
): string[] => [
  ...y.ticks.flatMap(({ value, text: label }) => [
    line(box.left, y.at(value), box.right, y.at(value), { stroke: GRID }),
    text(box.left - 8, y.at(value) + 4, label, { "text-anchor": "end", fill: MUTED, "font-size": 12 }),
  ]),
  ...x.ticks.flatMap(({ value, text: label }) => [
    line(x.at(value), box.bottom, x.at(value), box.bottom + 5, { stroke: MUTED }),
    text(x.at(value), box.bottom + 19, label, { "text-anchor": "middle", fill: MUTED, "font-size": 12 }),
  ]),
  line(box.left, box.bottom, box.right, box.bottom, { stroke: MUTED }),
  text((box.left + box.right) / 2, box.bottom + 40, names.x, { "text-anchor": "middle", fill: MUTED }),
  // The name of the vertical axis lies flat above it, where it can be read.
  text(16, box.top - 12, names.y, { fill: MUTED }),
]

/** Texts at the right edge, moved apart so that none covers another. */
const spread = (wanted: readonly number[], gap: number): readonly number[] => {
  const order = wanted.map((_, index) => index).sort((a, b) => wanted[a]! - wanted[b]!)
  const placed = [...wanted]
  for (let i = 1; i < order.length; i++) {
    placed[order[i]!] = Math.max(placed[order[i]!]!, placed[order[i - 1]!]! + gap)
  }
  return placed
}

const least = (list: readonly number[]): number => list.reduce((a, b) => Math.min(a, b))
const most = (list: readonly number[]): number => list.reduce((a, b) => Math.max(a, b))

/** Curves such as the training loss, each named at its end. */
export const linePlot = ({ title, x, y, series, references = [] }: LinePlot): string => {
  const width = 860
  const height = 440
  const shown = series
    .map((each) => ({ ...each, points: each.points.filter((point) => Number.isFinite(point.x + point.y)) }))
    .filter(({ points }) => points.length > 0)
  const names = [...shown.map(({ name }) => name), ...references.map(({ name }) => name)]
  const labelWidth = Math.min(220, Math.max(20, ...names.map((name) => widthOf(name))))
  const box = { left: 64, right: width - labelWidth - 32, top: 76, bottom: height - 60 }
  const xs = shown.flatMap(({ points }) => points.map((point) => point.x))
  const ys = [
    ...shown.flatMap(({ points }) => points.map((point) => point.y)),
    ...references.map((each) => each.y),
  ]
  if (xs.length === 0) return frame(width, 90, title, [text(16, 60, "no data", { fill: MUTED })])
  const xScale = fittedScale(least(xs), most(xs), box.left, box.right, 6, true)
  const yScale = fittedScale(least(ys), most(ys), box.bottom, box.top, 6)
  const ends = [
    ...shown.map(({ points }) => yScale.at(points.at(-1)!.y)),
    ...references.map((each) => yScale.at(each.y)),
  ]
  const labels = spread(ends, 16)
  const curves = shown.flatMap(({ name, points, faint }, index) => {
    const colour = PALETTE[index % PALETTE.length]!
    const path = thin(points, 1000)
      .map((point, at) => `${at === 0 ? "M" : "L"}${px(xScale.at(point.x))} ${px(yScale.at(point.y))}`)
      .join("")
    return [
      element("path", {
        d: path,
        fill: "none",
        stroke: colour,
        "stroke-width": faint === true ? 1 : 1.75,
        "stroke-linejoin": "round",
        ...(faint === true ? { "stroke-opacity": 0.35 } : {}),
      }),
      text(box.right + 10, labels[index]! + 4, clip(name, labelWidth), { fill: colour }),
    ]
  })
  const floors = references.flatMap((each, index) => [
    line(box.left, yScale.at(each.y), box.right, yScale.at(each.y), {
      stroke: MUTED,
      "stroke-dasharray": "5 4",
    }),
    text(box.right + 10, labels[shown.length + index]! + 4, clip(each.name, labelWidth), { fill: MUTED }),
  ])
  return frame(width, height, title, [...axes(xScale, yScale, box, { x, y }), ...floors, ...curves])
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
export const ladderPlot = ({ title, cost, unit, points, references = [] }: LadderPlot): string => {
  const width = 860
  if (points.length === 0) return frame(width, 90, title, [text(16, 60, "no data", { fill: MUTED })])
  const near = inSight(points)
  const shown = references.filter(({ y }) => near(y))
  const beyond = references.filter(({ y }) => !near(y))
  const labelWidth = Math.max(20, ...shown.map(({ name }) => Math.min(200, widthOf(name))))
  const box = { left: 64, right: width - labelWidth - 32, top: 76, bottom: 390 }
  const sorted = [...points].sort((a, b) => a.cost - b.cost || a.value - b.value)
  const series = [...new Set(points.map((point) => point.series ?? ""))]
  const colourOf = (point: LadderPoint): string =>
    PALETTE[series.indexOf(point.series ?? "") % PALETTE.length]!
  const labels = [...new Set(sorted.map(({ label }) => label))]
  const numberOf = ({ label }: LadderPoint): number => labels.indexOf(label) + 1
  const costs = points.map((point) => point.cost)
  const values = [
    ...points.flatMap(({ value, low, high }) => [value, low ?? value, high ?? value]),
    ...shown.map(({ y }) => y),
  ]
  const xScale = logScale(least(costs), most(costs), box.left + 40, box.right - 40)
  const yScale = linearScale(least(values), most(values), box.bottom, box.top, 6)
  const costAt = sorted.map((point) => xScale.at(point.cost))
  const xs = sideBySide(costAt)
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
    text(box.right + 10, ends[index]! + 4, clip(name, labelWidth), { fill: MUTED }),
  ])
  const keyTop = box.bottom + 70
  const perColumn = Math.ceil(labels.length / 2)
  const column = (width - 32) / 2
  const several = series.length > 1
  const key = labels.flatMap((label, index) => {
    const left = 16 + Math.floor(index / perColumn) * column
    const y = keyTop + (index % perColumn) * 18
    return [
      text(left + 18, y, String(index + 1), {
        "text-anchor": "end",
        "font-size": 12,
        fill: several ? INK : PALETTE[0],
      }),
      text(left + 26, y, clip(label, column), { "font-size": 12 }),
    ]
  })
  let right = 16
  const names = several
    ? series.flatMap((name, index) => {
        const at = right
        right += 18 + widthOf(name, 12) + 24
        const colour = PALETTE[index % PALETTE.length]!
        return [
          element("rect", { x: at, y: 36, width: 10, height: 10, fill: colour }),
          text(at + 16, 45, name, { "font-size": 12, fill: colour }),
        ]
      })
    : []
  const afterKey = keyTop + perColumn * 18 + 12
  const outside =
    beyond.length === 0
      ? []
      : [
          text(16, afterKey, `Outside the picture: ${beyond.map(({ name }) => name).join(", ")}.`, {
            fill: MUTED,
            "font-size": 12,
          }),
        ]
  const bottom = afterKey + (beyond.length === 0 ? 0 : 22)
  const kinds = (Object.keys(KIND_NAMES) as BoundKind[]).filter((kind) =>
    points.some(({ boundKind }) => boundKind === kind),
  )
  return frame(width, bottom + 24, title, [
    ...axes(xScale, yScale, box, { x: cost, y: unit }),
    ...floors,
    ...leaders,
    ...joins,
    ...marks,
    ...names,
    ...key,
    ...outside,
    ...kindLegend(kinds, 16, bottom + 6),
  ])
}
