/** The table as GitHub Markdown. */
import type { ResultsTable } from "../../analysis/table.js"
import { showInterval, viewTable } from "../view.js"

/** Text that Markdown shows as it is, also inside a table cell. */
const escape = (text: string): string => text.replace(/[\\`*_[\]<>|#~]/g, "\\$&").replace(/\s*\n\s*/g, " ")

const cells = (texts: readonly string[]): string => `| ${texts.join(" | ")} |`

const SHORT = 12

export const renderMarkdown = (table: ResultsTable): string => {
  const view = viewTable(table)
  const lines: string[] = [`## ${escape(view.title)}`, ""]
  for (const [name, text] of view.identity) lines.push(`- ${name}: \`${text.replaceAll("`", "'")}\``)
  lines.push("")
  for (const sentence of view.verdict) lines.push(escape(sentence), "")
  const interval = view.level === undefined ? "interval" : `${view.level} interval`
  const data = view.data.map(({ title }) => title)
  lines.push(cells(["", "value", "unit", interval, ...data, "denominator", "estimator", "contract"]))
  lines.push(cells(["---", "---:", "---", "---", ...data.map(() => "---:"), "---", "---", "---"]))
  for (const { name, rows } of view.groups) {
    lines.push(cells([`**${escape(name)}**`, ...Array.from({ length: 6 + data.length }, () => "")]))
    for (const row of rows) {
      const marks = row.notes.map((note) => ` <sup>${note}</sup>`).join("")
      lines.push(
        cells([
          escape(row.label) + marks,
          [row.shown.sign, row.shown.value].filter((text) => text !== "").join(" "),
          escape(row.row.unit),
          escape(showInterval(row, view.level)),
          ...view.data.map(({ cell }) => cell(row.row)),
          escape(row.denominator),
          escape(row.row.estimator ?? ""),
          row.row.contractId === null ? "" : `\`${row.row.contractId.slice(0, SHORT)}\``,
        ]),
      )
    }
  }
  lines.push("")
  if (view.legend.length > 0) lines.push(`${view.legend.map(escape).join(", ")}.`, "")
  for (const [index, note] of view.notes.entries()) lines.push(`${index + 1}. ${escape(note)}`)
  if (view.notes.length > 0) lines.push("")
  return lines.join("\n")
}
