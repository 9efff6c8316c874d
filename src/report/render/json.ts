/** The table as JSON: the model itself, in a fixed order of keys. */
import type { ResultsTable } from "../../analysis/table.js"

export const renderJson = (table: ResultsTable): string => `${JSON.stringify(table, null, 2)}\n`
