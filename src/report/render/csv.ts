/** The table's rows as CSV (RFC 4180): CRLF, fields quoted where needed, numbers at full precision. */
import type { ResultsTable, TableRow } from "../../analysis/table.js"

const COLUMNS: readonly (readonly [string, (row: TableRow) => string | number | null | undefined])[] = [
  ["id", (row) => row.id],
  ["group", (row) => row.group],
  ["label", (row) => row.label],
  ["mark", (row) => row.mark],
  ["quantity", (row) => row.quantity],
  ["unit", (row) => row.unit],
  ["value", (row) => row.value],
  ["bound_kind", (row) => row.boundKind],
  ["interval_low", (row) => row.interval?.low],
  ["interval_high", (row) => row.interval?.high],
  ["interval_level", (row) => row.interval?.level],
  ["interval_method", (row) => row.interval?.method],
  ["denominator_kind", (row) => row.denominator?.kind],
  ["denominator_total", (row) => row.denominator?.total],
  ["denominator_unit", (row) => row.denominator?.unit],
  ["estimator", (row) => row.estimator],
  ["tokens", (row) => row.tokens],
  ["bytes", (row) => row.bytes],
  ["windows", (row) => row.windows],
  ["forwards_per_window", (row) => row.forwardsPerWindow],
  ["bits_per_maskable_token", (row) => row.perMaskableToken],
  ["draw_error", (row) => row.drawError],
  ["contract", (row) => row.contractId],
  ["notes", (row) => row.notes.join(" ")],
]

/** What a spreadsheet takes for a formula (OWASP, CSV injection). */
const RUNS = /^[=+\-@\t\r]/
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i

/** One field; missing values are empty, and text that a spreadsheet would run has an apostrophe in front. */
export const csvField = (value: string | number | null | undefined): string => {
  const given = value === null || value === undefined ? "" : String(value)
  const text = typeof value === "string" && RUNS.test(given) && !NUMBER.test(given) ? `'${given}` : given
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

export const renderCsv = ({ header, rows }: ResultsTable): string => {
  const names = ["experiment", "profile", "run", "fingerprint", ...COLUMNS.map(([name]) => name)]
  const identity = [header.experiment, header.profile, header.run, header.fingerprint]
  const lines = rows.map((row) => [...identity, ...COLUMNS.map(([, read]) => read(row))])
  return [names, ...lines].map((line) => `${line.map(csvField).join(",")}\r\n`).join("")
}
