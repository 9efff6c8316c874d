/** Published claims in a results table: as printed, and under the exact byte table where arithmetic leads there. */
import { contractDigest } from "../metric/contract/digest.js"
import { NOT_STATED, type Contract } from "../metric/contract/contract.js"
import { threadWords } from "../audit/findings-common.js"
import { rescoreClaim, type RatioSample } from "../audit/rescore-claim.js"
import type { ResolvedClaim } from "../spec/claim.js"
import type { BoundKind, TableDenominator, TableRow } from "./table.js"

/** Decimals of the printed number. */
const printedDecimals = (printed: string): number => /\.(\d+)/.exec(printed)?.[1]?.length ?? 0

const stated = <A>(value: A | typeof NOT_STATED): A | null => (value === NOT_STATED ? null : value)

const boundOf = ({ bound }: Contract): BoundKind => stated(bound) ?? "unknown"

const tokensOf = ({ denominator }: Contract): number | null =>
  denominator === NOT_STATED || !("tokens" in denominator) ? null : stated(denominator.tokens)

const denominatorOf = ({ denominator }: Contract): TableDenominator | null => {
  if (denominator === NOT_STATED) return null
  switch (denominator.kind) {
    case "byte-table":
    case "utf8":
      return { kind: denominator.kind, total: stated(denominator.bytes), unit: "bytes" }
    case "constant": {
      const [bytes, tokens] = [stated(denominator.bytesPerToken), stated(denominator.tokens)]
      return {
        kind: "constant",
        total: bytes === null || tokens === null ? null : bytes * tokens,
        unit: "bytes",
      }
    }
    case "tokens":
      return { kind: "tokens", total: stated(denominator.tokens), unit: "tokens" }
    case "items":
      return { kind: "items", total: stated(denominator.items), unit: "items" }
    case "samples":
      return { kind: "samples", total: stated(denominator.samples), unit: "samples" }
    case "none":
      return null
  }
}

const estimatorOf = ({ estimator }: Contract): string | null => {
  if (estimator === NOT_STATED) return null
  const settings = Object.entries(estimator)
    .filter(([key, value]) => key !== "kind" && value !== NOT_STATED)
    .map(([key, value]) => `${key} ${String(value)}`)
  return [estimator.kind, ...settings].join(", ")
}

/** A claim's number in bits per byte under the exact byte table. */
export interface ExactReading {
  readonly value: number
  /** What the printed digits, and the slice's bytes per token where they are sampled, leave open. */
  readonly low: number
  readonly high: number
  readonly contract: Contract
  /** The claim already divides by an exact byte count. */
  readonly unchanged: boolean
  /** The arithmetic in words, with the assumptions it rests on. */
  readonly derivation: string
}

/** How much the bytes per token of a claim's slice may differ from the split's; undefined when nothing says. */
export type RatioSampleOf = (claim: string) => RatioSample | undefined

/** The claim under the exact byte table; undefined where no arithmetic leads there from what the source states. */
export const exactReading = (claim: ResolvedClaim, sample?: RatioSample): ExactReading | undefined => {
  const rescored = rescoreClaim(claim, sample)
  if (rescored?.definition !== "bpb" || rescored.number === undefined) return undefined
  const { number, status, derivation, assumptions } = rescored
  const { contract } = claim
  const unchanged = status === "unchanged"
  const steps = derivation.map(({ formula, result, unit }) => `${formula} = ${result.toPrecision(6)} ${unit}`)
  const tokens = tokensOf(contract) ?? NOT_STATED
  return {
    value: number.value,
    low: number.interval.lo,
    high: number.interval.hi,
    contract: unchanged
      ? contract
      : {
          ...contract,
          unit: "bits/byte",
          denominator: {
            kind: "byte-table",
            tokens,
            bytes: NOT_STATED,
            source: "exact bytes per token of the slice",
          },
        },
    unchanged,
    derivation: unchanged
      ? rescored.reason
      : `Derived: ${steps.join("; ")}.${assumptions.map(({ text, mark }) => ` ${text} (${mark})`).join("")}`,
  }
}

/** Words for where a claim stands. */
export const citation = ({ source, place, mark }: ResolvedClaim): string => {
  const where = [
    place.document ?? source.title,
    place.thread === undefined ? undefined : threadWords(place.thread),
    place.part,
    place.file,
    place.line === undefined ? undefined : `line ${place.line}`,
    place.table === undefined ? undefined : `table ${place.table}`,
    place.row,
    place.column,
    place.figure,
  ].filter((part) => part !== undefined)
  return `${mark}: ${where.join(", ")}`
}

/** One or two rows a claim, and their contracts by digest. */
export const claimRows = (
  claims: readonly ResolvedClaim[],
  sampleOf: RatioSampleOf = () => undefined,
): { readonly rows: readonly TableRow[]; readonly contracts: Readonly<Record<string, unknown>> } => {
  const contracts: Record<string, unknown> = {}
  const rows = claims.flatMap((claim): readonly TableRow[] => {
    const { contract } = claim
    const constant = contract.denominator !== NOT_STATED && contract.denominator.kind === "constant"
    const digest = contractDigest(contract)
    contracts[digest] = contract
    const base = {
      group: "claim" as const,
      quantity: stated(contract.quantity) ?? "not stated",
      boundKind: boundOf(contract),
      estimator: estimatorOf(contract),
      tokens: tokensOf(contract),
      bytes: null,
      mark: null,
    }
    const printed: TableRow = {
      ...base,
      id: `claim/${claim.id}`,
      label: constant ? `${claim.title}, as published` : claim.title,
      contractId: digest,
      unit: `${stated(contract.unit) ?? "not stated"}${constant ? ", as published" : ""}`,
      value: claim.value,
      interval: null,
      denominator: denominatorOf(contract),
      notes: [`Claim ${claim.id}, ${citation(claim)}.`, ...(claim.notes ?? [])],
      decimals: Math.min(6, printedDecimals(claim.printed)),
    }
    const exact = exactReading(claim, sampleOf(claim.id))
    if (exact === undefined || exact.unchanged) return [printed]
    const exactDigest = contractDigest(exact.contract)
    contracts[exactDigest] = exact.contract
    return [
      printed,
      {
        ...base,
        id: `claim/${claim.id}/exact`,
        label: `${claim.title}, exact byte table`,
        contractId: exactDigest,
        unit: "bits/byte",
        value: exact.value,
        interval: null,
        decimals: 4,
        denominator: { kind: "byte-table", total: null, unit: "bytes" },
        notes: [exact.derivation],
      },
    ]
  })
  return { rows, contracts }
}
