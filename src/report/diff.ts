/** The text of a comparison, for people. */
import type { ClaimDiff, ClaimsDiff, Pairing } from "./diff-claims.js"
import { describeDifference } from "./differences.js"
import type { RunsDiff } from "./diff-runs.js"
import { formatNumber } from "./numbers.js"
import { wrap } from "./render/terminal.js"
import { boundSign } from "./table.js"

export { diffClaims, type ClaimDiff, type ClaimsDiff, type Pairing } from "./diff-claims.js"
export { diffRuns, type RunsDiff, type RunSide } from "./diff-runs.js"

const percent = (relative: number): string => {
  const text = (100 * relative).toFixed(2)
  return `${Number(text) > 0 ? "+" : ""}${Number(text) === 0 ? "0.00" : text} %`
}

const NAME_WIDTH = 16

const field = (name: string, content: string, width: number): readonly string[] =>
  wrap(content, Math.max(20, width - NAME_WIDTH - 2)).map(
    (line, index) => `  ${(index === 0 ? name : "").padEnd(NAME_WIDTH)}${line}`,
  )

const pairing = ({ published, run, boundKind, relative, unit, label }: Pairing): string => {
  const sign = boundSign(boundKind)
  return `published ${formatNumber(published, 4)}, this run ${sign === "" ? "" : `${sign} `}${formatNumber(run, 4)} ${unit} (${percent(relative)}; ${label})`
}

const claimText = (
  { claim, title, printed, citation, own, exact, comparability, sentence }: ClaimDiff,
  width: number,
) => [
  "",
  ...wrap(`${title} (${claim}): ${printed}`, width),
  ...field("source", citation, width),
  ...field("own definition", own === null ? "the run has no number under it" : pairing(own), width),
  ...field(
    "exact bytes",
    exact === null ? "no arithmetic leads there from what the source states" : pairing(exact),
    width,
  ),
  ...(exact === null || exact.derivation === "as printed" ? [] : field("", exact.derivation, width)),
  ...field(
    "comparable",
    comparability === null
      ? "nothing to compare"
      : [
          comparability.verdict,
          ...comparability.obstacles.map(({ axis, relation, reason }) => `${axis} ${relation} (${reason})`),
        ].join("; "),
    width,
  ),
  ...field("reproduction", sentence, width),
]

/** A run beside its claims. */
export const claimsDiffText = (diff: ClaimsDiff, width: number): string =>
  [
    ...wrap(`${diff.experiment}, profile ${diff.profile}, run ${diff.run ?? "none"}`, width),
    ...wrap(diff.experimentSentence, width),
    ...(diff.claims.length === 0 ? ["", "The experiment names no published claims."] : []),
    ...diff.claims.flatMap((claim) => claimText(claim, width)),
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
