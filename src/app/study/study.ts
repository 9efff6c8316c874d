/**
 * One study, of the cells of a sweep or of matched models: which profile, what there is of each member, and the runs that
 * are lacking.
 */
import * as Option from "effect/Option"
import { findAvailable } from "../../engine/choose.js"
import { cacheDirectory } from "../../files/sources.js"
import type { Display } from "../../run/display.js"
import type { Profile } from "../../spec/spec-file.js"
import type { StudyMember } from "../../spec/study.js"
import { chooseProfile } from "../choose-profile.js"
import type { EngineFlags } from "../choose-executor.js"
import { watchInterrupts } from "../interrupts.js"
import { UsageError } from "../outcome.js"
import { studyInProcess } from "./in-process.js"
import { planMembers, requireSomeData } from "./members.js"
import type { MemberOutcome } from "./progress.js"
import { studyOverWorkers, type WorkerJob } from "./workers.js"

/** @throws UsageError unless the text is a list of different natural numbers */
export const parseSeeds = (text: string): readonly [number, ...number[]] => {
  const seeds = text.split(",").map((part) => part.trim())
  if (seeds.some((part) => !/^\d{1,9}$/.test(part)) || new Set(seeds.map(Number)).size < seeds.length)
    throw new UsageError(`--seeds takes different whole numbers, such as 0,1,2; found "${text}"`)
  return seeds.map(Number) as [number, ...number[]]
}

/** The profile that was asked for, else what this machine can do for the spec. */
export const studyProfile = async (
  given: Option.Option<Profile>,
  file: string,
  display: Display,
): Promise<Profile> => {
  if (Option.isSome(given)) return given.value
  const { profile, reason } = await chooseProfile(file, cacheDirectory(), findAvailable)
  display.log(`Profile ${profile}: ${reason}.`)
  return profile
}

export interface Study {
  readonly members: readonly StudyMember[]
  /** What a member is called: Cell or Model. */
  readonly noun: string
  readonly runs: string
  readonly engine: EngineFlags
  /** Over processes of this program; one after another here when absent. */
  readonly over?: Pick<WorkerJob, "workers" | "file" | "profile" | "settings" | "seeds">
}

/**
 * Runs what is not finished of a study. One that fails does not stop the others.
 * @throws DataMismatch where no member's data are those of its spec
 */
export const runStudy = async (
  { members, noun, runs, engine, over }: Study,
  display: Display,
): Promise<readonly MemberOutcome[]> => {
  let stopAll: (() => void) | undefined
  const stop = watchInterrupts(display, () => stopAll?.())
  try {
    await requireSomeData(members)
    const planned = await planMembers(members, runs)
    const done = planned.filter(({ state }) => state.state === "finished").length
    if (done > 0) display.log(`${done} of ${planned.length} ${noun.toLowerCase()}s are finished already.`)
    const job = {
      members: planned,
      noun,
      runs,
      engine,
      display,
      stopping: stop.requested,
      signal: stop.signal,
    }
    if (over === undefined) return await studyInProcess(job)
    return await studyOverWorkers({ ...job, ...over, onStart: (all) => (stopAll = all) })
  } finally {
    stop.release()
    display.end()
  }
}
