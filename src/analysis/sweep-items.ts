/**
 * Graded figures of a sweep: per point the mean over seeds with Student's interval and the share of all its texts with
 * Wilson's, each seed with its own, and the forward passes behind them.
 */
import type { ItemSummary } from "../evaluators/summary.js"
import { studentInterval, summarise, wilsonInterval } from "../metric/statistics/intervals.js"
import { itemRows } from "./item-rows.js"
import type { TableRow } from "./table.js"

/** A seed of a point, as far as its items go. */
export interface ItemSeed {
  readonly seed: number
  readonly run: string
  readonly items?: readonly ItemSummary[]
}

interface SeedRow {
  readonly seed: ItemSeed
  readonly row: TableRow
}

const LEVEL = 0.95

/** Rows of accuracies and of forward passes; other figures stand in the table of each run. */
const isShown = ({ quantity, id }: TableRow): boolean => quantity === "accuracy" || id.endsWith("/forwards")

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

/** Right answers of all seeds together; undefined where a row says no number of items. */
const pooledNote = (members: readonly SeedRow[]): string | undefined => {
  let [right, items] = [0, 0]
  for (const { row } of members) {
    const total = row.denominator?.total
    if (row.value === null || total === null || total === undefined) return undefined
    right += Math.round(row.value * total)
    items += total
  }
  const { low, high } = wilsonInterval(right, items, LEVEL)
  return `${right} of ${items} right over all seeds: ${percent(right / items)}, Wilson [${percent(low)}, ${percent(high)}], as if every answer were of one model.`
}

const meanRow = (point: string, members: readonly SeedRow[]): TableRow => {
  const { row } = members[0]!
  const values = members.flatMap((each) => (each.row.value === null ? [] : [each.row.value]))
  const interval = values.length === 0 ? undefined : studentInterval(values, LEVEL)
  const pooled = row.quantity === "accuracy" ? pooledNote(members) : undefined
  const names = members.map(({ seed }) => seed.seed).join(", ")
  return {
    ...row,
    id: `${point}/${row.id}`,
    label: `${point}, ${row.label}`,
    value: values.length === 0 ? null : summarise(values).mean,
    interval:
      interval === undefined
        ? null
        : {
            low: interval.low,
            high: interval.high,
            level: LEVEL,
            method: `Student t over ${values.length} seeds`,
          },
    notes: [
      `Seed${members.length === 1 ? "" : "s"} ${names}.`,
      ...(pooled === undefined ? [] : [pooled]),
      ...(members.length === 1 ? ["One seed: no interval over seeds, and no claim about another one."] : []),
    ],
  }
}

/** @param contracts those of the rows are added, by digest */
export const sweepItemRows = (
  points: readonly { readonly name: string; readonly seeds: readonly ItemSeed[] }[],
  contracts: Record<string, unknown>,
): { readonly means: readonly TableRow[]; readonly seeds: readonly TableRow[] } => {
  const [means, each]: TableRow[][] = [[], []]
  for (const { name, seeds } of points) {
    const found = new Map<string, SeedRow[]>()
    for (const seed of seeds)
      for (const summary of seed.items ?? [])
        for (const row of itemRows(summary, contracts)) {
          if (!isShown(row)) continue
          found.set(row.id, [...(found.get(row.id) ?? []), { seed, row }])
        }
    for (const members of found.values()) {
      means!.push(meanRow(name, members))
      for (const { seed, row } of members)
        each!.push({
          ...row,
          id: `${name}/seed-${seed.seed}/${row.id}`,
          label: `${name}, seed ${seed.seed}: ${row.label}`,
          group: "seed",
        })
    }
  }
  return { means: means!, seeds: each! }
}
