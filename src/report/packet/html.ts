/** The audit as one self-contained HTML page: no script, no network, equal bytes for equal audits. */
import { MARK_WORDS } from "../../audit/provenance.js"
import type { Audit, ClaimAudit } from "../../audit/packet.js"
import { claimPlots } from "./plot.js"
import { STYLE } from "./style.js"
import { decidingAxes } from "../../audit/pairs.js"
import {
  CHARGE_WORDS,
  contractRows,
  showCharge,
  showCharged,
  showInterval,
  showPoint,
  showRescored,
  VERDICT_WORDS,
  withUnit,
} from "./words.js"

const safe = (text: string): string =>
  text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;")

/** Text to be read: a number in groups of three digits is not broken. */
const prose = (text: string): string => safe(text).replace(/(\d) (?=\d{3}(?!\d))/g, "$1\u00a0")

const whole = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, "\u00a0")

const link = (url: string): string =>
  /^https?:\/\//.test(url) ? `<a href="${safe(url)}">${safe(url)}</a>` : safe(url)

/** A table that becomes a list of named values on a narrow screen. */
const table = (
  head: readonly string[],
  rows: readonly (readonly string[])[],
  numbers: readonly number[] = [],
): string => {
  const style = (index: number) => (numbers.includes(index) ? ' class="number"' : "")
  return [
    '<table class="stack"><thead><tr>',
    ...head.map((name, index) => `<th${style(index)}>${safe(name)}</th>`),
    "</tr></thead><tbody>",
    ...rows.map(
      (row) =>
        `<tr>${row.map((cell, index) => `<td${style(index)} data-name="${safe(head[index] ?? "")}">${cell}</td>`).join("")}</tr>`,
    ),
    "</tbody></table>",
  ].join("\n")
}

const list = (rows: readonly (readonly [string, string])[]): string =>
  `<dl>${rows.map(([name, value]) => `<dt>${safe(name)}</dt><dd>${value}</dd>`).join("")}</dl>`

const mark = (word: string): string => `<span class="mark-word">${safe(word)}</span>`

const card = (claim: ClaimAudit): string => {
  const verdict = claim.comparison?.verdict
  const boundary = claim.charged.find(({ id }) => id === "boundary-entropy")
  return [
    '<div class="card">',
    `<h3>${prose(claim.title)}</h3>`,
    `<p><span class="soft">${claim.mark === "stated" ? "published" : safe(claim.provenance)}</span> ${safe(withUnit(claim.printed, String(claim.contract.unit)))}</p>`,
    claim.rescored?.number === undefined
      ? `<p>${claim.rescored === null ? "no definition fits" : safe(showPoint(claim.rescored))}</p>`
      : `<p class="big">${safe(showPoint(claim.rescored))}</p><p class="soft">${safe(showInterval(claim.rescored) ?? "no interval beyond rounding")}${boundary === undefined ? "" : `; without the boundary charge, with it ${safe(showCharged(boundary, claim.rescored))}`}</p>`,
    verdict === undefined
      ? ""
      : `<p class="${verdict}">${safe(VERDICT_WORDS[verdict])} <span class="soft">(${safe(claim.definition ?? "")})</span></p>`,
    `<p class="small"><a href="#${safe(claim.id)}">details</a></p>`,
    "</div>",
  ].join("\n")
}

const claimSection = (claim: ClaimAudit): string => {
  const { rescored, comparison } = claim
  const derivation = (rescored?.derivation ?? []).map(
    ({ formula, result, unit }) =>
      `<li>${safe(formula)} = ${Number(result.toPrecision(8))} ${safe(unit)}</li>`,
  )
  const assumptions = (rescored?.assumptions ?? []).map(
    ({ text, mark: word }) => `<li>Assumption ${mark(word)} ${safe(text)}</li>`,
  )
  const charges = claim.charged.map(
    (row) =>
      `<li>Not in the value: ${safe(row.name)} ${mark(row.mark)} ${safe(showCharge(row))}: ${safe(row.formula)}. With it ${safe(showCharged(row, rescored!))}.${row.assumptions.map((text) => ` Assumption: ${safe(text)}`).join("")}</li>`,
  )
  const steps = [...derivation, ...assumptions, ...charges]
  return [
    `<details open id="${safe(claim.id)}"><summary>${prose(claim.title)} <code>${safe(claim.id)}</code></summary>`,
    list([
      [
        claim.mark === "stated" ? "published" : "value",
        `${safe(withUnit(claim.printed, String(claim.contract.unit)))} ${mark(claim.mark)}`,
      ],
      [
        "re-scored",
        rescored === null
          ? "no definition fits"
          : `${safe(showRescored(rescored))}. ${safe(rescored.reason)}`,
      ],
      ["model", prose(claim.model)],
      ["source", `${safe(claim.source)}<br>${link(claim.url)}`],
      ["hardware", prose(claim.hardware)],
      ...claim.notes.map((note): readonly [string, string] => ["note", safe(note)]),
      ["contract", `<code>${safe(claim.contractId)}</code>`],
      ["again", claim.commands.map((command) => `<code>${safe(command)}</code>`).join("<br>")],
    ]),
    steps.length === 0 ? "" : `<ul class="small">${steps.join("")}</ul>`,
    comparison === null
      ? ""
      : `<p>Against the definition <code>${safe(claim.definition ?? "")}</code>: <strong class="${comparison.verdict}">${safe(VERDICT_WORDS[comparison.verdict])}</strong></p>` +
        table(
          ["axis", "relation", "reason"],
          comparison.axes.map(({ axis, relation, reason, conversion }) => [
            safe(axis),
            safe(relation),
            safe(conversion === undefined ? reason : `${reason}; ${conversion}`),
          ]),
        ),
    `<details><summary class="small">contract, field by field</summary>${list(
      contractRows(claim.contract).map(([name, value]) => [name, safe(value)]),
    )}</details>`,
    "</details>",
  ].join("\n")
}

const runSection = ({ run }: Audit): string =>
  run === null
    ? ""
    : [
        `<h2>Run <code>${safe(run.id)}</code></h2>`,
        `<p>Profile ${safe(run.profile)}${run.fingerprint === null ? "" : `, fingerprint <code>${safe(run.fingerprint)}</code>`}.</p>`,
        run.verdict.length === 0
          ? ""
          : `<ul>${run.verdict.map((sentence) => `<li>${safe(sentence)}</li>`).join("")}</ul>`,
        table(
          ["measured", "value", "kind", "interval"],
          run.values.map(({ label, value, unit, boundKind, low, high }) => [
            safe(label),
            value === null ? "n/a" : `${value.toFixed(4)} ${safe(unit)}`,
            safe(boundKind),
            low === null || high === null ? "" : `${low.toFixed(4)} to ${high.toFixed(4)}`,
          ]),
          [1],
        ),
      ].join("\n")

/** What the values under the definition leave out, a row for each amount. */
const chargeSection = (claims: readonly ClaimAudit[]): string =>
  claims.every(({ charged }) => charged.length === 0)
    ? ""
    : [
        "<h2>Not in the values</h2>",
        `<p>${safe(CHARGE_WORDS)}</p>`,
        table(
          ["claim", "what", "amount", "value with it", "mark"],
          claims.flatMap((claim) =>
            claim.charged.map((row) => [
              `<code>${safe(claim.id)}</code>`,
              safe(row.name),
              safe(showCharge(row)),
              safe(showCharged(row, claim.rescored!)),
              safe(row.mark),
            ]),
          ),
        ),
      ].join("\n")

const pairSection = ({ pairs }: Audit): string =>
  pairs.length === 0
    ? ""
    : [
        "<h2>Which may stand beside which</h2>",
        table(
          ["claim", "beside", "verdict", "decided by"],
          pairs.map((pair) => [
            `<code>${safe(pair.first)}</code>`,
            `<code>${safe(pair.second)}</code>`,
            `<span class="${pair.verdict}">${safe(pair.verdict)}</span>`,
            safe(decidingAxes(pair).join(", ")),
          ]),
        ),
      ].join("\n")

export const packetHtml = (audit: Audit): string => {
  const { subject, claims, findings, warnings, totals } = audit
  const plots = claimPlots(claims, audit.beside).map(
    ({ unit, svg }) =>
      `<figure>${svg}<figcaption>In ${safe(unit)}. Cross: as published. Bar with arrow: a bound, the arrow points to where the truth may lie. Filled circle: exact. Open circle: estimate. Band: interval of the re-scored value.</figcaption></figure>`,
  )
  const commands = new Set([
    `repro audit ${subject.file} --json`,
    ...claims.flatMap((claim) => claim.commands),
    ...findings.flatMap(({ command }) => command ?? []),
  ])
  return [
    "<!doctype html>",
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>Audit: ${safe(subject.title)}</title>`,
    `<style>${STYLE}</style></head><body><main>`,
    `<h1>Audit: ${safe(subject.title)}</h1>`,
    `<p class="soft">Spec <code>${safe(subject.id)}</code> (<code>${safe(subject.file)}</code>)${subject.fingerprint === null ? "" : `, fingerprint <code>${safe(subject.fingerprint)}</code>`}. Arithmetic on published numbers, with sources; it judges numbers, not people.</p>`,
    `<p class="small soft">${Object.entries(MARK_WORDS)
      .map(([word, words]) => `${mark(word)} ${safe(words)}`)
      .join(" ")}</p>`,
    "<h2>Claims</h2>",
    `<div class="cards">${claims.map(card).join("\n")}</div>`,
    ...plots,
    chargeSection([...claims, ...audit.beside]),
    pairSection(audit),
    "<h2>Findings</h2>",
    '<ol class="findings">',
    ...findings.map((finding) =>
      [
        `<li id="${safe(finding.id)}"><h3>${prose(finding.title)} ${mark(finding.mark)}</h3>`,
        `<p>${prose(finding.text)}</p>`,
        finding.formula === undefined ? "" : `<p class="small"><code>${safe(finding.formula)}</code></p>`,
        ...finding.assumptions.map((text) => `<p class="small soft">Assumption: ${prose(text)}</p>`),
        `<p class="small soft">Source: ${safe(finding.source)}${finding.command === undefined ? "" : `. Again: <code>${safe(finding.command)}</code>`}</p></li>`,
      ].join("\n"),
    ),
    "</ol>",
    "<h2>Warnings</h2>",
    warnings.length === 0
      ? "<p>None.</p>"
      : `<ul>${warnings
          .map(
            ({ rule, claims: ids, text }) =>
              `<li><strong>${safe(rule)}</strong>: ${prose(text)} <span class="soft small">${ids.length === 0 ? "the spec" : ids.map(safe).join(", ")}</span></li>`,
          )
          .join("")}</ul>`,
    "<h2>Totals</h2>",
    table(
      ["slice", "tokens", "bytes", "bytes per token", "source"],
      totals.map((slice) => [
        safe(slice.name),
        whole(slice.tokens),
        whole(slice.bytes),
        slice.bytesPerToken.toFixed(7),
        safe(slice.source),
      ]),
      [1, 2, 3],
    ),
    runSection(audit),
    "<h2>Claim by claim</h2>",
    ...claims.map(claimSection),
    "<h2>Again</h2>",
    `<pre>${[...commands].map(safe).join("\n")}</pre>`,
    "</main></body></html>",
    "",
  ]
    .filter((part) => part !== "")
    .join("\n")
    .concat("\n")
}
