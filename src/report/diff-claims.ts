/**
 * A run beside the published claims of its experiment: under each claim's own definition and under the exact one.
 *
 * Two questions are kept apart. Comparability: do the definitions of the two numbers agree? Reproduction: is the run
 * the published experiment, and do the numbers agree?
 */
import { compareContracts, type Verdict } from "../metric/compare.js"
import { reproductionVerdict, type ReproductionVerdict } from "../metric/statistics/reproduction.js"
import type { Contract } from "../metric/contract.js"
import type { ResolvedClaim } from "../spec/claim.js"
import { roundingHalfWidth } from "../metric/rescore-claim.js"
import { citation, exactReading, type RatioSampleOf } from "./claim-rows.js"
import { comparabilitySentence, describeGroups, type ExperimentDifference } from "./differences.js"
import type { BoundKind, ResultsTable, TableRow } from "./table.js"

/** Two numbers under one definition. */
export interface Pairing {
  /** The run's row. */
  readonly row: string
  readonly label: string
  readonly unit: string
  readonly published: number
  /** What the printed digits leave open, on either side. */
  readonly publishedHalfWidth: number
  readonly run: number
  readonly boundKind: BoundKind
  /** Half of the run's interval; 0 without one. */
  readonly runHalfWidth: number
  /** run - published */
  readonly difference: number
  readonly relative: number
  /** The difference is within both half-widths together. */
  readonly agrees: boolean
  /** How the published number came under this definition. */
  readonly derivation: string
}

export interface ClaimDiff {
  readonly claim: string
  readonly title: string
  readonly printed: string
  readonly citation: string
  /** Under the claim's own definition; null when the run measured nothing under it. */
  readonly own: Pairing | null
  /** Under the exact byte table; null when no arithmetic leads there or the run lacks it. */
  readonly exact: Pairing | null
  readonly comparability: {
    readonly verdict: Verdict
    /** Axes that stand in the way, with the reason. */
    readonly obstacles: readonly {
      readonly axis: string
      readonly relation: string
      readonly reason: string
    }[]
  } | null
  /** Separate from comparability; one run has no spread, so it is never more than underpowered. */
  readonly reproduction: ReproductionVerdict
  readonly sentence: string
}

export interface ClaimsDiff {
  readonly format: "repro-diff-claims"
  readonly version: 1
  readonly run: string | null
  readonly experiment: string
  readonly profile: string
  /** Whether and where the run is not the published experiment. */
  readonly experimentSentence: string
  readonly differences: readonly ExperimentDifference[]
  readonly claims: readonly ClaimDiff[]
  /** The run is the published experiment and agrees with every claim within the printed digits and its interval. */
  readonly agrees: boolean
}

const halfWidthOf = ({ interval }: TableRow): number =>
  interval === null ? 0 : (interval.high - interval.low) / 2

const pair = (
  row: TableRow | undefined,
  published: number,
  publishedHalfWidth: number,
  derivation: string,
): Pairing | null => {
  if (row === undefined || row.value === null) return null
  const difference = row.value - published
  const runHalfWidth = halfWidthOf(row)
  return {
    row: row.id,
    label: row.label,
    unit: row.unit,
    published,
    publishedHalfWidth,
    run: row.value,
    boundKind: row.boundKind,
    runHalfWidth,
    difference,
    relative: difference / Math.abs(published),
    agrees: Math.abs(difference) <= publishedHalfWidth + runHalfWidth,
    derivation,
  }
}

/** Axes on which the estimate itself, not the circumstances, is compared; they choose the run's row for a claim. */
const DEFINING = [
  "quantity",
  "unit",
  "denominator",
  "bound",
  "event",
  "estimator",
  "window",
  "reduction",
] as const
const COST: Readonly<Record<string, number>> = {
  same: 0,
  noted: 0,
  open: 0,
  ordered: 1,
  convertible: 2,
  unknown: 2,
  different: 4,
}

interface Candidate {
  readonly row: TableRow
  readonly contract: Contract
  readonly cost: number
}

/** The run's rows with the claim's unit and denominator, the nearest definition first. */
const candidates = (claim: Contract, table: ResultsTable): readonly Candidate[] =>
  table.rows
    .filter(({ group, value }) => (group === "result" || group === "as published") && value !== null)
    .flatMap((row): readonly Candidate[] => {
      const contract =
        row.contractId === null ? undefined : (table.contracts[row.contractId] as Contract | undefined)
      if (contract === undefined) return []
      const { axes } = compareContracts(claim, contract)
      const relation = (name: string): string => axes.find(({ axis }) => axis === name)?.relation ?? "unknown"
      if (["quantity", "unit", "denominator"].some((axis) => relation(axis) !== "same")) return []
      return [{ row, contract, cost: DEFINING.reduce((sum, axis) => sum + (COST[relation(axis)] ?? 4), 0) }]
    })
    .sort((a, b) => a.cost - b.cost)

const evaluationOf = ({ id }: TableRow): string => id.slice(0, id.lastIndexOf("/"))

const diffClaim = (
  claim: ResolvedClaim,
  table: ResultsTable,
  differences: readonly ExperimentDifference[],
  sampleOf: RatioSampleOf,
): ClaimDiff => {
  const [best] = candidates(claim.contract, table)
  const half = claim.halfWidth ?? roundingHalfWidth(claim.printed)
  const own = pair(best?.row, claim.value, half, "as printed")
  const reading = exactReading(claim, sampleOf(claim.id))
  const exactRows = table.rows.filter(
    ({ id, value }) => id.endsWith("/bits-per-byte") && !id.startsWith("floor/") && value !== null,
  )
  const exactRow =
    exactRows.find((row) => best !== undefined && evaluationOf(row) === evaluationOf(best.row)) ??
    exactRows[0]
  const exact =
    reading === undefined
      ? null
      : pair(exactRow, reading.value, (reading.high - reading.low) / 2, reading.derivation)
  const comparison = best === undefined ? undefined : compareContracts(claim.contract, best.contract)
  const obstacles = (comparison?.axes ?? [])
    .filter(({ relation }) => !["same", "noted", "open"].includes(relation))
    .map(({ axis, relation, reason }) => ({ axis, relation, reason }))
  const attempted = differences.length === 0 && own !== null
  const { verdict } = reproductionVerdict({
    published: { value: claim.value, halfWidth: half },
    runs: attempted ? [own.run] : [],
    margin: Math.max(half, Number.EPSILON),
  })
  const sentence =
    differences.length > 0
      ? `Not attempted: the run differs from the published experiment in ${describeGroups(differences, 1).join("; ")}.`
      : own === null
        ? "Not attempted: the run has no number under the claim's definition."
        : `Underpowered: the published experiment, and the numbers ${own.agrees ? "agree" : "do not agree"} within the printed digits and the run's interval; one seed has no spread, so noise cannot be told from a difference. Run two more seeds at least.`
  return {
    claim: claim.id,
    title: claim.title,
    printed: claim.printed,
    citation: citation(claim),
    own,
    exact,
    comparability: comparison === undefined ? null : { verdict: comparison.verdict, obstacles },
    reproduction: verdict,
    sentence,
  }
}

/** Every claim beside the run's table. */
export const diffClaims = (
  table: ResultsTable,
  claims: readonly ResolvedClaim[],
  differences: readonly ExperimentDifference[],
  sampleOf: RatioSampleOf = () => undefined,
): ClaimsDiff => {
  const each = claims.map((claim) => diffClaim(claim, table, differences, sampleOf))
  return {
    format: "repro-diff-claims",
    version: 1,
    run: table.header.run,
    experiment: table.header.experiment,
    profile: table.header.profile,
    experimentSentence: comparabilitySentence(table.header.profile, differences),
    differences,
    claims: each,
    agrees: differences.length === 0 && each.length > 0 && each.every(({ own }) => own?.agrees === true),
  }
}
