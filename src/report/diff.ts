/** The text of a comparison, for people. */
import type { ClaimDiff, ClaimsDiff, Nearest, Pairing } from "../analysis/diff-claims.js"
import { describeDifference } from "../analysis/differences.js"
import type { RunsDiff } from "../analysis/diff-runs.js"
import { formatNumber } from "../analysis/numbers.js"
import { wrap } from "./render/terminal.js"
import { boundSign, type BoundKind } from "../analysis/table.js"

export { diffClaims, type ClaimDiff, type ClaimsDiff, type Pairing } from "../analysis/diff-claims.js"
export { diffRuns, type RunsDiff, type RunSide } from "../analysis/diff-runs.js"

const percent = (relative: number): string => {
  const text = (100 * relative).toFixed(2)
  return `${Number(text) > 0 ? "+" : ""}${Number(text) === 0 ? "0.00" : text} %`
}

const NAME_WIDTH = 16

const field = (name: string, content: string, width: number): readonly string[] =>
  wrap(content, Math.max(20, width - NAME_WIDTH - 2)).map(
    (line, index) => `  ${(index === 0 ? name : "").padEnd(NAME_WIDTH)}${line}`,
  )

const signed = (boundKind: BoundKind, value: number, unit: string): string => {
  const sign = boundSign(boundKind)
  return `${sign === "" ? "" : `${sign} `}${formatNumber(value, 4)} ${unit}`
}

const pairing = ({ published, run, boundKind, relative, unit, label }: Pairing): string =>
  `published ${formatNumber(published, 4)}, this run ${signed(boundKind, run, unit)} (${percent(relative)}; ${label})`

const unmeasured = (nearest: Nearest | null): string =>
  nearest === null
    ? "not measured under its definition, nor near it"
    : `not measured under its definition; nearest: ${nearest.label} ${signed(nearest.boundKind, nearest.run, nearest.unit)}`

const exactText = ({ exact, exactPublished }: ClaimDiff): string => {
  if (exact !== null) return pairing(exact)
  return exactPublished === null
    ? "no arithmetic leads there from what the source states"
    : `published ${formatNumber(exactPublished, 4)}; this run has nothing of its kind of bound and estimator`
}

const comparable = ({ comparability, nearest }: ClaimDiff): string => {
  if (comparability !== null)
    return [
      comparability.verdict,
      ...comparability.obstacles.map(({ axis, relation, reason }) => `${axis} ${relation} (${reason})`),
    ].join("; ")
  return nearest === null
    ? "nothing to compare"
    : `no verdict; the nearest differs in ${nearest.obstacles.map(({ axis, reason }) => `${axis} (${reason})`).join("; ")}`
}

const claimText = (claim: ClaimDiff, width: number) => [
  "",
  ...wrap(`${claim.title} (${claim.claim}): ${claim.printed}`, width),
  ...field("source", claim.citation, width),
  ...field("own definition", claim.own === null ? unmeasured(claim.nearest) : pairing(claim.own), width),
  ...field("exact bytes", exactText(claim), width),
  ...(claim.exact === null || claim.exact.derivation === "as printed"
    ? []
    : field("", claim.exact.derivation, width)),
  ...field("comparable", comparable(claim), width),
  ...field("reproduction", claim.sentence, width),
]

/** What is said in place of claims, and of those left out. */
const claimsNote = ({ claims, elsewhere }: ClaimsDiff): readonly string[] => {
  if (elsewhere.length > 0)
    return [
      `${claims.length === 0 ? "No claim of the experiment is about this run's settings" : "Left out, as they are about other settings than this run's"}: ${elsewhere.join(", ")}.`,
    ]
  return claims.length === 0 ? ["The experiment names no published claims."] : []
}

/** A run beside its claims. */
export const claimsDiffText = (diff: ClaimsDiff, width: number): string =>
  [
    ...wrap(`${diff.experiment}, profile ${diff.profile}, run ${diff.run ?? "none"}`, width),
    ...wrap(diff.experimentSentence, width),
    ...diff.claims.flatMap((claim) => claimText(claim, width)),
    ...claimsNote(diff).flatMap((note) => ["", ...wrap(note, width)]),
  ].join("\n")

const show = (value: number | null): string => (value === null ? "none" : String(value))

/** Two runs; every value that is not identical is listed. */
export const runsDiffText = (diff: RunsDiff, width: number): string => {
  const listed = diff.values.filter(({ agreement, note }) => agreement !== "identical" || note !== undefined)
  const name = Math.max(0, ...listed.map(({ where }) => where.length))
  return [
    ...wrap(`${diff.a} beside ${diff.b}`, width),
    ...wrap(diff.sentence, width),
    ...diff.experimentDifferences
      .slice(0, 12)
      .map(({ pointer, a, b }) => `  ${describeDifference({ pointer, paper: a, profile: b })}`),
    ...(diff.experimentDifferences.length > 12 ? [`  ${diff.experimentDifferences.length - 12} more`] : []),
    ...listed.map(({ where, agreement, a, b, relative, note }) =>
      [
        `  ${where.padEnd(name)}  ${agreement.padEnd(15)}  ${show(a)}  ${show(b)}`,
        ...(relative === null ? [] : [relative.toExponential(1)]),
        ...(note === undefined ? [] : [note]),
      ].join("  "),
    ),
  ].join("\n")
}
