import { mayColour } from "../run/display.js"
import { renderHeadline } from "../report/render/headline.js"
import { renderTable, type TableFormat } from "../report/render/index.js"
import { unknownClaimNotes } from "./claims.js"
import type { Outcome } from "./outcome.js"
import { findRun, outputWidth, recomputeTable } from "./run-results.js"

/** The results of a run in one format, computed from its evidence: the headline for a terminal, unless all is asked. */
export const table = async (
  root: string,
  name: string,
  format: TableFormat,
  full = true,
): Promise<Outcome> => {
  const run = await findRun(root, name)
  const results = await recomputeTable(run)
  const terminal = { width: outputWidth(), colour: mayColour(process.stdout, process.env) }
  const text =
    full || format !== "terminal"
      ? renderTable(results, format, terminal)
      : renderHeadline(results, `repro table ${name} --full`, terminal)
  const painted = terminal.colour && format === "terminal"
  return { text: text.replace(/\n$/, ""), painted, json: results, notes: await unknownClaimNotes(run) }
}
