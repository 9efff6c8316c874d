/**
 * The results table of a language model, from what its evaluations measured.
 *
 * Every row is arithmetic on sums over the scored windows: bits/token = bits / tokens, nats/token = bits ln 2 / tokens,
 * BPB = bits / bytes with bytes from the exact byte table, and, beside it and never instead of it, the published
 * definition bits / (constant x tokens).
 */
import { comparabilitySentence, type ExperimentDifference } from "./differences.js"
import { evaluationRows, type RowOptions } from "./evaluation-rows.js"
import { isPrefix } from "./ladder.js"
import type { EvaluationSummary, FloorSummary } from "./language-model.js"
import { makeTable, type ResultsTable, type TableHeader, type TableRow } from "./table.js"

export interface LanguageModelTableInput extends RowOptions {
  readonly header: Omit<TableHeader, "verdict">
  readonly differences: readonly ExperimentDifference[]
  /** Files whose content the spec does not fix. */
  readonly unstated?: readonly string[]
  /** Sentences about the data, such as that validation text is in the training split. */
  readonly dataNotices?: readonly string[]
  readonly evaluations: readonly EvaluationSummary[]
  readonly floors: readonly FloorSummary[]
  /** Rows of published claims. */
  readonly claims?: readonly TableRow[]
  /** Contracts of the claims' rows. */
  readonly contracts?: Readonly<Record<string, unknown>>
}

const QUANTITY = "negative-log-likelihood"

export const floorRows = (
  { id, label, bitsPerToken, bitsPerByte, notes = [] }: FloorSummary,
  tokens: number | null,
  bytes: number | null,
): readonly TableRow[] => {
  const row = {
    group: "floor" as const,
    contractId: null,
    quantity: QUANTITY,
    boundKind: "exact" as const,
    interval: null,
    estimator: label,
    tokens,
    bytes,
    mark: null,
  }
  const perByte: TableRow = {
    ...row,
    id: `floor/${id}/bits-per-byte`,
    label: `${label}: BPB`,
    unit: "bits/byte",
    value: bitsPerByte,
    denominator: { kind: "byte-table", total: bytes, unit: "bytes" },
    notes: bitsPerByte === null && notes.length === 0 ? ["Not computed."] : notes,
  }
  const perToken: TableRow = {
    ...row,
    id: `floor/${id}/bits-per-token`,
    label: `${label}: bits/token`,
    unit: "bits/token",
    value: bitsPerToken,
    denominator: { kind: "tokens", total: tokens, unit: "tokens" },
    notes: [],
  }
  return bitsPerToken === null ? [perByte] : [perByte, perToken]
}

type Sums = Pick<EvaluationSummary, "bits" | "tokens" | "perWindow">

/**
 * Bits/token on the windows of `reference`, the first evaluation, which are those of the floors. An evaluation of the
 * first of them alone, which may be easier or harder text, is carried over by its ratio to the reference there.
 */
const levelOf = (summary: Sums, reference: Sums): number => {
  const windows = summary.perWindow.length
  if (windows >= reference.perWindow.length || !isPrefix(summary, reference))
    return summary.bits / summary.tokens
  const there = reference.perWindow.slice(0, windows).reduce((sum, { bits }) => sum + bits, 0)
  return ((summary.bits / there) * reference.bits) / reference.tokens
}

/** Worse than the unigram floor, in bits/token on the same tokens. */
export const isUntrained = (
  summary: Sums,
  floors: readonly FloorSummary[],
  reference: Sums | undefined = summary,
): boolean => {
  const unigram = floors.find(({ id }) => id === "unigram")?.bitsPerToken
  return unigram !== undefined && unigram !== null && levelOf(summary, reference) > unigram
}

/** One sentence about every evaluation that is worse than the unigram floor. */
const untrainedSentence = (
  untrained: readonly EvaluationSummary[],
  unigram: number,
  reference: EvaluationSummary | undefined,
): readonly string[] => {
  if (untrained.length === 0) return []
  const levels = untrained.map((summary) => levelOf(summary, reference ?? summary)).sort((a, b) => a - b)
  const [least, most] = [levels[0]!, levels.at(-1)!]
  const names = untrained.map(({ evaluationId }) => evaluationId).join(", ")
  const worse = `worse than the unigram floor's ${unigram.toFixed(3)}`
  return untrained.length === 1
    ? [`Untrained: evaluation ${names} gives ${least.toFixed(3)} bits/token, ${worse}.`]
    : [`Untrained: evaluations ${names} give ${least.toFixed(3)} to ${most.toFixed(3)} bits/token, ${worse}.`]
}

/** @throws TableError when a floor is missing or another law of reporting is broken. */
export const buildLanguageModelTable = (input: LanguageModelTableInput): ResultsTable => {
  const contracts: Record<string, unknown> = { ...input.contracts }
  const [first] = input.evaluations
  const untrained = input.evaluations.filter((summary) => isUntrained(summary, input.floors, first))
  const unigram = input.floors.find(({ id }) => id === "unigram")?.bitsPerToken
  const verdict = [
    comparabilitySentence(input.header.profile, input.differences, input.unstated),
    ...untrainedSentence(untrained, unigram ?? Number.NaN, first),
    ...(input.dataNotices ?? []),
  ]
  const rows = input.evaluations.flatMap((summary) =>
    evaluationRows(summary, input, untrained.includes(summary), contracts),
  )
  // What the boundary positions cost is said once for the same windows.
  const boundary = rows.filter(({ id }) => id.endsWith("/boundary"))
  const again = new Set(
    boundary.filter(
      (row, i) => boundary.findIndex(({ bytes, value }) => bytes === row.bytes && value === row.value) < i,
    ),
  )
  return makeTable(
    { ...input.header, verdict },
    [
      ...rows.filter((row) => !again.has(row)),
      ...(input.claims ?? []),
      ...input.floors.flatMap((floor) => floorRows(floor, first?.tokens ?? null, first?.bytes ?? null)),
    ],
    contracts,
  )
}
