/** The members of a study with what is known of each: its finished run, its state, its planned time. */
import { availableParallelism, totalmem } from "node:os"
import { join } from "node:path"
import type { MemberRun } from "../../analysis/study-runs.js"
import { DataMismatch } from "../../files/errors.js"
import { makePlan } from "../../plan/plan.js"
import { readRun } from "../../run/directory.js"
import { findRuns, wantedFingerprint, type WantedRun } from "../../run/identity.js"
import type { DataContent } from "../../spec/content.js"
import type { StudyMember } from "../../spec/study.js"
import { standingOf } from "../chain-data.js"
import { experimentState, type ExperimentState } from "../experiment-state.js"
import { presentContent } from "../present-content.js"

export interface PlannedMember extends StudyMember {
  /** Of its run: with the digests of the data, where they are known. */
  readonly fingerprint: string
  readonly state: ExperimentState
  /** Finished runs of the member on data that are not those of this study. */
  readonly otherData: readonly string[]
  /** Seconds of the whole member, as its plan estimates them. */
  readonly seconds: number
}

/** Equal for members of the same data. */
const keyOf = ({ spec }: StudyMember): string => JSON.stringify(spec.experiment.data)

/**
 * The data that each member's run must have: as they lie on disk, else, where they are gone or cannot be used, those of
 * the newest run of any member with the same data, so that no two contents meet in one table.
 */
const wantedRuns = async (members: readonly StudyMember[], runs: string): Promise<readonly WantedRun[]> => {
  const present = new Map<string, DataContent | undefined>()
  for (const member of members)
    if (!present.has(keyOf(member)))
      present.set(keyOf(member), await presentContent(member.spec.experiment.data).catch(() => undefined))
  const wanted = members.map((member) => ({ spec: member.spec, content: present.get(keyOf(member)) }))
  if (wanted.every(({ content }) => content !== undefined)) return wanted
  const found = await findRuns(runs, wanted)
  const kept = new Map<string, DataContent>()
  const newest = members
    .flatMap((member, i) => found[i]!.map((summary) => ({ ...summary, key: keyOf(member) })))
    .sort((a, b) => (a.started < b.started ? -1 : 1))
  for (const { key, data, status } of newest)
    if (data !== undefined && status === "finished") kept.set(key, data)
  return wanted.map(({ spec, content }, i) => ({ spec, content: content ?? kept.get(keyOf(members[i]!)) }))
}

/**
 * Not every member rests on files that contradict its spec; one of several that does so fails alone.
 * @throws DataMismatch of the first
 */
export const requireSomeData = async (members: readonly StudyMember[]): Promise<void> => {
  const seen = new Map<string, unknown>()
  for (const member of members)
    if (!seen.has(keyOf(member)))
      seen.set(
        keyOf(member),
        await presentContent(member.spec.experiment.data).then(
          () => undefined,
          (error: unknown) => error,
        ),
      )
  const errors = [...seen.values()]
  if (errors.every((error) => error instanceof DataMismatch)) throw errors[0]
}

export const planMembers = async <M extends StudyMember>(
  members: readonly M[],
  runs: string,
): Promise<readonly (M & PlannedMember)[]> => {
  const wanted = await wantedRuns(members, runs)
  const found = await Promise.all(
    (await findRuns(runs, wanted)).map((own, i) => standingOf(own, wanted[i]!.spec, runs)),
  )
  const onAny = await findRuns(
    runs,
    wanted.map(({ spec }) => ({ spec, content: undefined })),
  )
  const machine = { cores: availableParallelism(), memory: totalmem() }
  return members.map((each, i) => ({
    ...each,
    fingerprint: wantedFingerprint(wanted[i]!),
    state: experimentState(found[i]!),
    otherData: onAny[i]!.filter(
      ({ id, status }) => status === "finished" && !found[i]!.some((own) => own.id === id),
    ).map(({ id }) => id),
    seconds: makePlan(each.spec, machine).time.total,
  }))
}

/** Of finished runs that are left out because their data are others; empty when there are none. */
export const otherDataRemarks = (
  members: readonly Pick<PlannedMember, "otherData">[],
  many = "cells",
): readonly string[] => {
  const runs = members.flatMap(({ otherData }) => otherData)
  return runs.length === 0
    ? []
    : [
        `${runs.length} finished ${runs.length === 1 ? "run" : "runs"} of these ${many} ${runs.length === 1 ? "rests" : "rest"} on other data and ${runs.length === 1 ? "is" : "are"} left out (${runs.join(", ")}).`,
      ]
}

/** The finished run of each member. */
export const finishedRuns = async <M extends StudyMember>(
  members: readonly M[],
  runs: string,
): Promise<readonly (M & PlannedMember & MemberRun)[]> =>
  Promise.all(
    (await planMembers(members, runs)).map(async (each) => ({
      ...each,
      run: each.state.state === "finished" ? await readRun(join(runs, each.state.run.id)) : undefined,
    })),
  )
