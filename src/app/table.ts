import { quoted, runsFlag } from "./resume-advice.js"
import { mayColour } from "../run/display.js"
import { renderHeadline } from "../report/render/headline.js"
import { chooseRows } from "../report/choose-rows.js"
import { renderLatex } from "../report/render/latex.js"
import { renderTable, type TableFormat } from "../report/render/index.js"
import { changedJudges } from "./changed-judge.js"
import { unknownClaimNotes } from "./claims.js"
import { UsageError, type Outcome } from "./outcome.js"
import { findRun, outputWidth, recomputeTable } from "./run-results.js"

/** The results of a run in one format, computed from its evidence: the headline for a terminal, unless all is asked. */
export const table = async (
  root: string,
  name: string,
  format: TableFormat,
  full = true,
  rows?: string,
): Promise<Outcome> => {
  const run = await findRun(root, name)
  const results = await recomputeTable(run)
  const chosen = rows === undefined || rows === "all" ? undefined : rows.split(",").map((each) => each.trim())
  if (chosen !== undefined && format === "json")
    throw new UsageError("--rows is for forms that people read; the JSON table always holds every row")
  const shown = chosen === undefined ? results : chooseRows(results, chosen)
  const terminal = { width: outputWidth(), colour: mayColour(process.stdout, process.env) }
  const text =
    format === "tex"
      ? renderLatex(shown, rows !== undefined)
      : full || rows !== undefined || format !== "terminal"
        ? renderTable(shown, format, terminal)
        : renderHeadline(results, `repro table ${quoted(name)} --full${runsFlag(root)}`, terminal)
  const painted = terminal.colour && format === "terminal"
  return {
    text: text.replace(/\n$/, ""),
    painted,
    verbatim: format !== "terminal",
    json: results,
    notes: [...(await unknownClaimNotes(run)), ...(await changedJudges(run))],
  }
}
