/** What the human-readable renderers share: groups in order, numbered notes, a legend of the signs that occur. */
import { formatCount, showNumber, type ShownNumber } from "../analysis/numbers.js"
import {
  GROUPS,
  SIGN_LEGEND,
  type BoundKind,
  type ResultsTable,
  type RowGroup,
  type TableRow,
} from "../analysis/table.js"

export interface RowView {
  readonly row: TableRow
  /** With the mark in parentheses. */
  readonly label: string
  readonly shown: ShownNumber
  /** `2494400 bytes (byte-table)`; empty without one. */
  readonly denominator: string
  /** Numbers of its notes, from 1. */
  readonly notes: readonly number[]
}

export interface TableView {
  readonly title: string
  /** `run ..., profile ..., fingerprint ...` */
  readonly identity: readonly (readonly [name: string, value: string])[]
  readonly verdict: readonly string[]
  readonly groups: readonly {
    readonly group: RowGroup
    readonly name: string
    readonly rows: readonly RowView[]
  }[]
  /** Texts of the notes; note n is at n - 1. */
  readonly notes: readonly string[]
  readonly legend: readonly string[]
  /** Those that a row of the table has a figure in. */
  readonly data: readonly DataColumn[]
  /** `95 %` when every interval has this level. */
  readonly level: string | undefined
}

/** A column of figures that only some rows have. */
export interface DataColumn {
  readonly title: string
  readonly cell: (row: TableRow) => string
}

const figure = (value: number | undefined, show: (value: number) => string): string =>
  value === undefined ? "" : show(value)

const DATA_COLUMNS: readonly DataColumn[] = [
  { title: "windows", cell: ({ windows }) => figure(windows, formatCount) },
  {
    title: "passes/window",
    cell: ({ forwardsPerWindow }) => figure(forwardsPerWindow, (count) => count.toFixed(1)),
  },
  {
    title: "per maskable token",
    cell: ({ perMaskableToken }) => figure(perMaskableToken, (bits) => bits.toFixed(4)),
  },
  {
    title: "error of the draws",
    cell: ({ drawError }) => figure(drawError, (error) => error.toExponential(1)),
  },
]

const GROUP_NAMES: Readonly<Record<RowGroup, string>> = {
  result: "Measured by this run",
  seed: "Each seed",
  difference: "Differences",
  "as published": "Measured by this run, under the published definition",
  claim: "Published claims",
  floor: "Floors on the same text",
}

const showDenominator = ({ denominator }: TableRow): string => {
  if (denominator === null) return ""
  const total =
    denominator.total === null ? "not stated" : `${formatCount(denominator.total)} ${denominator.unit}`
  return denominator.kind === denominator.unit ? total : `${total} (${denominator.kind})`
}

export const viewTable = ({ header, rows }: ResultsTable): TableView => {
  const notes: string[] = []
  const number = (note: string): number => {
    const at = notes.indexOf(note)
    return at >= 0 ? at + 1 : notes.push(note)
  }
  const view = (row: TableRow): RowView => ({
    row,
    label: row.mark === null ? row.label : `${row.label} (${row.mark})`,
    shown: showNumber(row),
    denominator: showDenominator(row),
    notes: row.notes.map(number),
  })
  const groups = GROUPS.map((group) => ({
    group,
    name: header.headings?.[group] ?? GROUP_NAMES[group],
    rows: rows.filter((row) => row.group === group).map(view),
  })).filter((group) => group.rows.length > 0)
  const kinds = new Set<BoundKind>(
    rows.filter(({ value }) => value !== null).map(({ boundKind }) => boundKind),
  )
  const levels = new Set(rows.flatMap(({ interval }) => (interval === null ? [] : [interval.level])))
  const levelText = groups.flatMap((group) => group.rows).find(({ shown }) => shown.interval)?.shown
    .interval?.level
  return {
    title: `${header.title} (${header.experiment})`,
    identity: [
      ["profile", header.profile],
      ...(header.run === null ? [] : [["run", header.run] as const]),
      ...(header.fingerprint === null ? [] : [["fingerprint", header.fingerprint] as const]),
    ],
    verdict: header.verdict,
    groups,
    notes,
    data: DATA_COLUMNS.filter(({ cell }) => rows.some((row) => cell(row) !== "")),
    legend: (Object.keys(SIGN_LEGEND) as (keyof typeof SIGN_LEGEND)[])
      .filter((kind) => kinds.has(kind))
      .map((kind) => SIGN_LEGEND[kind]),
    level: levels.size === 1 ? levelText : undefined,
  }
}

/** `[1.73, 1.76]`, with its level when the heading does not tell it. */
export const showInterval = ({ shown: { interval } }: RowView, level: string | undefined): string =>
  interval === undefined
    ? ""
    : `[${interval.low}, ${interval.high}]${level === undefined ? ` ${interval.level}` : ""}`
