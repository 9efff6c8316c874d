/**
 * The one results table. Every output (terminal, Markdown, CSV, LaTeX, HTML, JSON) is a rendering of this model, and
 * every row says what its number is: unit, kind of bound, denominator, estimator, contract.
 *
 * Rows keep the order they are given in: nothing is ranked, and nothing is called best, since a bound does not
 * compete with an exact value.
 */

import type { WeightsAccount } from "../inference/weights/account.js"
import type { BoundKind } from "../metric/contract/fields.js"
import type { TextAccount } from "../metric/bytes/text-account.js"

export type { BoundKind } from "../metric/contract/fields.js"

/**
 * result: measured by this run, or the mean over a point's seeds. seed: measured by one run of several. difference:
 * between two results. as published: measured by this run, under a published definition.
 */
export type RowGroup = "result" | "seed" | "difference" | "as published" | "claim" | "floor"

/** In this order in every table. */
export const GROUPS: readonly RowGroup[] = ["result", "seed", "difference", "as published", "claim", "floor"]

export interface Interval {
  readonly low: number
  readonly high: number
  /** Coverage, for example 0.95. */
  readonly level: number
  /** For example "bootstrap over windows". */
  readonly method: string
}

export interface TableDenominator {
  /** As in the contract: byte-table, constant, utf8, tokens, items, samples, none. */
  readonly kind: string
  /** null: not stated */
  readonly total: number | null
  readonly unit: string
  /** How far the tokens decide the bytes, and what was found; absent where that was not recorded. */
  readonly text?: TextAccount
}

export interface TableRow {
  /** Unique in the table and stable between runs. */
  readonly id: string
  readonly group: RowGroup
  readonly label: string
  /** Digest of the metric contract; null when the source states too little for one. */
  readonly contractId: string | null
  /** As in the contract, for example negative-log-likelihood. */
  readonly quantity: string
  readonly unit: string
  /** null: not computed or not stated; the notes say why. */
  readonly value: number | null
  readonly boundKind: BoundKind
  readonly interval: Interval | null
  readonly denominator: TableDenominator | null
  readonly estimator: string | null
  /** Tokens and bytes of the scored slice; null when unknown. */
  readonly tokens: number | null
  readonly bytes: number | null
  readonly notes: readonly string[]
  /** One word of warning, such as "untrained". */
  readonly mark: string | null
  /** Decimals to show; chosen from the interval when absent. */
  readonly decimals?: number
  /** Cost: sequences through the network for one window, where they were counted. */
  readonly forwardsPerWindow?: number
  /** Windows of text behind the value. */
  readonly windows?: number
  /** The same bits over the tokens that may be masked, where these are not all; bits/token. */
  readonly perMaskableToken?: number
  /** Standard error of the mask draws alone, in the row's unit. */
  readonly drawError?: number
}

export interface TableHeader {
  readonly experiment: string
  readonly title: string
  readonly profile: string
  /** null: a table of claims alone, or of several runs */
  readonly run: string | null
  readonly fingerprint: string | null
  /** Sentences: what the table may be compared with, and what differs from the paper. */
  readonly verdict: readonly string[]
  /** Weights that were trained elsewhere: which of them were scored. */
  readonly weights?: WeightsAccount
  /** Headings of groups in place of the usual ones, which speak of one run. */
  readonly headings?: Readonly<Partial<Record<RowGroup, string>>>
}

export interface ResultsTable {
  readonly format: "repro-table"
  readonly version: 1
  readonly header: TableHeader
  readonly rows: readonly TableRow[]
  /** Contracts by their ids, in full. */
  readonly contracts: Readonly<Record<string, unknown>>
}

/** The table breaks a law of reporting: a bug of the caller, never of the user. */
export class TableError extends Error {
  readonly _tag = "TableError"
  constructor(message: string) {
    super(message)
    this.name = "TableError"
  }
}

/** Sign in front of a value; every renderer prints it. */
export const boundSign = (kind: BoundKind): "" | "≤" | "≥" | "≈" | "?" => {
  switch (kind) {
    case "exact":
      return ""
    case "upper-bound":
      return "≤"
    case "lower-bound":
      return "≥"
    case "estimate":
      return "≈"
    case "unknown":
      return "?"
  }
}

/** What the signs mean; renderers print those that occur. */
export const SIGN_LEGEND: Readonly<Record<Exclude<BoundKind, "exact">, string>> = {
  "upper-bound": "≤ upper bound in expectation",
  "lower-bound": "≥ lower bound in expectation",
  estimate: "≈ estimate without a bound",
  unknown: "? kind of bound unknown",
}

const AS_PUBLISHED = "as published"
const BYTES = /\bBPB\b|bits\/byte/i

/** Floors that stand in every table of code lengths. */
export const REQUIRED_FLOORS = ["uniform", "unigram", "bigram", "xz"] as const

const problems = ({ rows, contracts }: ResultsTable): readonly string[] => {
  const found: string[] = []
  const seen = new Set<string>()
  for (const row of rows) {
    const name = `row "${row.id}"`
    if (seen.has(row.id)) found.push(`${name} occurs twice`)
    seen.add(row.id)
    if (row.value !== null && !Number.isFinite(row.value)) found.push(`${name} has the value ${row.value}`)
    if (row.value === null && row.notes.length === 0) {
      found.push(`${name} has no value and no note that says why`)
    }
    if (row.denominator?.kind === "constant") {
      if (row.group !== "as published" && row.group !== "claim") {
        found.push(`${name} divides by a constant and stands among the results`)
      }
      if (!row.label.includes(AS_PUBLISHED)) {
        found.push(`${name} divides by a constant and its label lacks "${AS_PUBLISHED}"`)
      }
      if (BYTES.test(row.unit) && !row.unit.includes(AS_PUBLISHED)) {
        found.push(`${name} divides by a constant and its unit lacks "${AS_PUBLISHED}"`)
      }
    }
    if (row.interval !== null) {
      const { low, high, level } = row.interval
      if (!(low <= high)) found.push(`${name} has the interval [${low}, ${high}]`)
      if (!(level > 0 && level < 1)) found.push(`${name} has an interval of level ${level}`)
    }
    if (row.contractId !== null && !Object.hasOwn(contracts, row.contractId)) {
      found.push(`${name} names the contract ${row.contractId}, which the table lacks`)
    }
  }
  const codeLengths = rows.some(
    ({ group, quantity }) => group === "result" && quantity === "negative-log-likelihood",
  )
  if (codeLengths) {
    for (const floor of REQUIRED_FLOORS) {
      const there = rows.some(({ group, id }) => group === "floor" && id.startsWith(`floor/${floor}`))
      if (!there) found.push(`the floor "${floor}" is missing`)
    }
  }
  return found
}

/**
 * A table that keeps the laws of reporting, its rows in the order of {@link GROUPS}.
 * @throws TableError naming every breach.
 */
export const makeTable = (
  header: TableHeader,
  rows: readonly TableRow[],
  contracts: Readonly<Record<string, unknown>> = {},
): ResultsTable => {
  const table: ResultsTable = {
    format: "repro-table",
    version: 1,
    header,
    rows: GROUPS.flatMap((group) => rows.filter((row) => row.group === group)),
    contracts,
  }
  const found = problems(table)
  if (found.length > 0) throw new TableError(`The results table is not sound: ${found.join("; ")}.`)
  return table
}

/** A table read from a file. @throws TableError when it is not one. */
export const parseTable = (value: unknown, subject: string): ResultsTable => {
  const table = value as Partial<ResultsTable> | null | undefined
  if (table?.format !== "repro-table" || !Array.isArray(table.rows) || table.header === undefined) {
    throw new TableError(`${subject}: this is not a results table; recompute it with "repro table RUN".`)
  }
  if (table.version !== 1) {
    throw new TableError(
      `${subject}: the table has version ${String(table.version)}, this program reads 1; recompute it with "repro table RUN".`,
    )
  }
  return makeTable(table.header, table.rows as readonly TableRow[], table.contracts ?? {})
}
