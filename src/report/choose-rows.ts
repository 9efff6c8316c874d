/** Some rows of a table, by their names. */
import type { ResultsTable, TableRow } from "../analysis/table.js"
import { nearest } from "../spec/nearest.js"

/** No row is called like that. */
export class NoSuchRowsError extends Error {
  readonly _tag = "NoSuchRowsError"
  readonly exitCode = 2
}

const matches = (name: string, { id, group }: TableRow): boolean =>
  group === name || id === name || id.startsWith(`${name}/`)

/**
 * The rows of `names`: a group ("result", "claim", "floor"), the beginning of ids ("elbo-t128", "floor/xz") or an id.
 * Order and contracts of the table are kept.
 *
 * @throws NoSuchRowsError naming what matches nothing
 */
export const chooseRows = (table: ResultsTable, names: readonly string[]): ResultsTable => {
  for (const name of names)
    if (!table.rows.some((row) => matches(name, row))) {
      const prefixes = [...new Set(table.rows.map(({ id }) => id.slice(0, id.lastIndexOf("/"))))]
      const near = nearest(name, [
        ...new Set(table.rows.flatMap(({ id, group }) => [group, id])),
        ...prefixes,
      ])
      throw new NoSuchRowsError(
        `--rows: the table has no rows called "${name}".${near === undefined ? "" : ` Did you mean "${near}"?`} There are ${prefixes.join(", ")}.`,
      )
    }
  return { ...table, rows: table.rows.filter((row) => names.some((name) => matches(name, row))) }
}
