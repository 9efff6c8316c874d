/** The members of a study one after another in this process. */
import type { Display } from "../../run/display.js"
import { findAvailable } from "../../engine/choose.js"
import { chooseExecutor, trainingSeconds, type EngineFlags } from "../choose-executor.js"
import { ensureRun } from "../ensure-run.js"
import { isAbort } from "../interrupts.js"
import type { PlannedMember } from "./members.js"
import { memberDisplay, memberLine, estimator, outcomeOf, type MemberOutcome } from "./progress.js"

export interface StudyJob {
  readonly members: readonly PlannedMember[]
  readonly runs: string
  readonly engine: EngineFlags
  readonly display: Display
  readonly stopping: () => boolean
  readonly signal?: AbortSignal
  /** What a member is called: Cell or Model. */
  readonly noun: string
}

const runMember = async (
  member: PlannedMember,
  { runs, engine, stopping, signal }: StudyJob,
  /** Of training, of the longest member: one engine for all, so that they do not differ by rounding. */
  seconds: number,
  display: Display,
): Promise<MemberOutcome> => {
  const { spec } = member
  try {
    const choice = await chooseExecutor(engine, spec.experiment.execution, findAvailable, seconds)
    const ensured = await ensureRun({
      spec,
      choice,
      runs,
      display,
      stopping,
      ...(signal === undefined ? {} : { signal }),
    })
    if (ensured.state === "elsewhere")
      return outcomeOf(member, { state: "elsewhere", message: ensured.reason })
    const run = ensured.run.manifest.id
    return ensured.state === "finished"
      ? outcomeOf(member, { state: "finished", how: ensured.how, run })
      : outcomeOf(member, {
          state: "stopped",
          run,
          message: `stopped after step ${ensured.step} of ${ensured.totalSteps}`,
        })
  } catch (error) {
    if (isAbort(error))
      return outcomeOf(member, { state: "stopped", message: "stopped while its data were fetched" })
    return outcomeOf(member, {
      state: "failed",
      message: error instanceof Error ? error.message : String(error),
    })
  }
}

export const studyInProcess = async (job: StudyJob): Promise<readonly MemberOutcome[]> => {
  const { members, display, stopping, noun } = job
  const estimate = estimator()
  const seconds = Math.max(...members.map(({ spec }) => trainingSeconds(spec)))
  const outcomes: MemberOutcome[] = []
  for (const [index, member] of members.entries()) {
    if (member.state.state === "finished") {
      outcomes.push(outcomeOf(member, { state: "finished", how: "found", run: member.state.run.id }))
      continue
    }
    if (stopping()) {
      outcomes.push(outcomeOf(member, { state: "pending" }))
      continue
    }
    const left = members.slice(index).filter(({ state }) => state.state !== "finished")
    const alone = members.length === 1 // a worker's cell, or one that was asked for
    if (!alone)
      display.log(memberLine(index, members.length, member.name, left.length, estimate.left(left, 1), noun))
    const started = performance.now()
    const outcome = await runMember(
      member,
      job,
      seconds,
      alone ? display : memberDisplay(display, `[${index + 1}/${members.length} ${member.name}]`),
    )
    if (outcome.state === "finished" && outcome.how === "made")
      estimate.took(member, (performance.now() - started) / 1000)
    if (outcome.state === "failed") display.warn(`${noun} ${member.name} failed: ${outcome.message ?? ""}`)
    if (outcome.state === "elsewhere")
      display.log(`${noun} ${member.name}: ${outcome.message ?? ""}; left to it.`)
    outcomes.push(outcome)
  }
  return outcomes
}
