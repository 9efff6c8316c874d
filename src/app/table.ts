import { mayColour } from "../run/display.js"
import { renderTable, type TableFormat } from "../report/render/index.js"
import { unknownClaimNotes } from "./claims.js"
import type { Outcome } from "./outcome.js"
import { findRun, outputWidth, recomputeTable } from "./run-results.js"

/** The results of a run in one format, computed from its evidence. */
export const table = async (root: string, name: string, format: TableFormat): Promise<Outcome> => {
  const run = await findRun(root, name)
  const results = await recomputeTable(run)
  const text = renderTable(results, format, {
    width: outputWidth(),
    colour: mayColour(process.stdout, process.env),
  })
  return { text: text.replace(/\n$/, ""), json: results, notes: await unknownClaimNotes(run) }
}
