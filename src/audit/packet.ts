/**
 * The audit of published numbers: for every claim its contract, verdict, re-scored value, and what follows from them.
 *
 * A pure function of a spec and the ledger. The reviewer packet and `repro audit --json` are renderings of it.
 */
import { compareContracts, type Comparison } from "../metric/contract/compare.js"
import { chargeRows, type ChargeRow } from "./boundary-charge.js"
import { contractDigest } from "../metric/contract/digest.js"
import { DEFINITIONS, definitionFor, type DefinitionId } from "../metric/contract/registry.js"
import type { Contract } from "../metric/contract/contract.js"
import { findingsOn, type AuditedClaim, type Finding } from "./findings.js"
import { sourceLine } from "./findings-common.js"
import { KNOWN_SLICES, type KnownSlice } from "./known-slices.js"
import { lint, type LintedExperiment, type Warning } from "./lint.js"
import { rescoreClaim, type RatioSample, type Rescored } from "./rescore-claim.js"
import type { Ledger } from "../spec/claim-ledger.js"
import type { ResolvedClaim } from "../spec/claim.js"
import { provenance } from "./provenance.js"
import { claimPairs, type ClaimPair } from "./pairs.js"

export interface ClaimAudit {
  readonly id: string
  readonly title: string
  readonly model: string
  readonly printed: string
  readonly value: number
  readonly mark: ResolvedClaim["mark"]
  readonly source: string
  readonly url: string
  readonly hardware: string
  readonly notes: readonly string[]
  /** Whether the number is the source's own print, in words. */
  readonly provenance: string
  readonly contractId: string
  readonly contract: Contract
  /** The definition it is compared against; null where none fits the quantity. */
  readonly definition: DefinitionId | null
  readonly comparison: Comparison | null
  readonly rescored: Rescored | null
  /** What is not in the re-scored value, and the value with each of them. */
  readonly charged: readonly ChargeRow[]
  readonly commands: readonly string[]
}

/** A value that a run of the experiment measured, beside the claims. */
export interface RunValue {
  readonly id: string
  readonly label: string
  readonly contractId: string | null
  readonly unit: string
  readonly value: number | null
  readonly boundKind: string
  readonly low: number | null
  readonly high: number | null
  readonly notes: readonly string[]
}

export interface AuditedRun {
  readonly id: string
  readonly profile: string
  readonly fingerprint: string | null
  readonly verdict: readonly string[]
  readonly values: readonly RunValue[]
}

export interface Audit {
  readonly format: "repro-audit"
  readonly version: 1
  readonly subject: {
    readonly id: string
    readonly title: string
    readonly file: string
    readonly fingerprint: string | null
  }
  readonly claims: readonly ClaimAudit[]
  /** Claims that a published table or comparison sets beside them. */
  readonly beside: readonly ClaimAudit[]
  /** Which may stand beside which: every pair of which at least one is audited. */
  readonly pairs: readonly ClaimPair[]
  readonly findings: readonly Finding[]
  readonly warnings: readonly Warning[]
  /** Token and byte totals the re-scoring rests on. */
  readonly totals: readonly (KnownSlice & { readonly bytesPerToken: number })[]
  readonly definitions: Readonly<Record<string, { readonly contractId: string; readonly contract: Contract }>>
  readonly run: AuditedRun | null
}

/** The sample of windows that says how far a slice's bytes per token may lie from the split's. */
export const ratioSampleFor = (ledger: Ledger, id: string): RatioSample | undefined => {
  for (const fact of ledger.facts) if (fact.kind === "ratio-sample" && fact.claims.includes(id)) return fact
  return undefined
}

export const auditClaim = (claim: ResolvedClaim, ledger: Ledger): AuditedClaim & ResolvedClaim => {
  const definition = definitionFor(claim.contract)
  return {
    ...claim,
    comparison:
      definition === undefined
        ? undefined
        : compareContracts(claim.contract, DEFINITIONS[definition], { definition: true }),
    rescored: rescoreClaim(claim, ratioSampleFor(ledger, claim.id)),
  }
}

const claimAudit = (claim: AuditedClaim & ResolvedClaim): ClaimAudit => ({
  id: claim.id,
  title: claim.title,
  model: claim.model,
  printed: claim.printed,
  value: claim.value,
  mark: claim.mark,
  source: sourceLine(claim.place, claim.source),
  url: claim.place.thread?.url ?? claim.source.url,
  hardware: claim.hardware,
  notes: claim.notes ?? [],
  provenance: provenance(claim),
  contractId: contractDigest(claim.contract),
  contract: claim.contract,
  definition: definitionFor(claim.contract) ?? null,
  comparison: claim.comparison ?? null,
  rescored: claim.rescored ?? null,
  charged: chargeRows(claim.contract, claim.rescored),
  commands: [
    `repro rescore ${claim.id}`,
    `repro compare ${claim.id} ${definitionFor(claim.contract) ?? "bpb"}`,
  ],
})

export interface AuditSubject {
  readonly id: string
  readonly title: string
  readonly file: string
  readonly fingerprint?: string | undefined
  readonly experiment?: LintedExperiment | undefined
  /** What the spec reproduces; facts on other numbers of a source bear on its own experiment alone. */
  readonly source?: { readonly url: string } | undefined
  readonly run?: AuditedRun | undefined
}

/** Whether the spec is the experiment of the claims' own source, trained as the source trained. */
const reproduces = (
  { source, experiment }: AuditSubject,
  claims: readonly ResolvedClaim[],
  ledger: Ledger,
): ((file: string) => boolean) => {
  if (source === undefined) return () => true
  const weight = experiment?.objective?.weight
  return (file) => {
    if (!claims.some((claim) => claim.file === file && claim.source.url === source.url)) return false
    const trained = ledger.facts.filter((fact) => fact.file === file && fact.kind === "training-objective")
    return trained.length === 0 || trained.some((fact) => "weight" in fact && fact.weight === weight)
  }
}

export const audit = (subject: AuditSubject, claims: readonly ResolvedClaim[], ledger: Ledger): Audit => {
  const known = new Map([...ledger.claims].map(([id, claim]) => [id, auditClaim(claim, ledger)]))
  const audited = claims.map((claim) => known.get(claim.id) ?? auditClaim(claim, ledger))
  const ids = new Set(audited.map((claim) => claim.id))
  // What a source shows about one of its numbers bears on the others.
  const files = new Set(audited.map((claim) => claim.file))
  const own = reproduces(subject, audited, ledger)
  const facts = ledger.facts.filter(
    (fact) => fact.claims.some((id) => ids.has(id)) || (files.has(fact.file) && own(fact.file)),
  )
  const neighbours = new Set(
    facts
      .filter(({ kind, claims: members }) => kind === "table" && members.some((id) => ids.has(id)))
      .flatMap((fact) => fact.claims),
  )
  const used = new Set(audited.map((claim) => definitionFor(claim.contract)).filter((id) => id !== undefined))
  const judged = audited.map(claimAudit)
  const beside = [...neighbours].flatMap((id) => (ids.has(id) ? [] : (known.get(id) ?? []))).map(claimAudit)
  return {
    format: "repro-audit",
    version: 1,
    subject: {
      id: subject.id,
      title: subject.title,
      file: subject.file,
      fingerprint: subject.fingerprint ?? null,
    },
    claims: judged,
    beside,
    pairs: claimPairs(judged, beside),
    findings: findingsOn(audited, facts, known),
    warnings: lint(audited, ledger.facts, subject.experiment, known),
    totals: KNOWN_SLICES.map((slice) => ({ ...slice, bytesPerToken: slice.bytes / slice.tokens })),
    definitions: Object.fromEntries(
      [...used]
        .sort()
        .map((id) => [id, { contractId: contractDigest(DEFINITIONS[id]), contract: DEFINITIONS[id] }]),
    ),
    run: subject.run ?? null,
  }
}
