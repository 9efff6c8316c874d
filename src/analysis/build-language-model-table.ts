/**
 * The results table of a language model, from what its evaluations measured.
 *
 * Every row is arithmetic on sums over the scored windows: bits/token = bits / tokens, nats/token = bits ln 2 / tokens,
 * BPB = bits / bytes with bytes from the exact byte table, and, beside it and never instead of it, the published
 * definition bits / (constant x tokens).
 */
import { comparabilitySentence, type ExperimentDifference } from "./differences.js"
import { evaluationRows, type RowOptions } from "./evaluation-rows.js"
import type { ItemSummary } from "../evaluators/summary.js"
import { itemRows } from "./item-rows.js"
import { isPrefix } from "./ladder.js"
import { firstFloors, floorsOf, type EvaluationSummary, type FloorSummary } from "./language-model.js"
import { makeTable, type ResultsTable, type TableHeader, type TableRow } from "./table.js"

export interface LanguageModelTableInput extends RowOptions {
  readonly header: Omit<TableHeader, "verdict">
  readonly differences: readonly ExperimentDifference[]
  /** Id of the published experiment, where this one is a variation of it. */
  readonly varied?: string
  /** Files whose content the spec does not fix. */
  readonly unstated?: readonly string[]
  /** Sentences about the data, such as that validation text is in the training split. */
  readonly dataNotices?: readonly string[]
  readonly evaluations: readonly EvaluationSummary[]
  /** Figures over samples or items of a task. */
  readonly items?: readonly ItemSummary[]
  readonly floors: readonly FloorSummary[]
  /** Sentences about the weights that were scored. */
  readonly weights?: readonly string[]
  /** Rows of published claims. */
  readonly claims?: readonly TableRow[]
  /** Contracts of the claims' rows. */
  readonly contracts?: Readonly<Record<string, unknown>>
}

const QUANTITY = "negative-log-likelihood"

/**
 * The rows of one floor.
 *
 * @param tokens of the text it is of, where the floor itself does not say
 */
export const floorRows = (
  { id, label, bitsPerToken, bitsPerByte, notes = [], targets, maskable }: FloorSummary,
  tokensThere: number | null,
  bytesThere: number | null,
): readonly TableRow[] => {
  const [tokens, bytes] = targets === undefined ? [tokensThere, bytesThere] : [targets.tokens, targets.bytes]
  const free =
    maskable === undefined || tokens === null || maskable.tokens === tokens
      ? []
      : [
          `Every token is charged; over the ${maskable.tokens} that are no boundary tokens it takes ${maskable.bitsPerToken.toFixed(4)} bits each.`,
        ]
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
    notes: free,
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

/** What the label compares: an evaluation's bits per token and the unigram's, on the very same tokens. */
const unigramLevels = (
  summary: Sums & Partial<Pick<EvaluationSummary, "evaluationId" | "maskableTokens" | "boundaryTokens">>,
  floors: readonly FloorSummary[],
  reference: Sums | undefined,
): readonly [level: number, unigram: number] | undefined => {
  const own = floorsOf(floors, summary.evaluationId)?.find(({ id }) => id === "unigram")
  if (own !== undefined && own.bitsPerToken !== null) {
    const { maskable } = own
    return maskable !== undefined && summary.maskableTokens !== undefined
      ? [summary.bits / summary.maskableTokens, maskable.bitsPerToken]
      : [summary.bits / summary.tokens, own.bitsPerToken]
  }
  const unigram = floors.find(({ id }) => id === "unigram")?.bitsPerToken
  return unigram === undefined || unigram === null
    ? undefined
    : [levelOf(summary, reference ?? summary), unigram]
}

/**
 * Worse than the unigram floor, in bits/token on the same tokens. Floors of a run that measured them once for all its
 * evaluations are those of its first one, to which the others are carried over.
 */
export const isUntrained = (
  summary: Parameters<typeof unigramLevels>[0],
  floors: readonly FloorSummary[],
  reference: Sums | undefined = summary,
): boolean => {
  const levels = unigramLevels(summary, floors, reference)
  return levels !== undefined && levels[0] > levels[1]
}

const range = (values: readonly number[]): string =>
  `${Math.min(...values).toFixed(3)} to ${Math.max(...values).toFixed(3)}`

/** One sentence about every evaluation that is worse than the unigram floor. */
const untrainedSentence = (
  untrained: readonly EvaluationSummary[],
  floors: readonly FloorSummary[],
  reference: EvaluationSummary | undefined,
): readonly string[] => {
  if (untrained.length === 0) return []
  const levels = untrained.map((summary) => unigramLevels(summary, floors, reference)!)
  const names = untrained.map(({ evaluationId }) => evaluationId).join(", ")
  const floor = new Set(levels.map(([, unigram]) => unigram.toFixed(3)))
  const worse = `worse than the unigram floor's ${floor.size === 1 ? [...floor][0]! : range(levels.map(([, unigram]) => unigram))}`
  return untrained.length === 1
    ? [`Untrained: evaluation ${names} gives ${levels[0]![0].toFixed(3)} bits/token, ${worse}.`]
    : [`Untrained: evaluations ${names} give ${range(levels.map(([level]) => level))} bits/token, ${worse}.`]
}

/** Rows of every set of floors; those after the first name the evaluations that scored their targets. */
export const allFloorRows = (
  floors: readonly FloorSummary[],
  first: Pick<EvaluationSummary, "tokens" | "bytes"> | undefined,
): readonly TableRow[] => {
  const own = firstFloors(floors)
  return floors.flatMap((floor) => {
    const rows = floorRows(floor, first?.tokens ?? null, first?.bytes ?? null)
    const { evaluations = [], tokens = 0 } = floor.targets ?? {}
    return own.includes(floor)
      ? rows
      : rows.map((row) => ({
          ...row,
          id: `${row.id}/${evaluations[0] ?? ""}`,
          label: `${row.label}, on the ${tokens} targets of ${evaluations.join(", ")}`,
        }))
  })
}

/** @throws TableError when a floor is missing or another law of reporting is broken. */
export const buildLanguageModelTable = (input: LanguageModelTableInput): ResultsTable => {
  const contracts: Record<string, unknown> = { ...input.contracts }
  const [first] = input.evaluations
  const untrained = input.evaluations.filter((summary) => isUntrained(summary, input.floors, first))
  const verdict = [
    comparabilitySentence(input.header.profile, input.differences, input.unstated, input.varied),
    ...(input.weights ?? []),
    ...untrainedSentence(untrained, input.floors, first),
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
      ...(input.items ?? []).flatMap((summary) => itemRows(summary, contracts)),
      ...(input.claims ?? []),
      ...allFloorRows(input.floors, first),
    ],
    contracts,
  )
}
