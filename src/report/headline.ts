/**
 * What is read first of a run's table: one row an estimator, the published claims as printed and as they are, the
 * floors, and a sentence on what the network has learned. Every other row stays in the table.
 */
import { showNumber } from "../analysis/numbers.js"
import type { ResultsTable, TableRow } from "../analysis/table.js"

/** One estimator of the run. */
export interface HeadlineRow {
  readonly id: string
  readonly label: string
  /** Exact bits/byte, or bits/token where no byte table applies. */
  readonly main: TableRow
  /** The same with the boundary tokens charged; absent where none is given free. */
  readonly charged?: TableRow
}

export interface HeadlineClaim {
  readonly label: string
  readonly printed: TableRow
  /** Under the exact byte table; absent where that cannot be derived. */
  readonly exact?: TableRow
}

export interface Headline {
  readonly rows: readonly HeadlineRow[]
  /** What samples and tasks were graded at, such as an accuracy; not what they cost. */
  readonly graded: readonly TableRow[]
  readonly claims: readonly HeadlineClaim[]
  /** In bits/byte on the text of the first estimator. */
  readonly floors: readonly { readonly name: string; readonly row: TableRow }[]
  /** What the network has learned, measured at the floors; undefined where the two are not of the same text. */
  readonly verdict: string | undefined
  /** Rows of the table that are not here. */
  readonly left: number
}

const CODE_LENGTH = "negative-log-likelihood"
const MAIN = ["bits-per-byte", "bits-per-token"] as const

const split = (id: string): readonly [prefix: string, kind: string] => {
  const at = id.lastIndexOf("/")
  return [id.slice(0, at), id.slice(at + 1)]
}

/** Estimators in the order of the table; intermediate values such as `importance-8.k2` stay with their estimator. */
const estimators = (rows: readonly TableRow[]): readonly HeadlineRow[] => {
  const results = rows.filter(({ group }) => group === "result")
  const ids = [...new Set(results.map(({ id }) => split(id)[0]))]
  const of = (prefix: string, kind: string) => results.find(({ id }) => id === `${prefix}/${kind}`)
  return ids.flatMap((id): readonly HeadlineRow[] => {
    const whole = /^(.+)\.k\d+$/.exec(id)?.[1]
    if (whole !== undefined && ids.includes(whole)) return []
    const there = MAIN.map((kind) => of(id, kind)).filter((row) => row !== undefined)
    const main = there.find(({ value }) => value !== null) ?? there[0]
    if (main === undefined) return []
    const charged = main.unit === "bits/byte" ? of(id, "bits-per-byte-charged") : undefined
    return [{ id, label: main.estimator ?? id, main, ...(charged === undefined ? {} : { charged }) }]
  })
}

const claimsOf = (rows: readonly TableRow[]): readonly HeadlineClaim[] =>
  rows
    .filter(({ group, id }) => group === "claim" && !id.endsWith("/exact"))
    .map((printed) => {
      const exact = rows.find(({ id }) => id === `${printed.id}/exact`)
      const label = printed.label.replace(/, as published$/, "")
      return { label, printed, ...(exact === undefined ? {} : { exact }) }
    })

/** Tables of more and more context: a network between two of them has learned less than the second. */
const LADDER = ["uniform", "unigram", "bigram", "trigram"] as const

const floorsOf = (rows: readonly TableRow[]): Headline["floors"] =>
  [...LADDER, "source", "xz"].flatMap((name) => {
    const row = rows.find(({ id, value }) => id === `floor/${name}/bits-per-byte` && value !== null)
    return row === undefined ? [] : [{ name, row }]
  })

const valueOf = (row: TableRow): string => {
  const { sign, value } = showNumber(row)
  return sign === "" ? value : `${sign} ${value}`
}

const within = ({ interval }: TableRow, value: number): boolean =>
  interval !== null && interval.low <= value && value <= interval.high

const listed = (names: readonly string[]): string =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`

/**
 * The network's shortest exact code of the floors' text, boundaries charged as the floors charge them, measured at the
 * n-gram tables. Without an exact code the lowest bound is taken: below a floor it decides, above one it does not.
 */
const judge = (rows: readonly HeadlineRow[], floors: Headline["floors"]): string | undefined => {
  const ladder = floors.filter(({ name }) => name !== "xz" && name !== "source")
  const [first] = ladder
  if (first === undefined) return undefined
  const comparable = rows
    .map((row) => ({ ...row, code: row.charged ?? row.main }))
    .filter(
      ({ code }) =>
        code.value !== null &&
        code.unit === "bits/byte" &&
        code.tokens === first.row.tokens &&
        (code.boundKind === "exact" || code.boundKind === "upper-bound"),
    )
  const exact = comparable.filter(({ code }) => code.boundKind === "exact")
  const isExact = exact.length > 0
  const code = (isExact ? exact : comparable).reduce<(typeof comparable)[number] | undefined>(
    (least, each) => (least === undefined || each.code.value! < least.code.value! ? each : least),
    undefined,
  )
  if (code === undefined) return undefined
  const { value } = code.code
  const level = ladder.filter(({ row }) => within(code.code, row.value!))
  const apart = ladder.filter((floor) => !level.includes(floor))
  const named = (chosen: typeof ladder): string =>
    listed(chosen.map(({ name, row }) => `${name} (${showNumber(row).value})`))
  const below = apart.filter(({ row }) => value! < row.value!)
  const above = apart.filter(({ row }) => value! > row.value!)
  const places = [
    ...(below.length === 0 ? [] : [`below ${named(below.slice(-1))}`]),
    ...(level.length === 0 ? [] : [`level with ${named(level)}`]),
    ...(above.length === 0 ? [] : [`above ${named(above.slice(0, 1))}`]),
  ]
  const [next] = above
  const charged = code.charged === undefined ? "" : " with boundaries charged"
  const subject = `${code.label}, ${valueOf(code.code)} bits/byte${charged}`
  const learned =
    next === undefined
      ? level.length > 0
        ? `this network has learned about as much as a ${level.at(-1)!.name} table`
        : `this network has learned more than a ${below.at(-1)!.name} table`
      : !isExact
        ? `a bound, which cannot say whether the network has learned more than a ${next.name} table`
        : next.name === "uniform" || next.name === "unigram"
          ? "this network is untrained"
          : `this network has learned less than a ${next.name} table`
  return `${isExact ? "Shortest exact code" : "Lowest bound"} (${subject}): ${places.join(", ")}: ${learned}.`
}

/** What an answer was graded by; statistics of texts come behind it. */
const isScore = ({ quantity }: TableRow): boolean => quantity === "accuracy" || quantity === "pass-rate"

/** Figures over samples or items: rows of evaluations that are no code length, with what only prices them left out. */
const gradedOf = (rows: readonly TableRow[], found: readonly HeadlineRow[]): readonly TableRow[] => {
  const graded = rows.filter(
    ({ group, id, quantity }) =>
      group === "result" &&
      quantity !== "cost" &&
      quantity !== CODE_LENGTH &&
      quantity !== `part of ${CODE_LENGTH}` &&
      !found.some((row) => id.startsWith(`${row.id}/`)),
  )
  return [...graded.filter(isScore), ...graded.filter((row) => !isScore(row))]
}

/** Undefined for a table that is not of one run: such a table is shown whole. */
export const headlineOf = ({ header, rows }: ResultsTable): Headline | undefined => {
  if (header.run === null || rows.some(({ group }) => group === "seed" || group === "difference"))
    return undefined
  const found = estimators(rows).filter(({ main }) => main.quantity === CODE_LENGTH)
  const graded = gradedOf(rows, found)
  if (found.length + graded.length === 0) return undefined
  const [claims, floors] = [claimsOf(rows), floorsOf(rows)]
  const headline = { rows: found, graded, claims, floors, verdict: judge(found, floors) }
  return { ...headline, left: rows.length - headlineRows(headline).length }
}

/** A row's value with the sign of its bound. */
export const headlineValue = valueOf

/** Every row of the table that the headline shows, in its order there. */
export const headlineRows = ({
  rows,
  graded,
  claims,
  floors,
}: Omit<Headline, "left">): readonly TableRow[] => [
  ...rows.flatMap(({ main, charged }) => (charged === undefined ? [main] : [main, charged])),
  ...graded,
  ...claims.flatMap(({ printed, exact }) => (exact === undefined ? [printed] : [printed, exact])),
  ...floors.map(({ row }) => row),
]
