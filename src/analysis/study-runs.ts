/** What the finished runs of a study measured. Nothing is measured here. */
import type { RunReader } from "../run/directory.js"
import { isCodeLength, type ItemSummary } from "../evaluators/summary.js"
import { readFloors } from "../run/floors.js"
import type { StudyMember } from "../spec/study.js"
import type { EvaluationSummary, FloorSummary } from "./language-model.js"
import { allSummaries } from "./run-table.js"

/** A member and its finished run, if there is one. */
export interface MemberRun extends StudyMember {
  readonly run: RunReader | undefined
}

/** One finished member. */
export interface StudyRun {
  readonly run: string
  /** In the order of the spec. */
  readonly evaluations: readonly EvaluationSummary[]
  /** Figures over texts or items of a task. */
  readonly items?: readonly ItemSummary[]
  /** Empty where they were not measured. */
  readonly floors: readonly FloorSummary[]
}

export const readStudyRun = async (run: RunReader): Promise<StudyRun> => {
  const summaries = await allSummaries(run)
  return {
    run: run.manifest.id,
    evaluations: summaries.filter(isCodeLength),
    items: summaries.filter((summary): summary is ItemSummary => !isCodeLength(summary)),
    floors: (await readFloors(run)) ?? [],
  }
}
