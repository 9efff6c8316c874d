/**
 * A run beside the published claims of its experiment: under each claim's own definition and under the exact one.
 *
 * Two questions are kept apart. Comparability: do the definitions of the two numbers agree? Reproduction: is the run
 * the published experiment, and do the numbers agree?
 */
import type { Verdict } from "../metric/contract/compare.js"
import { reproductionVerdict, type ReproductionVerdict } from "../metric/statistics/reproduction.js"
import type { ResolvedClaim } from "../spec/claim.js"
import { roundingHalfWidth } from "../audit/rescore-claim.js"
import { citation, exactReading, type RatioSampleOf } from "./claim-rows.js"
import { measuredUnder, type Candidate } from "./diff-definitions.js"
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

/** An axis that stands in the way of a comparison, with the reason. */
export interface Obstacle {
  readonly axis: string
  readonly relation: string
  readonly reason: string
}

/** What the run measured instead, for a claim whose definition it did not measure; no verdict follows from it. */
export interface Nearest {
  readonly row: string
  readonly label: string
  readonly unit: string
  readonly run: number
  readonly boundKind: BoundKind
  /** Why it is not the claim's definition: the estimator, and the kind of bound where that differs. */
  readonly obstacles: readonly Obstacle[]
}

export interface ClaimDiff {
  readonly claim: string
  readonly title: string
  readonly printed: string
  readonly citation: string
  /**
   * Under the claim's own definition: its unit, denominator, quantity, kind of bound and family of estimators; null
   * when the run measured nothing under it.
   */
  readonly own: Pairing | null
  /** Null when there is `own`, or nothing of the claim's unit, denominator and quantity. */
  readonly nearest: Nearest | null
  /** Under the exact byte table; null when no arithmetic leads there or the run lacks it. */
  readonly exact: Pairing | null
  /** The claim under the exact byte table, whether or not the run has its like; null when no arithmetic leads there. */
  readonly exactPublished: number | null
  /** Of `own`; null without it. */
  readonly comparability: { readonly verdict: Verdict; readonly obstacles: readonly Obstacle[] } | null
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
  /** Claims of the experiment that are about other settings than the run's, such as other cells of a sweep. */
  readonly elsewhere: readonly string[]
  /** The run is the published experiment and agrees with every claim within the printed digits and its interval. */
  readonly agrees: boolean
}

const halfWidthOf = ({ interval }: TableRow): number =>
  interval === null ? 0 : (interval.high - interval.low) / 2

const pair = (
  candidate: Candidate | undefined,
  published: number,
  publishedHalfWidth: number,
  derivation: string,
): Pairing | null => {
  const value = candidate?.row.value ?? null
  if (candidate === undefined || value === null) return null
  const { row } = candidate
  const difference = value - published
  const runHalfWidth = halfWidthOf(row)
  return {
    row: row.id,
    label: row.label,
    unit: row.unit,
    published,
    publishedHalfWidth,
    run: value,
    boundKind: row.boundKind,
    runHalfWidth,
    difference,
    relative: difference / Math.abs(published),
    agrees: Math.abs(difference) <= publishedHalfWidth + runHalfWidth,
    derivation,
  }
}

const obstaclesOf = ({ comparison }: Candidate): readonly Obstacle[] =>
  comparison.axes
    .filter(({ relation }) => !["same", "noted", "open"].includes(relation))
    .map(({ axis, relation, reason }) => ({ axis, relation, reason }))

const nearestOf = (candidate: Candidate | undefined): Nearest | null => {
  if (candidate === undefined || candidate.row.value === null) return null
  const { id, label, unit, value, boundKind } = candidate.row
  const obstacles = candidate.comparison.axes
    .filter(({ axis, relation }) => axis === "estimator" || (axis === "bound" && relation !== "same"))
    .map(({ axis, relation, reason }) => ({ axis, relation, reason }))
  return { row: id, label, unit, run: value, boundKind, obstacles }
}

const diffClaim = (
  claim: ResolvedClaim,
  table: ResultsTable,
  differences: readonly ExperimentDifference[],
  sampleOf: RatioSampleOf,
): ClaimDiff => {
  const found = measuredUnder(claim.contract, table)
  const half = claim.halfWidth ?? roundingHalfWidth(claim.printed)
  const own = pair(found.own, claim.value, half, "as printed")
  const reading = exactReading(claim, sampleOf(claim.id))
  const exact =
    reading === undefined
      ? null
      : pair(found.exact, reading.value, (reading.high - reading.low) / 2, reading.derivation)
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
    nearest: nearestOf(found.nearest),
    exact,
    exactPublished: reading?.value ?? null,
    comparability:
      found.own === undefined
        ? null
        : { verdict: found.own.comparison.verdict, obstacles: obstaclesOf(found.own) },
    reproduction: verdict,
    sentence,
  }
}

/**
 * Every claim beside the run's table.
 * @param claims those about the run; `elsewhere` names the experiment's others
 */
export const diffClaims = (
  table: ResultsTable,
  claims: readonly ResolvedClaim[],
  differences: readonly ExperimentDifference[],
  {
    sampleOf = () => undefined,
    elsewhere = [],
  }: { readonly sampleOf?: RatioSampleOf | undefined; readonly elsewhere?: readonly string[] } = {},
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
    elsewhere,
    agrees: differences.length === 0 && each.length > 0 && each.every(({ own }) => own?.agrees === true),
  }
}
