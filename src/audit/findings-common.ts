/** What findings are made of, and how their sources are written. */
import type { Comparison } from "../metric/contract/compare.js"
import { MARKS, type Fact, type Mark, type Place } from "../spec/findings-facts.js"
import type { ClaimNumber, Rescored } from "./rescore-claim.js"

export interface Finding {
  /** Stable: the claim or fact, and the kind. */
  readonly id: string
  readonly kind: string
  readonly title: string
  /** One or two sentences; neutral. */
  readonly text: string
  readonly formula?: string
  /** The numbers of the text, unrounded, by name. */
  readonly values: Readonly<Record<string, number>>
  readonly mark: Mark
  readonly claims: readonly string[]
  readonly source: string
  readonly assumptions: readonly string[]
  /** Prints the figures again. */
  readonly command?: string
}

export interface AuditedClaim extends ClaimNumber {
  readonly title: string
  readonly mark: Mark
  readonly comparison: Comparison | undefined
  readonly rescored: Rescored | undefined
  readonly place: Place
  readonly source: { readonly title: string; readonly commit?: string | undefined }
}

export type SourcedFact = Fact & {
  readonly source: { readonly title: string; readonly commit?: string | undefined }
}

/** The least sure of several marks: stated and computed before derived, inferred last. */
export const weakest = (...marks: readonly Mark[]): Mark =>
  [...marks].sort((a, b) => MARKS.indexOf(b) - MARKS.indexOf(a))[0] ?? "derived"

/** The title, description, comment or review of a thread, in words. */
export const threadWords = ({ part, url, author, date }: NonNullable<Place["thread"]>): string => {
  const by = [author, date].filter((each) => each !== undefined).join(", ")
  return `${part} of ${url}${by === "" ? "" : ` (${by})`}`
}

/** A public copy of a place, in words. */
const copyWords = ({ repository, commit, file, line }: NonNullable<Place["copy"]>): string =>
  `copy in ${repository}, ${file}, line ${line}, commit ${commit.slice(0, 7)}`

/** A place as one line. */
export const sourceLine = (
  place: Place,
  source?: { readonly title: string; readonly commit?: string | undefined },
): string => {
  const commit = place.commit ?? (place.document === undefined ? source?.commit : undefined)
  const parts = [
    place.document ?? source?.title,
    place.thread === undefined ? undefined : threadWords(place.thread),
    place.part,
    place.file === undefined
      ? undefined
      : `${place.file}${place.line === undefined ? "" : `, line ${place.line}`}`,
    commit === undefined ? undefined : `commit ${commit.slice(0, 7)}`,
    place.table === undefined ? undefined : `table "${place.table}"`,
    place.figure === undefined ? undefined : `figure "${place.figure}"`,
    place.row === undefined ? undefined : `row "${place.row}"`,
    place.column === undefined ? undefined : `column "${place.column}"`,
    place.note,
    place.copy === undefined ? undefined : copyWords(place.copy),
  ]
  return parts.filter((part) => part !== undefined).join("; ")
}

/** Claims that facts may speak of, by id. */
export type Known = ReadonlyMap<string, AuditedClaim>

/** What a fact of a kind leads to; undefined where it leads to nothing. */
export type Rule<K extends SourcedFact["kind"]> = (
  fact: Extract<SourcedFact, { readonly kind: K }>,
  known: Known,
) => Finding | undefined

/** The finding of a fact: what the fact says of itself, and `rest`. */
export const findingOf = (
  fact: SourcedFact,
  rest: Pick<Finding, "title" | "text" | "values"> & Partial<Finding>,
): Finding => ({
  id: fact.id,
  kind: fact.kind,
  mark: fact.mark,
  claims: fact.claims,
  source: sourceLine(fact.place, fact.source),
  assumptions: [],
  ...rest,
})

/** A whole number with its thousands apart. */
export const count = (n: number): string => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, " ")
