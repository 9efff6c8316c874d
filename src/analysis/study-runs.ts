/** What the finished runs of a study measured. Nothing is measured here. */
import type { RunReader } from "../run/directory.js"
import { readFloors } from "../run/floors.js"
import type { StudyMember } from "../spec/study.js"
import type { EvaluationSummary, FloorSummary } from "./language-model.js"
import { runSummaries } from "./run-table.js"

/** A member and its finished run, if there is one. */
export interface MemberRun extends StudyMember {
  readonly run: RunReader | undefined
}

/** One finished member. */
export interface StudyRun {
  readonly run: string
  /** In the order of the spec. */
  readonly evaluations: readonly EvaluationSummary[]
  /** Empty where they were not measured. */
  readonly floors: readonly FloorSummary[]
}

export const readStudyRun = async (run: RunReader): Promise<StudyRun> => ({
  run: run.manifest.id,
  evaluations: await runSummaries(run),
  floors: (await readFloors(run)) ?? [],
})
