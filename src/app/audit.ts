import { mkdir, stat } from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import { writeFileAtomic } from "../files/atomic.js"
import { handedPath } from "../files/handed-path.js"
import { audit as auditOf, type Audit, type AuditedRun, type ClaimAudit } from "../audit/packet.js"
import { packetHtml } from "../report/packet/html.js"
import { packetMarkdown } from "../report/packet/markdown.js"
import { pairsGrid } from "../audit/pairs.js"
import { showCharge, showCharged, showRescored, withUnit } from "../report/packet/words.js"
import { claimsOf } from "../spec/claim-ledger.js"
import { loadSpec } from "../spec/spec-file.js"
import { locateSpec, shortPath } from "./locate.js"
import { UsageError, type Outcome } from "./outcome.js"
import { columns } from "./text.js"
import { openLedger } from "./ledger.js"

export interface AuditOptions {
  readonly spec: string
  /** Print Markdown instead of the summary. */
  readonly md?: boolean | undefined
  /** Folder for audit.html, audit.md and audit.json. */
  readonly html?: string | undefined
  /** Run to set beside the claims. */
  readonly run?: string | undefined
  readonly runs?: string | undefined
  /** Folder of claims files; the program's own when absent. */
  readonly claims?: string | undefined
}

interface RunMaterial {
  readonly run: AuditedRun
  /** Files about the run in the forms that other tools read. */
  readonly exports: () => Promise<readonly (readonly [name: string, content: string])[]>
}

/** The run's table rows, without the claims it repeats. */
const auditedRun = async (root: string, name: string): Promise<RunMaterial> => {
  const { findRun, requireResults } = await import("./run-results.js")
  const run = await findRun(root, name)
  const table = await requireResults(run)
  const { header, rows } = table
  const audited: AuditedRun = {
    id: run.manifest.id,
    profile: header.profile,
    fingerprint: header.fingerprint,
    verdict: header.verdict,
    values: rows
      .filter((row) => row.group !== "claim")
      .map((row) => ({
        id: row.id,
        label: row.label,
        contractId: row.contractId,
        unit: row.unit,
        value: row.value,
        boundKind: row.boundKind,
        low: row.interval?.low ?? null,
        high: row.interval?.high ?? null,
        notes: row.notes,
      })),
  }
  return {
    run: audited,
    exports: async () => {
      const { runExports } = await import("./run-exports.js")
      return runExports(run, table)
    },
  }
}

/** A claim's row, then one for each amount that its value leaves out. */
const claimRows = (claim: ClaimAudit): readonly (readonly string[])[] => {
  const free = claim.charged.some(({ id }) => id === "boundary-entropy")
  return [
    [
      claim.id,
      `${withUnit(claim.printed, String(claim.contract.unit))}${claim.mark === "stated" ? "" : " *"}`,
      claim.comparison?.verdict ?? "no definition",
      claim.rescored === null
        ? "no definition"
        : `${showRescored(claim.rescored)}${free ? ", without the boundary charge" : ""}`,
    ],
    ...claim.charged.map((row) => [
      `  with ${row.id}`,
      showCharge(row),
      row.mark,
      showCharged(row, claim.rescored!),
    ]),
  ]
}

const summary = ({ subject, claims, beside, pairs, findings, warnings }: Audit): string => {
  const grid = pairsGrid(pairs, claims, beside)
  return [
    `${subject.title} (${subject.id})`,
    "",
    claims.length === 0
      ? "The spec names no claims."
      : columns([["CLAIM", "PUBLISHED", "VERDICT", "UNDER THE DEFINITION"], ...claims.flatMap(claimRows)]),
    ...claims.flatMap(({ id, mark, provenance }) => (mark === "stated" ? [] : [`* ${id}: ${provenance}`])),
    ...(grid === undefined ? [] : ["", "Which may stand beside which", ...grid]),
    "",
    "Findings",
    ...findings.map(
      (finding, index) => `${index + 1}. ${finding.title} [${finding.mark}]\n   ${finding.text}`,
    ),
    "",
    "Warnings",
    ...(warnings.length === 0
      ? ["none"]
      : warnings.map(
          ({ rule, claims: ids, text }) =>
            `- ${rule} (${ids.length === 0 ? "the spec" : ids.join(", ")}): ${text}`,
        )),
  ].join("\n")
}

/**
 * Makes a folder one level at a time: Node's own recursive mkdir does not end where the file system denies that there
 * is a parent, as /proc does.
 *
 * @throws UsageError naming the folder that cannot be made
 */
const makeFolder = async (folder: string): Promise<void> => {
  const path = resolve(folder)
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory() === true) return
  if (found !== undefined)
    throw new UsageError(`${folder} is not a folder, so no packet can be written there. Give another --html.`)
  if (dirname(path) !== path) await makeFolder(dirname(path))
  await mkdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EEXIST") return
    throw new UsageError(
      `${path}: the folder for the packet cannot be made (${error.code ?? error.message}). Give another --html, in a folder that may be written.`,
    )
  })
}

/** Audits the published numbers a spec names. Reads the spec, the ledger and at most one run; no network. */
export const audit = async (options: AuditOptions): Promise<Outcome> => {
  const file = await locateSpec(options.spec)
  const [spec, ledger] = await Promise.all([loadSpec(file, "paper"), openLedger(options.claims)])
  const { experiment, fingerprint } = spec
  const material =
    options.run === undefined ? undefined : await auditedRun(options.runs ?? "runs", options.run)
  const result = auditOf(
    {
      id: experiment.id,
      title: experiment.title,
      file: handedPath(file),
      fingerprint,
      experiment: { ...experiment, sweep: spec.sweep },
      source: experiment.source ?? { url: "" },
      run: material?.run,
    },
    claimsOf(ledger, experiment.claims, file),
    ledger,
  )
  const markdown = packetMarkdown(result)
  const notes: string[] = [...(ledger.remarks ?? [])]
  if (options.html !== undefined) {
    const folder = options.html
    await makeFolder(folder)
    const files = [
      ["audit.html", packetHtml(result)],
      ["audit.md", markdown],
      ["audit.json", `${JSON.stringify(result, null, 2)}\n`],
      ...((await material?.exports()) ?? []),
    ] as const
    for (const [name, content] of files) await writeFileAtomic(join(folder, name), content)
    notes.push(`Written: ${files.map(([name]) => shortPath(join(folder, name))).join(", ")}`)
  }
  const md = options.md === true
  return { text: md ? markdown.trimEnd() : summary(result), verbatim: md, json: result, notes }
}
