/** Whether the judges of a run's texts are today what they were when they judged. */
import { basename, dirname } from "node:path"
import { parseEvidenceHeader, type JudgeAccount } from "../evaluators/evidence.js"
import type { RunReader } from "../run/directory.js"
import { experimentOf } from "../run/experiment-of.js"
import { judgeIn } from "../spec/judge.js"

/** Who judged; undefined also where the evidence cannot be read, which `verify` and the table tell by themselves. */
const judgeOf = async (run: RunReader, id: string): Promise<JudgeAccount | undefined> => {
  try {
    return parseEvidenceHeader((await run.readEvidence(id)).metadata, id).judge
  } catch {
    return undefined
  }
}

/** A sentence for each evaluation whose judge is known to be another by now. */
export const changedJudges = async (run: RunReader): Promise<readonly string[]> => {
  const runs = dirname(run.directory)
  const found: string[] = []
  for (const evaluation of experimentOf(run).evaluations) {
    if (judgeIn(evaluation) === undefined) continue
    const judge = await judgeOf(run, evaluation.id)
    if (judge === undefined) continue
    // What finds a judge loads networks: a table without one does not wait for them.
    const { sentenceOf } = await import("./judge-since.js")
    const sentence = await sentenceOf(evaluation.id, judge, basename(run.manifest.provenance.spec.file), runs)
    if (sentence !== undefined) found.push(sentence)
  }
  return found
}
