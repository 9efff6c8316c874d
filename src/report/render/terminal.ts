/** The table for a terminal: aligned, at most `width` columns, coloured only when asked. */
import { visibleIn } from "../../spec/visible.js"
import type { ResultsTable, RowGroup } from "../../analysis/table.js"
import { showInterval, viewTable, type RowView } from "../view.js"

export interface TerminalOptions {
  /** Columns of the terminal. */
  readonly width: number
  readonly colour: boolean
}

/** Columns a string takes; every character used here is one column wide. */
const columns = (text: string): number => [...text].length

const pad = (text: string, width: number, align: "left" | "right"): string => {
  const space = " ".repeat(Math.max(0, width - columns(text)))
  return align === "left" ? text + space : space + text
}

/** Words in lines of at most `width`; a longer word is cut. */
export const wrap = (text: string, width: number): readonly string[] => {
  const lines: string[] = []
  let line = ""
  for (let word of text.split(" ")) {
    if (line !== "" && columns(line) + 1 + columns(word) > width) {
      lines.push(line)
      line = ""
    }
    while (columns(word) > width) {
      const characters = [...word]
      lines.push(characters.slice(0, width).join(""))
      word = characters.slice(width).join("")
    }
    line = line === "" ? word : `${line} ${word}`
  }
  return line === "" ? lines : [...lines, line]
}

const hanging = (first: string, text: string, width: number): readonly string[] =>
  wrap(text, Math.max(8, width - columns(first))).map(
    (line, index) => (index === 0 ? first : " ".repeat(columns(first))) + line,
  )

interface Column {
  readonly title: string
  readonly align: "left" | "right"
  readonly cell: (row: RowView) => string
}

const GAP = "  "
const INDENT = "  "
/** A label column narrower than this is worse than leaving a column out. */
const LEAST_LABEL = 22

/** The label of such a row says what is divided by what; these are the words that must not be missing. */
const shortUnit = (unit: string): string => (unit.endsWith("as published") ? "as published" : unit)

const noteMarks = ({ notes }: RowView): string => notes.map((note) => `[${note}]`).join("")

/** The table as text, each line ended by a newline. */
export const renderTerminal = (table: ResultsTable, { width, colour }: TerminalOptions): string => {
  const view = viewTable(visibleIn(table))
  const bold = (text: string): string => (colour ? `\x1b[1m${text}\x1b[22m` : text)
  const dim = (text: string): string => (colour ? `\x1b[2m${text}\x1b[22m` : text)
  const rows = view.groups.flatMap((group) => group.rows)

  const value: Column = {
    title: "value",
    align: "right",
    cell: ({ shown }) => (shown.sign === "" ? shown.value : `${shown.sign} ${shown.value}`),
  }
  const unit: Column = { title: "unit", align: "left", cell: ({ row }) => shortUnit(row.unit) }
  const interval: Column = {
    title: view.level === undefined ? "interval" : `${view.level} interval`,
    align: "left",
    cell: (row) => showInterval(row, view.level),
  }
  const denominator: Column = { title: "denominator", align: "left", cell: ({ denominator: text }) => text }
  const data = view.data.map(({ title, cell }): Column => ({
    title,
    align: "right",
    cell: ({ row }) => cell(row),
  }))
  const marks: Column = { title: "notes", align: "left", cell: noteMarks }

  const widthOf = (column: Column): number =>
    Math.max(columns(column.title), ...rows.map((row) => columns(column.cell(row))))
  const wanted = Math.max(0, ...rows.map(({ label }) => columns(label)))
  const labelRoom = (chosen: readonly Column[]): number =>
    width - INDENT.length - chosen.reduce((sum, column) => sum + GAP.length + widthOf(column), 0)
  const used = (chosen: readonly Column[]): readonly Column[] =>
    chosen.filter((column) => rows.some((row) => column.cell(row) !== ""))
  // The widest set of columns that leaves the labels whole, or failing that, readable.
  const sets = [
    used([value, unit, interval, ...data, denominator, marks]),
    used([value, unit, interval, ...data, marks]),
    used([value, unit, interval, denominator, marks]),
    used([value, unit, interval, marks]),
    used([value, unit, marks]),
    used([value, unit]),
    used([value]),
  ]
  const whole = sets.slice(0, 3).find((set) => labelRoom(set) >= Math.min(wanted, 56))
  const chosen =
    whole ?? sets.slice(3).find((set) => labelRoom(set) >= Math.min(wanted, LEAST_LABEL)) ?? used([value])
  const label = Math.max(8, Math.min(wanted, labelRoom(chosen)))
  const widths = chosen.map(widthOf)

  const line = (first: string, cells: readonly string[]): string =>
    [INDENT + pad(first, label, "left"), ...cells].join(GAP).trimEnd()
  const lines: string[] = []
  lines.push(...wrap(view.title, width).map(bold))
  lines.push(...view.identity.flatMap(([name, text]) => hanging(`${name} `, text, width)).map(dim))
  lines.push("")
  for (const sentence of view.verdict) lines.push(...wrap(sentence, width))
  if (view.verdict.length > 0) lines.push("")
  lines.push(
    dim(
      line(
        "",
        chosen.map((column, index) => pad(column.title, widths[index]!, column.align)),
      ),
    ),
  )
  const paint = (group: RowGroup, text: string): string => (group === "result" ? text : dim(text))
  for (const { group, name, rows: members } of view.groups) {
    lines.push(...wrap(name, width).map(bold))
    for (const row of members) {
      const [first = "", ...more] = wrap(row.label, label)
      const cells = chosen.map((column, index) => pad(column.cell(row), widths[index]!, column.align))
      lines.push(paint(group, line(first, cells)))
      for (const rest of more) lines.push(paint(group, INDENT + rest))
    }
  }
  const missing = (sets[0] ?? []).filter((column) => !chosen.some(({ title }) => title === column.title))
  if (missing.length > 0)
    lines.push(
      "",
      ...wrap(`Not shown at ${width} columns: ${missing.map(({ title }) => title).join(", ")}.`, width).map(
        dim,
      ),
    )
  if (view.legend.length > 0) lines.push("", ...wrap(view.legend.join(", "), width).map(dim))
  if (view.notes.length > 0) {
    if (view.legend.length === 0) lines.push("")
    for (const [index, note] of view.notes.entries())
      lines.push(...hanging(`[${index + 1}] `, note, width).map(dim))
  }
  return lines.map((text) => `${text}\n`).join("")
}
