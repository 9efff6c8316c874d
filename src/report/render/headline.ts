/** The headline of a run's table for a terminal: at most a screen, and nothing left out without a word. */
import { visibleIn } from "../../spec/visible.js"
import { SIGN_LEGEND, type ResultsTable, type TableRow } from "../../analysis/table.js"
import { headlineOf } from "../headline.js"
import {
  claimLine,
  floorsLine,
  gradedLine,
  headlineColumns,
  headlineLabel,
  type HeadlineColumn,
} from "./headline-columns.js"
import { renderTerminal, wrap, type TerminalOptions } from "./terminal.js"

const GAP = "  "
/** Claims that are named; the others are counted. */
const CLAIMS = 4
/** Graded figures that are named; the others are counted. */
const GRADED = 8

const width = (text: string): number => [...text].length

/** The rows bear the mark, so their names need not be said again. */
const withoutNames = (sentence: string): string =>
  sentence.startsWith("Untrained: evaluations ")
    ? "Untrained, where marked: worse than the unigram floor."
    : sentence

/** Without what stands in parentheses, which is told in full by the whole table. */
export const withoutDetails = (sentence: string): string => {
  let depth = 0
  let text = ""
  for (const character of sentence) {
    if (character === "(") depth++
    else if (character === ")" && depth > 0) depth--
    else if (depth === 0) text += character
  }
  return text
    .replace(/ +([;,.:]|$)/g, "$1")
    .replace(/ {2,}/g, " ")
    .replaceAll("; ", ", ")
}

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
  const { rows, graded, claims, floors, verdict, left } = headline
  const told = (text: string): string[] => [...wrap(text, options.width)]

  const columns = headlineColumns(headline)
  const label = Math.max(0, ...rows.map((row) => width(headlineLabel(row))))
  const widths = columns.map((column) =>
    Math.max(width(column.title), ...rows.map((row) => width(column.cell(row)))),
  )
  let room = options.width - Math.min(label, Math.max(16, options.width - 14))
  const chosen = columns.filter((_, i) => (room -= GAP.length + widths[i]!) >= 0 || i === 0)
  const missing = columns.filter((column) => !chosen.includes(column)).map(({ name }) => name)
  const taken = chosen.reduce((sum, column) => sum + GAP.length + widths[columns.indexOf(column)]!, 0)
  const labelWidth = Math.max(8, Math.min(label, options.width - taken))
  const line = (first: string, cell: (column: HeadlineColumn) => string): string =>
    [
      first.padEnd(labelWidth),
      ...chosen.map((column) => cell(column).padStart(widths[columns.indexOf(column)]!)),
    ].join(GAP)

  const lines: string[] = told(`${header.title} (${header.experiment}, ${header.profile})`).map(bold)
  for (const sentence of header.verdict) lines.push(...told(withoutDetails(withoutNames(sentence))))
  if (verdict !== undefined) lines.push(...told(verdict).map(bold))
  if (rows.length > 0) lines.push(dim(line("", ({ title }) => title)))
  for (const row of rows) {
    const [first = "", ...more] = wrap(headlineLabel(row), labelWidth)
    lines.push(line(first, ({ cell }) => cell(row)).trimEnd(), ...more)
  }
  for (const row of graded.slice(0, GRADED)) lines.push(...told(gradedLine(row)))
  if (graded.length > GRADED) lines.push(`${graded.length - GRADED} more graded figures.`)
  for (const claim of claims.slice(0, CLAIMS)) lines.push(...told(claimLine(claim)))
  if (claims.length > CLAIMS) lines.push(`${claims.length - CLAIMS} more published claims.`)
  if (floors.length > 0) lines.push(...told(floorsLine(headline)))
  const shown = [
    ...graded.slice(0, GRADED),
    ...rows.flatMap(({ main, charged }) => (charged === undefined ? [main] : [main, charged])),
    ...claims.flatMap(({ printed, exact }) => (exact === undefined ? [printed] : [printed, exact])),
  ]
  const narrow = missing.length === 0 ? "" : `Not shown at ${options.width} columns: ${missing.join(", ")}. `
  lines.push(...told(`${signs(shown)}${narrow}${left} more rows, notes and contracts: ${whole}`).map(dim))
  return lines.map((text) => `${text}\n`).join("")
}
