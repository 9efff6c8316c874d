/** What plots are drawn of: text, lines, marks of each kind of bound, and the frame around them. */
import type { BoundKind } from "../analysis/table.js"

type Attributes = Readonly<Record<string, string | number>>

/** At most two decimals, no trailing zeros. */
export const px = (value: number): string => String(Number(value.toFixed(2)) + 0)

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

export const element = (name: string, attributes: Attributes, content = ""): string => {
  const list = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${typeof value === "number" ? px(value) : escape(value)}"`)
    .join("")
  return content === "" ? `<${name}${list}/>` : `<${name}${list}>${content}</${name}>`
}

export const text = (x: number, y: number, content: string, attributes: Attributes = {}): string =>
  element("text", { x, y, ...attributes }, escape(content))

export const line = (x1: number, y1: number, x2: number, y2: number, attributes: Attributes = {}): string =>
  element("line", { x1, y1, x2, y2, ...attributes })

export const INK = "#1a1a1a"
export const MUTED = "#5f6368"
export const GRID = "#e3e5e8"
/** Colours that stay apart under colour-vision deficiency (Okabe and Ito 2008). */
export const PALETTE = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"] as const

const SIZE = 13
/** Mean width of a character of a sans-serif face, in em; a generous guess. */
const CHARACTER = 0.56

export const widthOf = (content: string, size = SIZE): number => [...content].length * CHARACTER * size

export const clip = (content: string, most: number): string => {
  // A label as wide as its room fits, whatever the rounding.
  const room = Math.max(4, Math.floor(most / (CHARACTER * SIZE) + 1e-6))
  const characters = [...content]
  return characters.length <= room ? content : `${characters.slice(0, room - 1).join("")}…`
}

/** Width of a picture on a desktop's page, and on a phone's, in pixels. */
export const WIDE = 860
export const NARROW = 350

/** Whether names stand above or below what they name, for want of room beside it. */
export const isNarrow = (width: number): boolean => width < 600

/** Words of a text in lines of at most `most` pixels; a longer word has a line of its own. */
export const wrapped = (content: string, most: number, size = SIZE): readonly string[] => {
  const lines: string[] = []
  for (const word of content.split(" ")) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)!} ${word}`
    if (lines.length > 0 && widthOf(longer, size) <= most) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
}

const TITLE = 15
const TITLE_LINE = 19

/** A picture under its title, which takes as many lines as it needs; the rest is placed as under one. */
export const frame = (width: number, height: number, title: string, parts: readonly string[]): string => {
  const lines = wrapped(title, width - 32, TITLE)
  const lower = (lines.length - 1) * TITLE_LINE
  const whole = height + lower
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${px(width)}" height="${px(whole)}" viewBox="0 0 ${px(width)} ${px(whole)}" role="img" aria-label="${escape(title)}" font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="${SIZE}" fill="${INK}">`,
    element("rect", { width, height: whole, fill: "#fff" }),
    ...lines.map((each, i) =>
      text(16, 24 + i * TITLE_LINE, each, { "font-size": TITLE, "font-weight": 600 }),
    ),
    ...(lower === 0 ? parts : [`<g transform="translate(0,${lower})">`, ...parts, "</g>"]),
    "</svg>",
    "",
  ].join("\n")
}

/** A mark at a value. Upper and lower bounds carry an arrow along `axis` towards smaller or larger values. */
export const mark = (x: number, y: number, kind: BoundKind, colour: string, axis: "x" | "y"): string => {
  switch (kind) {
    case "exact":
      return element("circle", { cx: x, cy: y, r: 4.5, fill: colour })
    case "estimate":
      return element("circle", { cx: x, cy: y, r: 4, fill: "#fff", stroke: colour, "stroke-width": 2 })
    case "unknown":
      return element("path", {
        d: `M${px(x)} ${px(y - 6)}l6 6l-6 6l-6 -6z`,
        fill: "#fff",
        stroke: colour,
        "stroke-width": 2,
      })
    default: {
      // Smaller values lie to the left, or below.
      const towards = kind === "upper-bound" ? -1 : 1
      const [dx, dy] = axis === "x" ? [towards, 0] : [0, -towards]
      const tip = [x + dx * 18, y + dy * 18] as const
      const side = (sign: number): string =>
        `M${px(tip[0])} ${px(tip[1])}L${px(tip[0] - dx * 5 + sign * dy * 4)} ${px(tip[1] - dy * 5 + sign * dx * 4)}`
      return (
        line(x, y, tip[0], tip[1], { stroke: colour, "stroke-width": 2 }) +
        element("path", { d: side(1) + side(-1), stroke: colour, "stroke-width": 2, fill: "none" }) +
        // A bar on the side that is certain.
        line(x - dy * 6, y - dx * 6, x + dy * 6, y + dx * 6, { stroke: colour, "stroke-width": 3 })
      )
    }
  }
}

export const KIND_NAMES: Readonly<Record<BoundKind, string>> = {
  exact: "exact",
  "upper-bound": "upper bound",
  "lower-bound": "lower bound",
  estimate: "estimate",
  unknown: "kind unknown",
}

const ARROWS = "An arrow points to where the truth may lie."
const LEGEND_LINE = 20

/** What the marks of these kinds mean, in as many lines as fit between `left` and `right`. */
export const kindLegend = (
  kinds: readonly BoundKind[],
  left: number,
  top: number,
  right = Infinity,
): { readonly parts: readonly string[]; readonly height: number } => {
  const parts: string[] = []
  let [x, y] = [left, top]
  const fit = (width: number): void => {
    if (x > left && x + width > right) [x, y] = [left, y + LEGEND_LINE]
  }
  const say = (content: string): void => {
    parts.push(text(x, y, content, { fill: MUTED, "font-size": 12 }))
    x += widthOf(content, 12) + 24
  }
  for (const kind of kinds) {
    const before = kind === "upper-bound" ? 20 : 6
    const after = kind === "lower-bound" ? 26 : 12
    fit(before + after + widthOf(KIND_NAMES[kind], 12))
    parts.push(mark(x + before, y - 4, kind, MUTED, "x"))
    x += before + after
    say(KIND_NAMES[kind])
  }
  if (kinds.some((kind) => kind.endsWith("-bound"))) {
    fit(widthOf(ARROWS, 12))
    say(ARROWS)
  }
  return { parts, height: y - top }
}

/** Named colours, one a line. */
export const colourKey = (
  names: readonly { readonly name: string; readonly colour: string }[],
  left: number,
  top: number,
  most: number,
): readonly string[] =>
  names.flatMap(({ name, colour }, i) => [
    element("rect", { x: left, y: top + i * 18 - 9, width: 10, height: 10, fill: colour }),
    text(left + 16, top + i * 18, clip(name, most - 16), { "font-size": 12, fill: colour }),
  ])
