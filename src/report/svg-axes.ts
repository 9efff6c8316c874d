/** Axes of plots, and names beside them. */
import type { Scale } from "./plot-scale.js"
import { GRID, line, MUTED, text } from "./svg-elements.js"

/** Height of a line of an axis's name, in pixels. */
export const NAME_LINE = 16

/** @param names lines of the names of both axes; those beyond the first are room that `box` leaves */
export const axes = (
  x: Scale,
  y: Scale,
  box: { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number },
  names: { readonly x: readonly string[]; readonly y: readonly string[] },
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
  ...names.x.map((each, i) =>
    text((box.left + box.right) / 2, box.bottom + 40 + i * NAME_LINE, each, {
      "text-anchor": "middle",
      fill: MUTED,
    }),
  ),
  // The name of the vertical axis lies flat above it, where it can be read.
  ...names.y.map((each, i) =>
    text(16, box.top - 12 - (names.y.length - 1 - i) * NAME_LINE, each, { fill: MUTED }),
  ),
]

/** Texts at the right edge, moved apart so that none covers another. */
export const spread = (wanted: readonly number[], gap: number): readonly number[] => {
  const order = wanted.map((_, index) => index).sort((a, b) => wanted[a]! - wanted[b]!)
  const placed = [...wanted]
  for (let i = 1; i < order.length; i++) {
    placed[order[i]!] = Math.max(placed[order[i]!]!, placed[order[i - 1]!]! + gap)
  }
  return placed
}

export const least = (list: readonly number[]): number => list.reduce((a, b) => Math.min(a, b))
export const most = (list: readonly number[]): number => list.reduce((a, b) => Math.max(a, b))

/** Positions in ascending order between two ends, moved apart by `gap` where there is room for all. */
export const apart = (
  wanted: readonly number[],
  gap: number,
  from: number,
  to: number,
): readonly number[] => {
  const step = Math.min(gap, (to - from) / Math.max(1, wanted.length - 1))
  const placed = [...wanted]
  for (let i = 0; i < placed.length; i++)
    placed[i] = Math.max(placed[i]!, i === 0 ? from : placed[i - 1]! + step)
  for (let i = placed.length - 1; i >= 0; i--)
    placed[i] = Math.min(placed[i]!, i === placed.length - 1 ? to : placed[i + 1]! - step)
  return placed
}
