/** The audit as one Markdown document. Equal audits give equal bytes. */
import { MARK_WORDS } from "../../audit/provenance.js"
import type { Audit, ClaimAudit } from "../../audit/packet.js"
import { decidingAxes } from "../../audit/pairs.js"
import {
  CHARGE_WORDS,
  contractRows,
  showCharge,
  showCharged,
  showRescored,
  VERDICT_WORDS,
  unitAfter,
  withUnit,
} from "./words.js"

/** Text inside a table cell or a sentence: nothing in it is read as Markdown. */
const safe = (text: string): string =>
  text.replace(/[\\`*_[\]<>|#]/g, (character) => `\\${character}`).replaceAll("\n", " ")

const table = (head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] => [
  `| ${head.join(" | ")} |`,
  `|${head.map(() => "---").join("|")}|`,
  ...rows.map((row) => `| ${row.join(" | ")} |`),
]

const claimSection = (claim: ClaimAudit): readonly string[] => {
  const { comparison, rescored } = claim
  const facts = [
    claim.mark === "stated"
      ? `- Published: **${safe(claim.printed)}**${safe(unitAfter(claim.printed, String(claim.contract.unit)))} (${claim.mark})`
      : `- Value, ${safe(claim.provenance)}: **${safe(claim.printed)}**${safe(unitAfter(claim.printed, String(claim.contract.unit)))} (${claim.mark})`,
    `- Model: ${safe(claim.model)}`,
    `- Source: ${safe(claim.source)} (<${claim.url}>)`,
    `- Hardware: ${safe(claim.hardware)}`,
    ...claim.notes.map((note) => `- Note: ${safe(note)}`),
    `- Contract: \`${claim.contractId}\``,
    comparison === null
      ? "- Verdict: no definition fits this quantity"
      : `- Verdict against the definition "${claim.definition}": **${VERDICT_WORDS[comparison.verdict]}**`,
    rescored === null
      ? "- Re-scored: no definition fits"
      : `- Re-scored: **${safe(showRescored(rescored))}**. ${safe(rescored.reason)}`,
    ...(rescored?.derivation ?? []).map(
      ({ formula, result, unit }) => `  - ${safe(formula)} = ${Number(result.toPrecision(8))} ${safe(unit)}`,
    ),
    ...(rescored?.assumptions ?? []).map(({ text, mark }) => `  - Assumption (${mark}): ${safe(text)}`),
    ...claim.charged.flatMap((row) => [
      `  - Not in the value: ${safe(row.name)} (${row.mark}), ${showCharge(row)}: ${safe(row.formula)}. With it ${safe(showCharged(row, rescored!))}`,
      ...row.assumptions.map((text) => `    - Assumption: ${safe(text)}`),
    ]),
    ...claim.commands.map((command) => `- Again: \`${command}\``),
  ]
  const axes =
    comparison === null
      ? []
      : [
          "",
          ...table(
            ["axis", "relation", "reason"],
            comparison.axes.map(({ axis, relation, reason, conversion }) => [
              axis,
              relation,
              safe(conversion === undefined ? reason : `${reason}; ${conversion}`),
            ]),
          ),
        ]
  return [
    "",
    `### ${safe(claim.title)} (\`${claim.id}\`)`,
    "",
    ...facts,
    ...axes,
    "",
    ...table(
      ["contract field", "as far as stated"],
      contractRows(claim.contract).map(([name, value]) => [name, safe(value)]),
    ),
  ]
}

/** What the values under the definition leave out, a row for each amount. */
const chargeSection = (claims: readonly ClaimAudit[]): readonly string[] =>
  claims.every(({ charged }) => charged.length === 0)
    ? []
    : [
        "## Not in the values",
        "",
        CHARGE_WORDS,
        "",
        ...table(
          ["claim", "amount of", "bits/byte", "value with it", "mark"],
          claims.flatMap((claim) =>
            claim.charged.map((row) => [
              `\`${claim.id}\``,
              safe(row.name),
              showCharge(row),
              safe(showCharged(row, claim.rescored!)),
              row.mark,
            ]),
          ),
        ),
        "",
      ]

export const packetMarkdown = (audit: Audit): string => {
  const { subject, claims, findings, warnings, totals, run } = audit
  const lines = [
    `# Audit: ${safe(subject.title)}`,
    "",
    `Spec \`${subject.id}\` (\`${subject.file}\`)${subject.fingerprint === null ? "" : `, fingerprint \`${subject.fingerprint}\``}.`,
    "",
    "Arithmetic on published numbers, with sources. It judges numbers, not people.",
    `Marks: ${Object.entries(MARK_WORDS)
      .map(([mark, words]) => `*${mark}*: ${words}`)
      .join("; ")}.`,
    "",
    "## Claims",
    "",
    ...table(
      ["claim", "published", "verdict", "under the definition"],
      [...claims, ...audit.beside].map((claim) => [
        safe(claim.title),
        safe(withUnit(claim.printed, String(claim.contract.unit))),
        claim.comparison?.verdict ?? "no definition",
        claim.rescored === null ? "no definition" : safe(showRescored(claim.rescored)),
      ]),
    ),
    "",
    ...chargeSection([...claims, ...audit.beside]),
    ...(audit.pairs.length === 0
      ? []
      : [
          "## Which may stand beside which",
          "",
          ...table(
            ["claim", "beside", "verdict", "decided by"],
            audit.pairs.map((pair) => [
              `\`${pair.first}\``,
              `\`${pair.second}\``,
              pair.verdict,
              decidingAxes(pair).join(", "),
            ]),
          ),
          "",
        ]),
    "## Findings",
    ...findings.flatMap((finding, index) => [
      "",
      `${index + 1}. **${safe(finding.title)}** (${finding.mark}). ${safe(finding.text)}`,
      ...(finding.formula === undefined ? [] : [`   - Formula: \`${finding.formula}\``]),
      ...finding.assumptions.map((assumption) => `   - Assumption: ${safe(assumption)}`),
      `   - Source: ${safe(finding.source)}`,
      ...(finding.command === undefined ? [] : [`   - Again: \`${finding.command}\``]),
    ]),
    "",
    "## Warnings",
    "",
    ...(warnings.length === 0
      ? ["None."]
      : warnings.map(
          ({ rule, claims: ids, text }) =>
            `- ${rule}: ${safe(text)} (${ids.length === 0 ? "the spec" : ids.map((id) => `\`${id}\``).join(", ")})`,
        )),
    "",
    "## Totals",
    "",
    ...table(
      ["slice", "tokens", "bytes", "bytes per token", "source"],
      totals.map((slice) => [
        safe(slice.name),
        String(slice.tokens),
        String(slice.bytes),
        slice.bytesPerToken.toFixed(7),
        safe(slice.source),
      ]),
    ),
    ...(run === null
      ? []
      : [
          "",
          `## Run \`${run.id}\``,
          "",
          `Profile ${run.profile}${run.fingerprint === null ? "" : `, fingerprint \`${run.fingerprint}\``}.`,
          ...run.verdict.map((sentence) => `- ${safe(sentence)}`),
          "",
          ...table(
            ["measured", "value", "kind", "interval"],
            run.values.map(({ label, value, unit, boundKind, low, high }) => [
              safe(label),
              value === null ? "n/a" : `${value.toFixed(4)} ${safe(unit)}`,
              boundKind,
              low === null || high === null ? "" : `${low.toFixed(4)} to ${high.toFixed(4)}`,
            ]),
          ),
        ]),
    "",
    "## Claim by claim",
    ...claims.flatMap(claimSection),
    "",
    "## Again",
    "",
    "```sh",
    `repro audit ${subject.file} --json`,
    ...new Set([
      ...claims.flatMap(({ commands }) => commands),
      ...findings.flatMap(({ command }) => command ?? []),
    ]),
    "```",
    "",
  ]
  return lines.join("\n")
}
