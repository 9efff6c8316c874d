/** The table as one self-contained HTML page: no script, nothing loaded from elsewhere. */
import type { ResultsTable } from "../../analysis/table.js"
import { showInterval, viewTable, type RowView } from "../view.js"

export const escapeHtml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

const STYLE = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; line-height: 1.25; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; font-size: .875rem; }
dt { opacity: .7; } dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .75rem; text-align: left; vertical-align: top; border-bottom: 1px solid #8884; }
th.group { padding-top: 1rem; border-bottom-color: currentColor; }
tbody th { font-weight: normal; } tbody th.group { font-weight: 600; }
td.value { text-align: right; white-space: nowrap; }
td.interval { white-space: nowrap; }
.mark { border: 1px solid; border-radius: .25rem; padding: 0 .25rem; font-size: .75rem; }
code { font-size: .8125rem; }
figure { margin: 2rem 0; } figure svg { max-width: 100%; height: auto; background: #fff; }
.notes { font-size: .875rem; }`

const rowHtml = (view: RowView, level: string | undefined): string => {
  const { row, shown, notes } = view
  const mark = row.mark === null ? "" : ` <span class="mark">${escapeHtml(row.mark)}</span>`
  const links = notes.map((note) => `<sup><a href="#note-${note}">${note}</a></sup>`).join(" ")
  const cells = [
    `<th scope="row">${escapeHtml(row.label)}${mark}${links === "" ? "" : ` ${links}`}</th>`,
    `<td class="value">${escapeHtml([shown.sign, shown.value].filter((text) => text !== "").join(" "))}</td>`,
    `<td>${escapeHtml(row.unit)}</td>`,
    `<td class="interval">${escapeHtml(showInterval(view, level))}</td>`,
    `<td>${escapeHtml(view.denominator)}</td>`,
    `<td>${escapeHtml(row.estimator ?? "")}</td>`,
    row.contractId === null
      ? "<td></td>"
      : `<td><code title="${escapeHtml(row.contractId)}">${escapeHtml(row.contractId.slice(0, 12))}</code></td>`,
  ]
  return `<tr id="${escapeHtml(row.id)}">${cells.join("")}</tr>`
}

export interface HtmlFigure {
  /** For readers who do not see it; the plot shows its own title. */
  readonly caption: string
  /** An SVG element, inserted as it is. */
  readonly svg: string
}

export const renderHtml = (table: ResultsTable, figures: readonly HtmlFigure[] = []): string => {
  const view = viewTable(table)
  const titles = [
    "",
    "value",
    "unit",
    view.level === undefined ? "interval" : `${view.level} interval`,
    "denominator",
    "estimator",
    "contract",
  ]
  const lines = [
    "<!doctype html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeHtml(view.title)}</title>`,
    `<style>${STYLE}\n</style>`,
    "</head>",
    "<body>",
    `<h1>${escapeHtml(view.title)}</h1>`,
    "<dl>",
    ...view.identity.map(([name, text]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(text)}</dd>`),
    "</dl>",
    ...view.verdict.map((sentence) => `<p>${escapeHtml(sentence)}</p>`),
    '<div class="scroll"><table>',
    `<thead><tr>${titles.map((title) => (title === "" ? "<td></td>" : `<th scope="col">${title}</th>`)).join("")}</tr></thead>`,
  ]
  for (const { name, rows } of view.groups) {
    lines.push("<tbody>")
    lines.push(
      `<tr><th class="group" scope="rowgroup" colspan="${titles.length}">${escapeHtml(name)}</th></tr>`,
    )
    lines.push(...rows.map((row) => rowHtml(row, view.level)))
    lines.push("</tbody>")
  }
  lines.push("</table></div>")
  if (view.legend.length > 0) lines.push(`<p class="notes">${view.legend.map(escapeHtml).join(", ")}.</p>`)
  if (view.notes.length > 0) {
    const items = view.notes.map((note, index) => `<li id="note-${index + 1}">${escapeHtml(note)}</li>`)
    lines.push('<ol class="notes">', ...items, "</ol>")
  }
  for (const { caption, svg } of figures) {
    lines.push(`<figure aria-label="${escapeHtml(caption)}">${svg.trim()}</figure>`)
  }
  lines.push("</body>", "</html>", "")
  return lines.join("\n")
}
