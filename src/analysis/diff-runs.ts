/** Two runs beside each other: identical, equal within rounding, or different, and where. */
import type { SafetensorsFile, TensorData } from "../files/safetensors.js"
import { contentChanges, type DataContent } from "../spec/content.js"
import { differencesOf } from "../spec/merge-patch.js"
import { agreementOf, relativeOf, type Agreement, type ValueDiff } from "./agreement.js"
import { diffChosenOrders, diffOwnOrders } from "./diff-orders.js"
import { AMPLIFIED, diffTraining, type Losses, type TrainingDiff } from "./diff-training.js"
import type { ResultsTable } from "./table.js"

/** One side of the comparison. */
export interface RunSide {
  readonly id: string
  readonly fingerprint: string
  /** Digests of its data; absent in runs of earlier versions. */
  readonly data?: DataContent
  readonly experiment: unknown
  readonly precision: string
  /** undefined: the run has no results yet. */
  readonly table: ResultsTable | undefined
  /** What to do about a run without results. */
  readonly advice?: string
  readonly evidence: ReadonlyMap<string, SafetensorsFile>
  /** Training losses by step; absent: none were recorded. */
  readonly losses?: Losses
}

/** Relative difference that rounding alone may cause, by the lower precision of the two runs. */
export const ROUNDING_TOLERANCE: Readonly<Record<string, number>> = {
  fp64: 1e-9,
  fp32: 1e-4,
  bf16: 1e-2,
  "bf16-params": 1e-2,
}

/** Two orders of one window have different code lengths; how far their means may be apart. */
const REORDERED_TOLERANCE = 1e-2

export interface RunsDiff {
  readonly format: "repro-diff-runs"
  readonly version: 1
  readonly a: string
  readonly b: string
  readonly verdict: Agreement | "incomplete"
  readonly sentence: string
  readonly tolerance: number
  /** null: nothing was trained, or nothing recorded. */
  readonly training: TrainingDiff | null
  readonly sameExperiment: boolean
  readonly experimentDifferences: readonly {
    readonly pointer: string
    readonly a?: unknown
    readonly b?: unknown
  }[]
  /** Where the data of the two runs differ, as clauses; null where a run kept no digests of them. */
  readonly dataDifferences: readonly string[] | null
  /** Everything that was compared. */
  readonly values: readonly ValueDiff[]
}

const sum = (data: TensorData): number => {
  let total = 0
  for (const value of data) total += Number(value)
  return total
}

const sameBytes = (a: TensorData, b: TensorData): boolean => {
  if (a.byteLength !== b.byteLength || a.constructor !== b.constructor) return false
  return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(
    Buffer.from(b.buffer, b.byteOffset, b.byteLength),
  )
}

/** Ids and counts must be equal; measured reals may differ by rounding, in their sum and, over all, in L1. */
const diffTensor = (
  where: string,
  a: TensorData | undefined,
  b: TensorData | undefined,
  tolerance: number,
): ValueDiff => {
  if (a === undefined || b === undefined) {
    const [left, right] = [a, b].map((data) => (data === undefined ? null : sum(data)))
    return { where, agreement: "differs", a: left!, b: right!, relative: null, note: "one run lacks it" }
  }
  const [left, right] = [sum(a), sum(b)]
  if (sameBytes(a, b)) return { where, agreement: "identical", a: left, b: right, relative: 0 }
  if (a.length !== b.length) {
    return {
      where,
      agreement: "differs",
      a: left,
      b: right,
      relative: relativeOf(left, right),
      note: `${a.length} against ${b.length} values`,
    }
  }
  const real = a instanceof Float64Array || a instanceof Float32Array
  if (!real) {
    return {
      where,
      agreement: "differs",
      a: left,
      b: right,
      relative: relativeOf(left, right),
      note: "ids or counts differ, which rounding cannot cause",
    }
  }
  let apart = 0
  let size = 0
  for (let i = 0; i < a.length; i++) {
    apart += Math.abs(Number(a[i]) - Number(b[i]))
    size += Math.max(Math.abs(Number(a[i])), Math.abs(Number(b[i])))
  }
  // The sum alone would let errors of opposite sign cancel.
  const relative = size === 0 ? 0 : apart / size
  return { where, agreement: agreementOf(relative, false, tolerance), a: left, b: right, relative }
}

/** @param reordered evaluations whose orders part at ties: their code lengths are those of two orders */
const diffTables = (
  a: ResultsTable,
  b: ResultsTable,
  tolerance: number,
  reordered: ReadonlySet<string>,
): readonly ValueDiff[] => {
  const ids = [
    ...new Set([...a.rows, ...b.rows].filter(({ group }) => group !== "claim").map(({ id }) => id)),
  ]
  return ids.map((id): ValueDiff => {
    const [left, right] = [a, b].map((table) => table.rows.find((row) => row.id === id))
    if (left === undefined || right === undefined) {
      return {
        where: id,
        agreement: "differs",
        a: left?.value ?? null,
        b: right?.value ?? null,
        relative: null,
        note: "one run lacks this row",
      }
    }
    const contracts = left.contractId === right.contractId ? {} : { note: "the contracts differ" }
    const [x, y] = [left.value, right.value]
    if (x === null || y === null) {
      const agreement = x === y ? ("identical" as const) : ("differs" as const)
      return { where: id, agreement, a: x, b: y, relative: null, ...contracts }
    }
    const relative = relativeOf(x, y)
    const tied = reordered.has(id.split("/")[0]!)
    return {
      where: id,
      agreement: agreementOf(relative, x === y, tied ? Math.max(REORDERED_TOLERANCE, tolerance) : tolerance),
      a: x,
      b: y,
      relative,
      ...contracts,
      ...(tied && relative > tolerance ? { note: "two orders that part at ties" } : {}),
    }
  })
}

const worst = (values: readonly ValueDiff[]): Agreement =>
  values.some(({ agreement }) => agreement === "differs")
    ? "differs"
    : values.some(({ agreement }) => agreement === "within-rounding")
      ? "within-rounding"
      : "identical"

const isRow = ({ where }: ValueDiff): boolean => !where.startsWith("evidence/")

const largestOf = (values: readonly ValueDiff[]): number =>
  Math.max(0, ...values.flatMap(({ relative }) => relative ?? []))

/** What is within rounding though further apart than rounding alone explains, for a reason that its note gives. */
const exemptedFrom = (
  values: readonly ValueDiff[],
  allowed: { readonly rows: number; readonly measurements: number },
): readonly ValueDiff[] =>
  values.filter(
    (value) =>
      value.agreement === "within-rounding" &&
      (value.relative ?? 0) > (isRow(value) ? allowed.rows : allowed.measurements),
  )

const exceptionsText = (exempted: readonly ValueDiff[]): string => {
  if (exempted.length === 0) return ""
  const names = [
    ...new Set(exempted.map((value) => (isRow(value) ? value.where.split("/")[0]! : value.where))),
  ]
  const reasons = [...new Set(exempted.flatMap(({ note }) => note ?? []))]
  const why = reasons.length === 0 ? "" : ` (${reasons.join("; ")})`
  return `; apart from these, ${exempted.length} ${exempted.length === 1 ? "value" : "values"} of ${names.join(", ")}${why} agree to ${largestOf(exempted).toExponential(1)}`
}

/** Compare two runs by their results and by the evidence under them. */
export const diffRuns = (a: RunSide, b: RunSide): RunsDiff => {
  const tolerance = Math.max(
    ...[a, b].map(({ precision }) => ROUNDING_TOLERANCE[precision] ?? ROUNDING_TOLERANCE["fp32"]!),
  )
  const dataDifferences = a.data === undefined || b.data === undefined ? null : contentChanges(a.data, b.data)
  const otherData = dataDifferences !== null && dataDifferences.length > 0
  const sameExperiment = a.fingerprint === b.fingerprint && !otherData
  const training = diffTraining(a.losses ?? new Map(), b.losses ?? new Map(), tolerance)
  const amplified = sameExperiment && training?.amplified === true
  const allowed = amplified
    ? { rows: AMPLIFIED.rows, measurements: AMPLIFIED.measurements }
    : { rows: tolerance, measurements: tolerance }
  const experimentDifferences = sameExperiment
    ? []
    : differencesOf(a.experiment, b.experiment).map(({ pointer, before, after }) => ({
        pointer,
        a: before,
        b: after,
      }))
  const evaluations = [...new Set([...a.evidence.keys(), ...b.evidence.keys()])].sort()
  const evidence = evaluations.map((evaluation): readonly ValueDiff[] => {
    const [left, right] = [a.evidence.get(evaluation)?.tensors, b.evidence.get(evaluation)?.tensors]
    const names = [...new Set([...(left?.keys() ?? []), ...(right?.keys() ?? [])])].sort()
    const ordered =
      left === undefined || right === undefined
        ? undefined
        : amplified
          ? diffOwnOrders(left, right)
          : diffChosenOrders(left, right, tolerance)
    return names.map((name) => {
      const where = `evidence/${evaluation}/${name}`
      const found = ordered?.get(name)
      return found === undefined
        ? diffTensor(where, left?.get(name)?.data, right?.get(name)?.data, allowed.measurements)
        : { where, ...found }
    })
  })
  const reordered = new Set(
    evaluations.filter((_, i) => evidence[i]!.some(({ where, agreement, note }) => where.endsWith("/rank") && agreement === "within-rounding" && note !== undefined)), // prettier-ignore
  )
  const values = [
    ...(a.table === undefined || b.table === undefined
      ? []
      : diffTables(a.table, b.table, allowed.rows, reordered)),
    ...evidence.flat(),
  ]
  const unfinished = (a.id === b.id ? [a] : [a, b]).filter(({ table }) => table === undefined)
  const verdict = unfinished.length > 0 ? "incomplete" : otherData ? "differs" : worst(values)
  const differing = values.filter(({ agreement }) => agreement === "differs")
  const exempted = exemptedFrom(values, allowed)
  const usual = values.filter((value) => !exempted.includes(value))
  const largest = largestOf(usual)
  const largestRow = largestOf(usual.filter(isRow))
  const except = exceptionsText(exempted)
  const experiments =
    a.fingerprint === b.fingerprint ? "" : " The experiments are different: their fingerprints are not equal."
  const data = otherData ? ` The runs rest on different data: ${dataDifferences.join("; ")}.` : ""
  const sentence = {
    identical: `Identical: all ${values.length} values and evidence tensors are equal bit by bit.`,
    "within-rounding": amplified
      ? `Within rounding, which training amplified: the losses agree to ${training.early.toExponential(1)} relative up to step ${training.earlySteps} and part at about step ${training.partedAt}; ids, masks and counts are equal; all rows agree to ${AMPLIFIED.rows} relative (largest difference ${largestRow.toExponential(1)}) and single measurements to ${AMPLIFIED.measurements}${except}.`
      : `Within rounding: ${exempted.length === 0 ? "all " : ""}${usual.length}${exempted.length === 0 ? "" : ` of ${values.length}`} values and evidence tensors agree to ${tolerance} relative; their largest difference is ${largest.toExponential(1)}${except}.`,
    differs: `Different: ${differing.length} of ${values.length} values and evidence tensors differ by more than ${amplified ? `rounding that training amplified explains (${AMPLIFIED.rows} for rows)` : `rounding explains (${tolerance} relative)`}.`,
    incomplete: `Incomplete: ${unfinished.map(({ id, advice }) => `${id} has no results${advice === undefined ? "" : `; ${advice}`}`).join(". ")}.`,
  }[verdict]
  return {
    format: "repro-diff-runs",
    version: 1,
    a: a.id,
    b: b.id,
    verdict,
    sentence: sentence + experiments + data,
    tolerance,
    training: training ?? null,
    sameExperiment,
    experimentDifferences,
    dataDifferences,
    values,
  }
}
