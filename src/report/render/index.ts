/** Every form of the table by name. */
import type { ResultsTable } from "../../analysis/table.js"
import { renderCsv } from "./csv.js"
import { renderHtml } from "./html.js"
import { renderJson } from "./json.js"
import { renderLatex } from "./latex.js"
import { renderMarkdown } from "./markdown.js"
import { renderTerminal, type TerminalOptions } from "./terminal.js"

export const TABLE_FORMATS = ["terminal", "md", "csv", "tex", "html", "json"] as const
export type TableFormat = (typeof TABLE_FORMATS)[number]

/** The whole file or text, ended by a newline. */
export const renderTable = (table: ResultsTable, format: TableFormat, terminal: TerminalOptions): string => {
  switch (format) {
    case "terminal":
      return renderTerminal(table, terminal)
    case "md":
      return renderMarkdown(table)
    case "csv":
      return renderCsv(table)
    case "tex":
      return renderLatex(table)
    case "html":
      return renderHtml(table)
    case "json":
      return renderJson(table)
  }
}
