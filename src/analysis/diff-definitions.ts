/** Which of a run's rows were measured under a claim's definition, and which comes nearest where none was. */
import type { Axis } from "../metric/contract/compare-axes.js"
import { compareContracts, type Comparison } from "../metric/contract/compare.js"
import { NOT_STATED, type Contract } from "../metric/contract/contract.js"
import type { ResultsTable, TableRow } from "./table.js"

/** A row of the run beside the claim's contract. */
export interface Candidate {
  readonly row: TableRow
  readonly comparison: Comparison
}

export interface MeasuredUnder {
  /** Of the claim's unit, denominator, quantity, kind of bound and family of estimators. */
  readonly own: Candidate | undefined
  /** Of the claim's unit, denominator and quantity; only where there is no `own`. */
  readonly nearest: Candidate | undefined
  /** In bits per byte under the exact byte table; quantity, kind of bound and family as the claim's. */
  readonly exact: Candidate | undefined
}

/** Axes on which the estimate itself, not the circumstances, is compared; they choose the run's row for a claim. */
const DEFINING: readonly Axis[] = [
  "quantity",
  "unit",
  "denominator",
  "bound",
  "event",
  "estimator",
  "window",
  "reduction",
]
const COST: Readonly<Record<string, number>> = {
  same: 0,
  noted: 0,
  open: 0,
  ordered: 1,
  convertible: 2,
  unknown: 2,
  different: 4,
}

/** Settings such as steps, draws or a block's size stay within a family; another order of tokens is another one. */
const familyOf = ({ estimator }: Contract): string | undefined => {
  if (estimator === NOT_STATED) return undefined
  return estimator.kind === "chain-rule" ? `chain-rule ${estimator.order}` : estimator.kind
}

const isSame = ({ comparison }: Candidate, ...wanted: readonly Axis[]): boolean =>
  wanted.every((name) => comparison.axes.find(({ axis }) => axis === name)?.relation === "same")

const costOf = ({ comparison }: Candidate): number =>
  comparison.axes
    .filter(({ axis }) => DEFINING.includes(axis))
    .reduce((sum, { relation }) => sum + (COST[relation] ?? 4), 0)

const evaluationOf = ({ row: { id } }: Candidate): string => id.slice(0, id.lastIndexOf("/"))

export const measuredUnder = (claim: Contract, table: ResultsTable): MeasuredUnder => {
  const family = familyOf(claim)
  const all = table.rows
    .filter(({ group, value }) => (group === "result" || group === "as published") && value !== null)
    .flatMap((row) => {
      const contract =
        row.contractId === null ? undefined : (table.contracts[row.contractId] as Contract | undefined)
      return contract === undefined
        ? []
        : [
            {
              row,
              comparison: compareContracts(claim, contract),
              related: family !== undefined && familyOf(contract) === family,
            },
          ]
    })
    .filter((each) => isSame(each, "quantity"))
    .sort((a, b) => costOf(a) - costOf(b))
  const related = all.filter((each) => each.related && isSame(each, "bound"))
  const own = related.find((each) => isSame(each, "unit", "denominator"))
  const exact = related.filter(({ row }) => row.id.endsWith("/bits-per-byte"))
  return {
    own,
    nearest: own === undefined ? all.find((each) => isSame(each, "unit", "denominator")) : undefined,
    exact: exact.find((each) => own !== undefined && evaluationOf(each) === evaluationOf(own)) ?? exact[0],
  }
}
