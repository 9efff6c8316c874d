/** What the headline says of each estimator, claim, graded figure and floor, for every form that shows it. */
import { showNumber } from "../../analysis/numbers.js"
import type { TableRow } from "../../analysis/table.js"
import { headlineValue, type Headline, type HeadlineRow } from "../headline.js"

export interface HeadlineColumn {
  readonly title: string
  /** What it is called where there is no room for it. */
  readonly name: string
  readonly cell: (row: HeadlineRow) => string
}

const interval = ({ main }: HeadlineRow): string => {
  const { interval: shown } = showNumber(main)
  return shown === undefined ? "" : `[${shown.low}, ${shown.high}]`
}

const cost = ({ main: { forwardsPerWindow: count } }: HeadlineRow): string =>
  count === undefined ? "" : count.toFixed(1)

/** Those that a row has something in. */
export const headlineColumns = ({ rows }: Headline): readonly HeadlineColumn[] => {
  const mixed = new Set(rows.map(({ main }) => main.unit)).size > 1
  const levels = [...new Set(rows.map(({ main }) => showNumber(main).interval?.level))].filter(
    (level) => level !== undefined,
  )
  const all: readonly HeadlineColumn[] = [
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

export const headlineLabel = ({ label, main }: HeadlineRow): string =>
  main.mark === null ? label : `${label} (${main.mark})`

/** One line on a graded figure: its value, interval, and over how many items. */
export const gradedLine = (row: TableRow): string => {
  const { interval: range } = showNumber(row)
  const over = row.denominator?.total ?? null
  return [
    `${row.label}: ${row.value === null ? "not computed" : headlineValue(row)}`,
    ...(row.value === null || row.unit === "" || row.unit === "proportion" ? [] : [` ${row.unit}`]),
    ...(range === undefined ? [] : [` [${range.low}, ${range.high}] at ${range.level}`]),
    ...(over === null ? [] : [`, ${over} ${row.denominator!.unit}`]),
  ].join("")
}

export const claimLine = ({ label, printed, exact }: Headline["claims"][number]): string =>
  exact === undefined
    ? `${label}: ${headlineValue(printed)} ${printed.unit}`
    : `${label}: ${headlineValue(printed)} as published, ${headlineValue(exact)} with exact bytes`

/** `Floors, bits/byte: uniform 3.4290, ...`; empty without floors. */
export const floorsLine = ({ floors }: Headline): string =>
  floors.length === 0
    ? ""
    : `Floors, bits/byte: ${floors.map(({ name, row }) => `${name} ${showNumber(row).value}`).join(", ")}.`
