/** One row of a table for several seeds. */
import { studentInterval } from "../metric/statistics/intervals.js"
import type { Interval, TableRow } from "./table.js"

/** Mean and Student-t interval over seeds; the row's own with one seed. */
export const overSeeds = (row: TableRow, values: readonly number[]): TableRow => {
  if (values.length < 2) return row
  const { mean, low, high, level } = studentInterval(values)!
  const interval: Interval = { low, high, level, method: `Student-t over ${values.length} seeds` }
  return {
    ...row,
    value: mean,
    interval,
    notes: [
      `Seeds: ${values.map((value) => value.toFixed(4)).join(", ")}; Student's interval over them, which does not cover other windows.`,
      ...row.notes,
    ],
  }
}
