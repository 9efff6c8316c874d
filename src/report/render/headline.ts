/** The headline of a run's table for a terminal: at most a screen, and nothing left out without a word. */
import { visibleIn } from "../../spec/visible.js"
import { SIGN_LEGEND, type ResultsTable, type TableRow } from "../../analysis/table.js"
import { showNumber } from "../../analysis/numbers.js"
import { headlineOf, headlineValue, type Headline, type HeadlineRow } from "../headline.js"
import { renderTerminal, wrap, type TerminalOptions } from "./terminal.js"

const GAP = "  "
/** Claims that are named; the others are counted. */
const CLAIMS = 4

interface Column {
  readonly title: string
  /** What it is called where there is no room for it. */
  readonly name: string
  readonly cell: (row: HeadlineRow) => string
}

const width = (text: string): number => [...text].length

const interval = ({ main }: HeadlineRow): string => {
  const { interval: shown } = showNumber(main)
  return shown === undefined ? "" : `[${shown.low}, ${shown.high}]`
}

const cost = ({ main: { forwardsPerWindow: count } }: HeadlineRow): string =>
  count === undefined ? "" : count.toFixed(1)

/** Without what stands in parentheses, which is told in full by the whole table. */
const withoutDetails = (sentence: string): string => {
  let depth = 0
  let text = ""
  for (const character of sentence) {
    if (character === "(") depth++
    else if (character === ")" && depth > 0) depth--
    else if (depth === 0) text += character
  }
  return text.replace(/ +([;,.:]|$)/g, "$1").replaceAll("; ", ", ")
}

const columnsOf = ({ rows }: Headline): readonly Column[] => {
  const mixed = new Set(rows.map(({ main }) => main.unit)).size > 1
  const levels = [...new Set(rows.map(({ main }) => showNumber(main).interval?.level))].filter(
    (level) => level !== undefined,
  )
  const all: readonly Column[] = [
    {
      title: mixed ? "value" : (rows[0]?.main.unit ?? ""),
      name: "value",
      cell: ({ main }) => headlineValue(main) + (mixed ? ` ${main.unit}` : ""),
    },
    { title: levels.length === 1 ? `${levels[0]!} interval` : "interval", name: "interval", cell: interval },
    {
      title: "boundaries charged",
      name: "boundaries charged",
      cell: ({ charged }) => (charged === undefined ? "" : headlineValue(charged)),
    },
    { title: "passes/window", name: "passes per window", cell: cost },
  ]
  return all.filter((column) => rows.some((row) => column.cell(row) !== ""))
}

const marked = ({ label, main }: HeadlineRow): string =>
  main.mark === null ? label : `${label} (${main.mark})`

const claimLine = ({ label, printed, exact }: Headline["claims"][number]): string =>
  exact === undefined
    ? `${label}: ${headlineValue(printed)} ${printed.unit}`
    : `${label}: ${headlineValue(printed)} as published, ${headlineValue(exact)} with exact bytes`

const signs = (rows: readonly TableRow[]): string => {
  const kinds = new Set(rows.map(({ boundKind }) => boundKind))
  const legend = (Object.keys(SIGN_LEGEND) as (keyof typeof SIGN_LEGEND)[]).filter((kind) => kinds.has(kind))
  return legend.map((kind) => `${SIGN_LEGEND[kind]}. `).join("")
}

/**
 * The headline, each line ended by a newline; the whole table where it has none.
 *
 * @param whole the command that prints every row
 */
export const renderHeadline = (given: ResultsTable, whole: string, options: TerminalOptions): string => {
  const table = visibleIn(given)
  const headline = headlineOf(table)
  if (headline === undefined) return renderTerminal(table, options)
  const bold = (text: string): string => (options.colour ? `\x1b[1m${text}\x1b[22m` : text)
  const dim = (text: string): string => (options.colour ? `\x1b[2m${text}\x1b[22m` : text)
  const { header } = table
  const { rows, claims, floors, verdict, left } = headline
  const told = (text: string): string[] => [...wrap(text, options.width)]

  const columns = columnsOf(headline)
  const label = Math.max(...rows.map((row) => width(marked(row))))
  const widths = columns.map((column) =>
    Math.max(width(column.title), ...rows.map((row) => width(column.cell(row)))),
  )
  let room = options.width - Math.min(label, Math.max(16, options.width - 14))
  const chosen = columns.filter((_, i) => (room -= GAP.length + widths[i]!) >= 0 || i === 0)
  const missing = columns.filter((column) => !chosen.includes(column)).map(({ name }) => name)
  const taken = chosen.reduce((sum, column) => sum + GAP.length + widths[columns.indexOf(column)]!, 0)
  const labelWidth = Math.max(8, Math.min(label, options.width - taken))
  const line = (first: string, cell: (column: Column) => string): string =>
    [
      first.padEnd(labelWidth),
      ...chosen.map((column) => cell(column).padStart(widths[columns.indexOf(column)]!)),
    ].join(GAP)

  const lines: string[] = told(`${header.title} (${header.experiment}, ${header.profile})`).map(bold)
  for (const sentence of header.verdict) lines.push(...told(withoutDetails(sentence)))
  if (verdict !== undefined) lines.push(...told(verdict).map(bold))
  lines.push(dim(line("", ({ title }) => title)))
  for (const row of rows) {
    const [first = "", ...more] = wrap(marked(row), labelWidth)
    lines.push(line(first, ({ cell }) => cell(row)).trimEnd(), ...more)
  }
  for (const claim of claims.slice(0, CLAIMS)) lines.push(...told(claimLine(claim)))
  if (claims.length > CLAIMS) lines.push(`${claims.length - CLAIMS} more published claims.`)
  if (floors.length > 0)
    lines.push(
      ...told(
        `Floors, bits/byte: ${floors.map(({ name, row }) => `${name} ${showNumber(row).value}`).join(", ")}.`,
      ),
    )
  const shown = [
    ...rows.flatMap(({ main, charged }) => (charged === undefined ? [main] : [main, charged])),
    ...claims.flatMap(({ printed, exact }) => (exact === undefined ? [printed] : [printed, exact])),
  ]
  const narrow = missing.length === 0 ? "" : `Not shown at ${options.width} columns: ${missing.join(", ")}. `
  lines.push(...told(`${signs(shown)}${narrow}${left} more rows, notes and contracts: ${whole}`).map(dim))
  return lines.map((text) => `${text}\n`).join("")
}
