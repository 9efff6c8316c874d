/**
 * Published values beside their re-scored values, as inline SVG: narrow enough for a phone, no script, colours from
 * the page so that light, dark and print all read.
 */
import { linearScale } from "../plot-scale.js"
import type { ClaimAudit } from "../../audit/packet.js"
import { MARKS } from "../../metric/contract/bound.js"
import { showInterval, showValue } from "./words.js"

const WIDTH = 340
const ROW = 62
const LEFT = 14
const RIGHT = WIDTH - 14

const px = (value: number): string => String(Number(value.toFixed(2)))
const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")
const clip = (text: string, most: number): string =>
  [...text].length <= most ? text : `${[...text].slice(0, most - 1).join("")}…`

const arrow = (x: number, y: number, direction: -1 | 1): string =>
  `<path class="mark" d="M${px(x)} ${px(y - 6)}v12M${px(x)} ${px(y)}h${16 * direction}m${-5 * direction} -4l${5 * direction} 4l${-5 * direction} 4"/>`

const markAt = (x: number, y: number, kind: string): string => {
  if (kind === "upper-bound") return arrow(x, y, -1)
  if (kind === "lower-bound") return arrow(x, y, 1)
  const style = kind === "exact" ? "mark full" : "mark"
  return `<circle class="${style}" cx="${px(x)}" cy="${px(y)}" r="4.5"/>`
}

/** Beyond this nothing on a shared axis could be read. */
const LARGEST = 1e9

const drawable = (claim: ClaimAudit): boolean => {
  const { value, interval } = claim.rescored!.number!
  return [value, interval.lo, interval.hi, claim.value].every((each) => Math.abs(each) < LARGEST)
}

export interface ClaimPlot {
  readonly unit: string
  readonly svg: string
}

/** One plot per unit: the audited claims, then those that a published table sets beside them. */
export const claimPlots = (
  claims: readonly ClaimAudit[],
  beside: readonly ClaimAudit[] = [],
): readonly ClaimPlot[] => {
  const units = [...new Set(claims.flatMap((claim) => claim.rescored?.number?.unit ?? []))]
  return units.flatMap((unit) => {
    const shown = [...claims, ...beside].filter(
      (claim) => claim.rescored?.number?.unit === unit && drawable(claim),
    )
    return shown.length === 0 ? [] : [{ unit, svg: plot(unit, shown) }]
  })
}

const plot = (unit: string, claims: readonly ClaimAudit[]): string => {
  const published = (claim: ClaimAudit): number | undefined =>
    claim.contract.unit === unit ? claim.value : undefined
  const values = claims.flatMap((claim) => {
    const number = claim.rescored!.number!
    const raw = published(claim)
    return [number.value, number.interval.lo, number.interval.hi, ...(raw === undefined ? [] : [raw])]
  })
  const [low, high] = [Math.min(...values), Math.max(...values)]
  // A range that no digit shows is one point.
  const scale = linearScale(low, high - low < 1e-9 ? low : high, LEFT + 18, RIGHT - 6, 4)
  const height = claims.length * ROW + 44
  const bottom = claims.length * ROW + 6
  const grid = scale.ticks.map(
    ({ value, text }) =>
      `<path class="grid" d="M${px(scale.at(value))} 4V${px(bottom)}"/><text class="muted" x="${px(scale.at(value))}" y="${px(bottom + 15)}" text-anchor="middle">${text}</text>`,
  )
  const rows = claims.flatMap((claim, index) => {
    const { number } = claim.rescored!
    const { value, kind, interval } = number!
    const top = index * ROW + 6
    const y = top + 38
    const raw = published(claim)
    const at = scale.at(value)
    const range = showInterval(claim.rescored!)
    const sign = MARKS[kind] === "" ? "" : `${MARKS[kind]} `
    const label = `${sign}${showValue(value, unit)}${range === undefined ? "" : ` (${range})`}`
    return [
      `<text class="name" x="${LEFT}" y="${px(top + 16)}">${escape(clip(claim.title, 46))}</text>`,
      raw === undefined || Math.abs(scale.at(raw) - at) < 1
        ? ""
        : `<path class="link" d="M${px(scale.at(raw))} ${px(y)}H${px(at)}"/><path class="was" d="M${px(scale.at(raw) - 4)} ${px(y - 4)}l8 8m0 -8l-8 8"/>`,
      `<path class="range" d="M${px(scale.at(interval.lo))} ${px(y)}H${px(scale.at(interval.hi))}"/>`,
      markAt(at, y, kind),
      `<text class="muted" x="${px(RIGHT)}" y="${px(y + 18)}" text-anchor="end">${escape(label)}</text>`,
    ]
  })
  const title = `Published and re-scored values in ${unit}`
  return [
    `<svg class="plot" viewBox="0 0 ${WIDTH} ${px(height)}" role="img" aria-label="${escape(title)}">`,
    `<title>${escape(title)}</title>`,
    ...grid,
    ...rows.filter((row) => row !== ""),
    `<text class="muted" x="${px((LEFT + RIGHT) / 2)}" y="${px(height - 6)}" text-anchor="middle">${escape(unit)}</text>`,
    "</svg>",
  ].join("\n")
}
