import { join } from "node:path"
import { writeFileAtomic } from "../files/atomic.js"
import { reportFiles } from "../report/report-files.js"
import { runLadder } from "../analysis/run-table.js"
import { effectiveEvents } from "../run/events.js"
import { unknownClaimNotes } from "./claims.js"
import { shortPath } from "./locate.js"
import type { Outcome } from "./outcome.js"
import { findRun, recomputeTable } from "./run-results.js"

/** Write a run's report into a folder, which is made; files of an earlier report there are replaced. */
export const report = async (root: string, name: string, out: string): Promise<Outcome> => {
  const run = await findRun(root, name)
  const table = await recomputeTable(run)
  const losses = effectiveEvents(await run.events()).flatMap((event) =>
    event.type === "step" && event.loss !== null ? [{ step: event.step, loss: event.loss }] : [],
  )
  const files = reportFiles(table, losses, await runLadder(run))
  for (const [file, content] of files) await writeFileAtomic(join(out, file), content)
  const paths = [...files.keys()].map((file) => shortPath(join(out, file)))
  return {
    text: paths.join("\n"),
    json: { run: run.manifest.id, files: paths },
    notes: await unknownClaimNotes(run),
  }
}
