/** Curves over steps as SVG text. */
import { fittedScale, thin } from "./plot-scale.js"
import { axes, least, most, spread } from "./svg-axes.js"
import {
  clip,
  colourKey,
  element,
  frame,
  isNarrow,
  line,
  MUTED,
  PALETTE,
  px,
  text,
  WIDE,
  widthOf,
  wrapped,
} from "./svg-elements.js"

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
  /** The vertical axis ends here, and what lies above is cut; absent where everything is shown. */
  readonly ceiling?: number
  /** Said below, such as what was cut. */
  readonly note?: string
  /** Horizontal lines with a name, such as a floor. */
  readonly references?: readonly { readonly name: string; readonly y: number }[]
}

type Points = LineSeries["points"]

/** The pieces of a curve that lie below a ceiling, cut where it crosses, and where it lies above. */
export const cutAbove = (
  points: Points,
  ceiling: number,
): { readonly pieces: readonly Points[]; readonly above: readonly number[] } => {
  const pieces: { x: number; y: number }[][] = []
  const above: number[] = []
  let inside = false
  for (const [i, point] of points.entries()) {
    const before = points[i - 1]
    const isBelow = point.y <= ceiling
    if (!isBelow) above.push(point.x)
    if (before !== undefined && isBelow !== inside) {
      const share = (ceiling - before.y) / (point.y - before.y)
      const crossing = { x: before.x + share * (point.x - before.x), y: ceiling }
      if (isBelow) pieces.push([crossing])
      else pieces.at(-1)!.push(crossing)
    } else if (before === undefined && isBelow) pieces.push([])
    if (isBelow) pieces.at(-1)!.push(point)
    inside = isBelow
  }
  return { pieces, above }
}

/** Curves such as the training loss, each named at its end, or above where the picture is narrow. */
export const linePlot = (
  { title, x, y, series, references = [], ceiling = Infinity, note }: LinePlot,
  width = WIDE,
): string => {
  const narrow = isNarrow(width)
  const shown = series
    .map((each) => ({ ...each, points: each.points.filter((point) => Number.isFinite(point.x + point.y)) }))
    .filter(({ points }) => points.length > 0)
  const named = [
    ...shown.map(({ name }, index) => ({ name, colour: PALETTE[index % PALETTE.length]! })),
    ...references.map(({ name }) => ({ name, colour: MUTED })),
  ]
  const labelWidth = Math.min(220, Math.max(20, ...named.map(({ name }) => widthOf(name))))
  const above = narrow ? named.length * 18 : 0
  const box = {
    left: narrow ? 54 : 64,
    right: narrow ? width - 24 : width - labelWidth - 32,
    top: 76 + above,
    bottom: (narrow ? 300 : 380) + above,
  }
  const xs = shown.flatMap(({ points }) => points.map((point) => point.x))
  const ys = [
    ...shown.flatMap(({ points }) => points.map((point) => point.y)),
    ...references.map((each) => each.y),
  ].map((value) => Math.min(value, ceiling))
  if (xs.length === 0) return frame(width, 90, title, [text(16, 60, "no data", { fill: MUTED })])
  const xScale = fittedScale(least(xs), most(xs), box.left, box.right, narrow ? 4 : 6, true)
  const yScale = fittedScale(least(ys), most(ys), box.bottom, box.top, 6)
  const heightOf = (value: number): number => yScale.at(Math.min(value, ceiling))
  const ends = [
    ...shown.map(({ points }) => heightOf(points.at(-1)!.y)),
    ...references.map((each) => heightOf(each.y)),
  ]
  const labels = spread(ends, 16)
  const nameAt = (index: number, name: string, fill: string): readonly string[] =>
    narrow ? [] : [text(box.right + 10, labels[index]! + 4, clip(name, labelWidth), { fill })]
  const curves = shown.flatMap(({ name, points, faint }, index) => {
    const colour = PALETTE[index % PALETTE.length]!
    const { pieces, above: beyond } = cutAbove(thin(points, narrow ? 500 : 1000), ceiling)
    const path = pieces
      .flatMap((piece) =>
        piece.map(
          (point, at) => `${at === 0 ? "M" : "L"}${px(xScale.at(point.x))} ${px(yScale.at(point.y))}`,
        ),
      )
      .join("")
    const tips = beyond
      .map((value) => xScale.at(value))
      .reduce<number[]>((kept, at) => (at - (kept.at(-1) ?? -Infinity) < 8 ? kept : [...kept, at]), [])
    return [
      ...(path === ""
        ? []
        : [
            element("path", {
              d: path,
              fill: "none",
              stroke: colour,
              "stroke-width": faint === true ? 1 : 1.75,
              "stroke-linejoin": "round",
              ...(faint === true ? { "stroke-opacity": 0.35 } : {}),
            }),
          ]),
      // Where the curve lies above the picture.
      ...tips.map((at) =>
        element("path", { d: `M${px(at - 3)} ${px(box.top)}l3 -6l3 6z`, fill: colour, "fill-opacity": 0.6 }),
      ),
      ...nameAt(index, name, colour),
    ]
  })
  const floors = references.flatMap((each, index) => [
    line(box.left, heightOf(each.y), box.right, heightOf(each.y), {
      stroke: MUTED,
      "stroke-dasharray": "5 4",
    }),
    ...nameAt(shown.length + index, each.name, MUTED),
  ])
  const notes = note === undefined ? [] : wrapped(note, width - 32, 12)
  return frame(width, box.bottom + 60 + notes.length * 17, title, [
    ...axes(xScale, yScale, box, { x: [x], y: [y] }),
    ...floors,
    ...curves,
    ...(narrow ? colourKey(named, 16, 46, width - 32) : []),
    ...notes.map((each, i) => text(16, box.bottom + 62 + i * 17, each, { fill: MUTED, "font-size": 12 })),
  ])
}
