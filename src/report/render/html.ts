/** The table as one self-contained HTML page: no script, nothing loaded from elsewhere. */
import type { ResultsTable } from "../../analysis/table.js"
import { headlineOf } from "../headline.js"
import { showInterval, viewTable, type RowView, type TableView } from "../view.js"
import { claimLine, floorsLine, gradedLine, headlineColumns, headlineLabel } from "./headline-columns.js"
import { withoutDetails } from "./headline.js"
import { TABLE_STYLE } from "./html-style.js"

export const escapeHtml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

/** Text to be read: a number in groups of three digits is not broken. */
const prose = (text: string): string => escapeHtml(text).replace(/(\d) (?=\d{3}(?!\d))/g, "$1\u00a0")

/** A cell that says on a phone, where the heads of columns are not shown, what it holds. */
const cellHtml = (name: string, text: string, kind = ""): string =>
  `<td${kind === "" ? "" : ` class="${kind}"`} data-name="${escapeHtml(name)}">${prose(text)}</td>`

const rowHtml = (view: RowView, { level, data }: TableView): string => {
  const { row, shown, notes } = view
  const mark = row.mark === null ? "" : ` <span class="chip">${escapeHtml(row.mark)}</span>`
  const links = notes.map((note) => `<sup><a href="#note-${note}">${note}</a></sup>`).join(" ")
  const cells = [
    `<th scope="row">${prose(row.label)}${mark}${links === "" ? "" : ` ${links}`}</th>`,
    cellHtml("value", [shown.sign, shown.value].filter((text) => text !== "").join(" "), "value"),
    cellHtml("unit", row.unit),
    cellHtml(intervalTitle(level), showInterval(view, level), "interval"),
    ...data.map(({ title, cell }) => cellHtml(title, cell(row), "data")),
    cellHtml("denominator", view.denominator),
    cellHtml("estimator", row.estimator ?? ""),
    row.contractId === null
      ? '<td class="contract"></td>'
      : `<td class="contract" data-name="contract"><code title="${escapeHtml(row.contractId)}">${escapeHtml(row.contractId.slice(0, 12))}</code></td>`,
  ]
  return `<tr id="${escapeHtml(row.id)}">${cells.join("")}</tr>`
}

const intervalTitle = (level: string | undefined): string =>
  level === undefined ? "interval" : `${level} interval`

/** What is read first, above every row. */
const headlineHtml = (table: ResultsTable): readonly string[] => {
  const headline = headlineOf(table)
  const verdict = table.header.verdict
  if (headline === undefined) return verdict.map((sentence) => `<p>${escapeHtml(sentence)}</p>`)
  const columns = headlineColumns(headline)
  const lines = [...headline.graded.map(gradedLine), ...headline.claims.map(claimLine), floorsLine(headline)]
  return [
    ...(headline.verdict === undefined ? [] : [`<p class="verdict">${escapeHtml(headline.verdict)}</p>`]),
    ...verdict.map((sentence) => `<p class="soft small">${escapeHtml(withoutDetails(sentence))}</p>`),
    ...(headline.rows.length === 0
      ? []
      : [
          '<table class="stack head"><thead><tr><td></td>',
          ...columns.map(({ title }) => `<th class="column" scope="col">${escapeHtml(title)}</th>`),
          "</tr></thead><tbody>",
          ...headline.rows.map(
            (row) =>
              `<tr><th scope="row">${escapeHtml(headlineLabel(row))}</th>${columns.map(({ title, cell }) => cellHtml(title, cell(row))).join("")}</tr>`,
          ),
          "</tbody></table>",
        ]),
    '<ul class="lines">',
    ...lines.filter((line) => line !== "").map((line) => `<li>${prose(line)}</li>`),
    "</ul>",
    "<h2>Every row</h2>",
    ...verdict.map((sentence) => `<p>${prose(sentence)}</p>`),
  ]
}

export interface HtmlFigure {
  /** For readers who do not see it; the plot shows its own title. */
  readonly caption: string
  /** An SVG element, inserted as it is. */
  readonly svg: string
  /** The same for a phone's width. */
  readonly narrow: string
}

export const renderHtml = (table: ResultsTable, figures: readonly HtmlFigure[] = []): string => {
  const view = viewTable(table)
  const titles: readonly (readonly [title: string, kind?: string])[] = [
    [""],
    ["value", "value"],
    ["unit"],
    [intervalTitle(view.level)],
    ...view.data.map(({ title }) => [title, "data"] as const),
    ["denominator"],
    ["estimator"],
    ["contract", "contract"],
  ]
  const lines = [
    "<!doctype html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeHtml(view.title)}</title>`,
    `<style>${TABLE_STYLE}\n</style>`,
    "</head>",
    "<body><main>",
    `<h1>${escapeHtml(view.title)}</h1>`,
    ...headlineHtml(table),
    '<dl class="small">',
    ...view.identity.map(([name, text]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(text)}</dd>`),
    "</dl>",
    '<div class="scroll"><table class="stack">',
    `<thead><tr>${titles.map(([title, kind]) => (title === "" ? "<td></td>" : `<th scope="col"${kind === undefined ? "" : ` class="${kind}"`}>${title}</th>`)).join("")}</tr></thead>`,
  ]
  for (const { name, rows } of view.groups) {
    lines.push("<tbody>")
    lines.push(
      `<tr><th class="group" scope="rowgroup" colspan="${titles.length}">${escapeHtml(name)}</th></tr>`,
    )
    lines.push(...rows.map((row) => rowHtml(row, view)))
    lines.push("</tbody>")
  }
  lines.push("</table></div>")
  if (view.legend.length > 0) lines.push(`<p class="notes">${view.legend.map(escapeHtml).join(", ")}.</p>`)
  if (view.notes.length > 0) {
    const items = view.notes.map((note, index) => `<li id="note-${index + 1}">${prose(note)}</li>`)
    lines.push('<ol class="notes">', ...items, "</ol>")
  }
  for (const { caption, svg, narrow } of figures) {
    lines.push(
      `<figure aria-label="${escapeHtml(caption)}"><div class="wide">${svg.trim()}</div><div class="narrow">${narrow.trim()}</div></figure>`,
    )
  }
  lines.push("</main></body>", "</html>", "")
  return lines.join("\n")
}
