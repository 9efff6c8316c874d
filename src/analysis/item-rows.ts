/** Rows of the results table that come from figures over samples or items of a task, and what those cost. */
import { estimatorName } from "../evaluators/index.js"
import type { ItemFigure, ItemSummary } from "../evaluators/summary.js"
import { contractDigest } from "../metric/contract/digest.js"
import { NOT_STATED } from "../metric/contract/contract.js"
import type { TableDenominator, TableRow } from "./table.js"

const stated = <A>(value: A | typeof NOT_STATED): A | undefined => (value === NOT_STATED ? undefined : value)

const denominatorOf = ({ contract }: ItemFigure): TableDenominator | null => {
  const found = stated(contract.denominator)
  if (found?.kind === "items") return { kind: "items", total: stated(found.items) ?? null, unit: "items" }
  if (found?.kind === "samples")
    return { kind: "samples", total: stated(found.samples) ?? null, unit: "texts" }
  return null
}

const memoryRow = (id: string, estimator: string, bytes: number | null): TableRow => ({
  id: `${id}/accelerator-memory`,
  group: "result",
  label: `${id}: accelerator memory at most`,
  contractId: null,
  quantity: "cost",
  unit: "GiB",
  value: bytes === null ? null : bytes / 2 ** 30,
  boundKind: "exact",
  interval: null,
  denominator: null,
  estimator,
  tokens: null,
  bytes: null,
  notes: bytes === null ? ["Computed on a CPU: no accelerator."] : ["What tensors took at once."],
  mark: null,
  decimals: 2,
})

/** The rows of one evaluation; its contracts are added to `contracts` by digest. */
export const itemRows = (
  { evaluationId: id, evaluation, item, items, figures, forwards, seconds, acceleratorBytes }: ItemSummary,
  contracts: Record<string, unknown>,
): readonly TableRow[] => {
  const estimator = estimatorName(evaluation)
  const rows = figures.map((figure): TableRow => {
    const digest = contractDigest(figure.contract)
    contracts[digest] = figure.contract
    return {
      id: `${id}/${figure.name}`,
      group: figure.published === true ? "as published" : "result",
      label: `${id}: ${figure.label}`,
      contractId: digest,
      quantity: stated(figure.contract.quantity) ?? NOT_STATED,
      unit: stated(figure.contract.unit) ?? "",
      value: figure.value,
      boundKind: stated(figure.contract.bound) ?? "unknown",
      interval: figure.interval,
      denominator: denominatorOf(figure),
      estimator,
      tokens: null,
      bytes: null,
      notes: figure.value === null && figure.notes.length === 0 ? ["Not computed."] : figure.notes,
      mark: null,
    }
  })
  const cost = (name: string, label: string, unit: string, value: number | undefined): readonly TableRow[] =>
    value === undefined || items === 0
      ? []
      : [
          {
            id: `${id}/${name}`,
            group: "result",
            label: `${id}: ${label}`,
            contractId: null,
            quantity: "cost",
            unit,
            value: value / items,
            boundKind: "exact",
            interval: null,
            denominator: { kind: "samples", total: items, unit: `${item}s` },
            estimator,
            tokens: null,
            bytes: null,
            notes: [`${Math.round(value)} in all.`],
            mark: null,
            decimals: unit === "seconds" ? 3 : 1,
          },
        ]
  return [
    ...rows,
    ...cost("forwards", `forward passes a ${item}`, "passes", forwards),
    ...cost("seconds", `time a ${item}`, "seconds", seconds),
    ...(acceleratorBytes === undefined || items === 0 ? [] : [memoryRow(id, estimator, acceleratorBytes)]),
  ]
}
