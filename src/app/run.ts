/** `repro run`: from a spec to a results table. */
import { basename, dirname, join } from "node:path"
import * as Option from "effect/Option"
import { cacheDirectory } from "../files/sources.js"
import { findAvailable, type Available } from "../engine/choose.js"
import { renderHeadline } from "../report/render/headline.js"
import { mayColour, openDisplay, type Display } from "../run/display.js"
import { readRun, type RunReader } from "../run/directory.js"
import { listRuns, resolveRun } from "../run/list.js"
import type { RunManifest } from "../run/manifest.js"
import type { LoadedSpec, Profile } from "../spec/spec-file.js"
import type { ResultsTable } from "../analysis/table.js"
import { chooseExecutor, chooseResumed, trainingSeconds, type EngineFlags } from "./choose-executor.js"
import { chooseProfile } from "./choose-profile.js"
import { isAbort, watchInterrupts } from "./interrupts.js"
import { locateSpec } from "./locate.js"
import { openSpec } from "./open-spec.js"
import { UsageError, type Outcome } from "./outcome.js"
import { ensureJudges, ensureParent, type EnsuredRun } from "./ensure-run.js"
import { waitingForJudge } from "./waiting.js"
import { standingRuns } from "./chain-data.js"
import { experimentState } from "./experiment-state.js"
import { presentContent } from "./present-content.js"
import { resumeCommand, runsFlag, setFlags } from "./resume-advice.js"
import { runExperiment } from "./run-experiment.js"
import { outputWidth, recomputeTable } from "./run-results.js"

export interface RunInput extends EngineFlags {
  readonly spec: string
  readonly profile: Option.Option<Profile>
  readonly set?: readonly string[]
  readonly resume: Option.Option<string>
  /** Train again what is finished. */
  readonly again?: boolean
  readonly runs: string
  readonly json: boolean
}

/** The profile that was asked for, else that of the run to resume, else what this machine can do. */
const findProfile = async (
  input: Pick<RunInput, "profile">,
  file: string,
  resumed: RunManifest | undefined,
  display: Display,
  available: () => Promise<Available>,
): Promise<Profile> => {
  if (Option.isSome(input.profile)) return input.profile.value
  if (resumed !== undefined) return resumed.profile as Profile
  const { profile, reason } = await chooseProfile(file, cacheDirectory(), available)
  display.log(`Profile ${profile}: ${reason}.`)
  return profile
}

/** `latest` is the newest run of this spec; anything else names a run as every command does. */
const resolveResumed = async (input: RunInput, name: string, file: string): Promise<string> => {
  if (name !== "latest") return resolveRun(input.runs, name)
  const profile = Option.getOrElse(input.profile, () => "paper")
  const { id } = (await openSpec(file, profile, input.set)).experiment
  const of = (manifest: RunManifest): boolean =>
    manifest.spec === id && (Option.isNone(input.profile) || manifest.profile === profile)
  const newest = (await listRuns(input.runs, of)).at(-1)
  if (newest === undefined)
    throw new UsageError(
      `${input.runs}: there is no run of ${id}${Option.isNone(input.profile) ? "" : `, profile ${profile},`} to go on with; start one without --resume`,
    )
  return join(input.runs, newest.id)
}

/** The finished run of this experiment on the data as they are, shown; undefined where there is none. */
const finished = async (spec: LoadedSpec, input: RunInput): Promise<Outcome | undefined> => {
  const wanted = { spec, content: await presentContent(spec.experiment.data) }
  const state = experimentState(await standingRuns(input.runs, wanted))
  if (state.state !== "finished") return undefined
  const run = await readRun(join(input.runs, state.run.id))
  const table = await recomputeTable(run)
  const { id } = run.manifest
  const flag = runsFlag(dirname(run.directory))
  return {
    ...shown(run, table),
    notes: [
      `This experiment is finished here, as run ${id}: nothing was trained. Train it again: add --again.`,
      `Every row: repro table ${id} --full${flag}. Beside the published claims: repro diff ${id}${flag}.`,
    ],
  }
}

const shown = (run: RunReader, table: ResultsTable): Pick<Outcome, "text" | "painted" | "json"> => {
  const { id, fingerprint, data = null } = run.manifest
  const colour = mayColour(process.stdout, process.env)
  const text = renderHeadline(table, `repro table ${id} --full${runsFlag(dirname(run.directory))}`, {
    colour,
    width: outputWidth(),
  }).replace(/\n$/, "")
  const directory = basename(run.directory)
  return { text, painted: colour, json: { run: id, directory, fingerprint, data, finished: true, ...table } }
}

/** What to say where the experiment that this one begins from has not come to its end. */
const waiting = (
  parent: Exclude<EnsuredRun, { readonly state: "finished" }>,
  spec: LoadedSpec,
  input: RunInput,
): Outcome => {
  const name = spec.parent?.experiment.id ?? "its parent"
  const set = setFlags(input.set)
  const how = `repro run ${input.spec} --profile ${spec.profile}${set}`
  return parent.state === "elsewhere"
    ? {
        text: `${spec.experiment.id} begins from ${name}, which is not finished: ${parent.reason}. Run the command again when it is.`,
        json: { finished: false, waitsFor: name, reason: parent.reason },
        exitCode: 3,
      }
    : {
        text: `Stopped in ${name}, which ${spec.experiment.id} begins from, after step ${parent.step} of ${parent.totalSteps}; nothing is lost.\nGo on with: ${how}`,
        json: {
          finished: false,
          waitsFor: name,
          run: parent.run.manifest.id,
          step: parent.step,
          totalSteps: parent.totalSteps,
          resume: how,
        },
        exitCode: 3,
      }
}

export const run = async (input: RunInput, display: Display = openDisplay()): Promise<Outcome> => {
  const file = await locateSpec(input.spec)
  let found: Promise<Available> | undefined
  const available = (): Promise<Available> => (found ??= findAvailable())
  const resume = Option.isNone(input.resume)
    ? undefined
    : await resolveResumed(input, input.resume.value, file)
  const resumed = resume === undefined ? undefined : (await readRun(resume)).manifest
  const profile = await findProfile(input, file, resumed, display, available)
  const spec = await openSpec(file, profile, input.set)
  if (resume === undefined && input.again !== true) {
    const done = await finished(spec, input)
    if (done !== undefined) return done
  }
  const seconds = trainingSeconds(spec)
  const { execution } = spec.experiment
  const choice =
    resumed === undefined
      ? await chooseExecutor(input, execution, available, seconds)
      : await chooseResumed(input, resumed.provenance.executor, execution, available, seconds)
  const stop = watchInterrupts(display)
  try {
    const job = {
      spec,
      choice,
      runs: input.runs,
      display,
      stopping: stop.requested,
      signal: stop.signal,
    }
    const parent = await ensureParent(job)
    if (parent !== undefined && parent.state !== "finished") return waiting(parent, spec, input)
    const judge = await ensureJudges(job)
    if (judge !== undefined) return waitingForJudge(spec, judge)
    const ran = await runExperiment({
      ...job,
      ...(resume === undefined ? {} : { resume }),
      ...(parent === undefined ? {} : { parent: parent.run }),
    })
    const { id, fingerprint, data = null } = ran.run.manifest
    if (!ran.finished) {
      const how = resumeCommand(input.spec, profile, id, input.runs, input.set)
      const { step, totalSteps } = ran
      return {
        text: `Stopped after step ${step} of ${totalSteps}; nothing is lost.\nGo on with: ${how}`,
        json: { run: id, fingerprint, data, finished: false, step, totalSteps, resume: how },
        exitCode: 3,
      }
    }
    const flag = runsFlag(input.runs)
    return {
      ...shown(ran.run, ran.table),
      notes: [`Table again: repro table ${id}${flag}. Beside the published claims: repro diff ${id}${flag}.`],
    }
  } catch (error) {
    if (!isAbort(error)) throw error
    return {
      text: "Stopped before training; what was fetched is kept, and the same command goes on from there.",
      json: { finished: false },
      exitCode: 3,
    }
  } finally {
    stop.release()
    display.end()
  }
}
