/** `repro run`: from a spec to a results table. */
import { basename } from "node:path"
import * as Option from "effect/Option"
import { cacheDirectory } from "../files/sources.js"
import { findAvailable, type Available } from "../engine/choose.js"
import { renderTable } from "../report/render/index.js"
import { mayColour, openDisplay, type Display } from "../run/display.js"
import { readRun } from "../run/directory.js"
import { resolveRun } from "../run/list.js"
import type { RunManifest } from "../run/manifest.js"
import { loadSpec, type Profile } from "../spec/spec-file.js"
import { chooseExecutor, chooseResumed, trainingSeconds, type EngineFlags } from "./choose-executor.js"
import { knownClaims } from "./claims.js"
import { chooseProfile } from "./choose-profile.js"
import { isAbort, watchInterrupts } from "./interrupts.js"
import { locateSpec } from "./locate.js"
import type { Outcome } from "./outcome.js"
import { resumeCommand } from "./resume-advice.js"
import { runExperiment } from "./run-experiment.js"
import { outputWidth } from "./run-results.js"

export interface RunInput extends EngineFlags {
  readonly spec: string
  readonly profile: Option.Option<Profile>
  readonly resume: Option.Option<string>
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

export const run = async (input: RunInput, display: Display = openDisplay()): Promise<Outcome> => {
  const file = await locateSpec(input.spec)
  let found: Promise<Available> | undefined
  const available = (): Promise<Available> => (found ??= findAvailable())
  const resume = Option.isNone(input.resume) ? undefined : await resolveRun(input.runs, input.resume.value)
  const resumed = resume === undefined ? undefined : (await readRun(resume)).manifest
  const profile = await findProfile(input, file, resumed, display, available)
  const spec = await loadSpec(file, profile, await knownClaims())
  const seconds = trainingSeconds(spec)
  const { execution } = spec.experiment
  const choice =
    resumed === undefined
      ? await chooseExecutor(input, execution, available, seconds)
      : await chooseResumed(input, resumed.provenance.executor, execution, available, seconds)
  const stop = watchInterrupts(display)
  try {
    const ran = await runExperiment({
      spec,
      choice,
      runs: input.runs,
      display,
      stopping: stop.requested,
      signal: stop.signal,
      ...(resume === undefined ? {} : { resume }),
    })
    const { id, fingerprint, data = null } = ran.run.manifest
    if (!ran.finished) {
      const how = resumeCommand(input.spec, profile, id, input.runs)
      const { step, totalSteps } = ran
      return {
        text: `Stopped after step ${step} of ${totalSteps}; nothing is lost.\nGo on with: ${how}`,
        json: { run: id, fingerprint, data, finished: false, step, totalSteps, resume: how },
        exitCode: 3,
      }
    }
    return {
      text: renderTable(ran.table, "terminal", {
        colour: mayColour(process.stdout, process.env),
        width: outputWidth(),
      }),
      json: {
        run: id,
        directory: basename(ran.run.directory),
        fingerprint,
        data,
        finished: true,
        ...ran.table,
      },
      notes: [`Table again: repro table ${id}. Beside the published claims: repro diff ${id}.`],
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
