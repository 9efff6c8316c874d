import { join } from "node:path"
import { requireWritable, writeFileAtomic } from "../files/atomic.js"
import { reportFiles } from "../report/report-files.js"
import { allSummaries, runLadder } from "../analysis/run-table.js"
import { isCodeLength } from "../evaluators/summary.js"
import type { LengthsOf } from "../report/report-files.js"
import { trainingCurves, type TrainingCurves } from "../analysis/curves.js"
import type { RunReader } from "../run/directory.js"
import { unknownClaimNotes } from "./claims.js"
import { shortPath } from "./locate.js"
import type { Outcome } from "./outcome.js"
import { findRun, recomputeTable } from "./run-results.js"

/** The curves of a run's training. */
export const curvesOf = async (run: RunReader, name = run.manifest.id): Promise<TrainingCurves> =>
  trainingCurves(run.manifest.id, name, await run.events())

/** Lengths of the texts that a run sampled, evaluation by evaluation; `name` stands before those of one of several runs. */
export const lengthsOf = async (run: RunReader, name?: string): Promise<readonly LengthsOf[]> =>
  (await allSummaries(run)).flatMap((summary) =>
    isCodeLength(summary) || summary.lengths === undefined
      ? []
      : [{ id: [...(name === undefined ? [] : [name]), summary.evaluationId].join("-"), ...summary.lengths }],
  )

/** Fails now where {@link writeReport} would fail after hours. @throws DataError */
export const requireReport = (folder: string): Promise<void> => requireWritable(join(folder, "table.md"))

/** Writes a report's files into a folder, which is made. @returns their paths */
export const writeReport = async (
  folder: string,
  files: ReadonlyMap<string, string | Uint8Array>,
): Promise<readonly string[]> => {
  for (const [file, content] of files) await writeFileAtomic(join(folder, file), content)
  return [...files.keys()].map((file) => shortPath(join(folder, file)))
}

/** Write a run's report into a folder, which is made; files of an earlier report there are replaced. */
export const report = async (root: string, name: string, out: string): Promise<Outcome> => {
  const run = await findRun(root, name)
  const table = await recomputeTable(run)
  const paths = await writeReport(
    out,
    reportFiles(table, [await curvesOf(run)], await runLadder(run), { lengths: await lengthsOf(run) }),
  )
  return {
    text: paths.join("\n"),
    json: { run: run.manifest.id, files: paths },
    notes: await unknownClaimNotes(run),
  }
}
