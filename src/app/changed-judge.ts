/** Whether the judges of a run's texts are today what they were when they judged. */
import { dirname } from "node:path"
import { parseEvidenceHeader } from "../evaluators/evidence.js"
import type { RunReader } from "../run/directory.js"
import { experimentOf } from "../run/experiment-of.js"
import { judgeIn } from "../spec/judge.js"

/** A sentence for each evaluation whose judge is known to be another by now. */
export const changedJudges = async (run: RunReader): Promise<readonly string[]> => {
  const runs = dirname(run.directory)
  const found: string[] = []
  for (const evaluation of experimentOf(run).evaluations) {
    if (judgeIn(evaluation) === undefined) continue
    const { id } = evaluation
    // What finds a judge loads networks: a table without one does not wait for them.
    const { known, sentenceOf } = await import("./judge-since.js")
    const file = await known(() => run.readEvidence(id))
    const judge = file && parseEvidenceHeader(file.metadata, id).judge
    const sentence = judge && (await sentenceOf(id, judge, runs))
    if (sentence !== undefined) found.push(sentence)
  }
  return found
}
