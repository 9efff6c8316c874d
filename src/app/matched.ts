/** `repro matched`: models of one budget side by side. */
import { join } from "node:path"
import * as Option from "effect/Option"
import { writeFileAtomic } from "../files/atomic.js"
import { cacheDirectory } from "../files/sources.js"
import { findAvailable } from "../engine/choose.js"
import { matched, type Matched } from "../analysis/matched.js"
import type { MatchedRun } from "../analysis/matched-model.js"
import { matchedLadder, readMatchedRun } from "../analysis/matched-runs.js"
import { renderMatched, withFindings } from "../report/matched-text.js"
import type { TableFormat } from "../report/render/index.js"
import { reportFiles } from "../report/report-files.js"
import { ratioInterval } from "../analysis/run-table.js"
import { readRun, type RunReader } from "../run/directory.js"
import { mayColour, openDisplay, type Display } from "../run/display.js"
import { findRuns } from "../run/identity.js"
import type { LoadedSpec, Profile } from "../spec/spec-file.js"
import { chooseExecutor, trainingSeconds, type EngineFlags } from "./choose-executor.js"
import { chooseProfile } from "./choose-profile.js"
import { ensureRun } from "./ensure-run.js"
import { experimentState } from "./experiment-state.js"
import { watchInterrupts } from "./interrupts.js"
import { locateSpec, shortPath } from "./locate.js"
import { openSpec } from "./open-spec.js"
import { UsageError, type Outcome } from "./outcome.js"
import { presentContent } from "./present-content.js"
import { outputWidth, publishedClaims } from "./run-results.js"
import { visibleIn } from "../spec/visible.js"

const DEFAULT_SPECS = ["ar_matched", "mdlm_eos", "mdlm_eos_nelbo", "mdlm_nelbo"]

export interface MatchedInput extends EngineFlags {
  readonly specs: readonly string[]
  readonly profile: Option.Option<Profile>
  readonly set?: readonly string[]
  readonly seeds: Option.Option<string>
  readonly table: boolean
  readonly format: TableFormat
  readonly out: Option.Option<string>
  readonly runs: string
}

interface Job {
  readonly spec: LoadedSpec
}

/** @throws UsageError unless the text is a list of different natural numbers */
export const parseSeeds = (text: string): readonly number[] => {
  const seeds = text.split(",").map((part) => part.trim())
  if (seeds.some((part) => !/^\d{1,9}$/.test(part)) || new Set(seeds.map(Number)).size < seeds.length)
    throw new UsageError(`--seeds takes different whole numbers, such as 0,1,2; found "${text}"`)
  return seeds.map(Number)
}

const jobsOf = async (
  files: readonly string[],
  profile: Profile,
  settings: readonly string[] | undefined,
  seeds: readonly number[] | undefined,
): Promise<readonly Job[]> => {
  const jobs: Job[] = []
  for (const file of files) {
    const spec = await openSpec(file, profile, settings)
    const seeded = seeds === undefined ? [spec] : seeds.map((seed) => spec.with({ training: { seed } }))
    jobs.push(...seeded.map((each) => ({ spec: each })))
  }
  const ids = files.map((_, i) => jobs[i * (seeds?.length ?? 1)]!.spec.experiment.id)
  const twice = ids.find((id, i) => ids.indexOf(id) < i)
  if (twice !== undefined) throw new UsageError(`two of the specs have the id "${twice}"; give each its own`)
  return jobs
}

const nameOf = ({ spec: { experiment } }: Job): string => `${experiment.id}, seed ${experiment.training.seed}`

const incomplete = (text: string): Outcome => ({ text, json: { finished: false, reason: text }, exitCode: 3 })

/** The finished run of every job, or an outcome that says why one is missing. */
const finishedRuns = async (
  jobs: readonly Job[],
  input: MatchedInput,
  display: Display,
): Promise<readonly RunReader[] | Outcome> => {
  const found: RunReader[] = []
  if (input.table) {
    const known = await findRuns(
      input.runs,
      await Promise.all(
        jobs.map(async ({ spec }) => ({
          spec,
          content: await presentContent(spec.experiment.data).catch(() => undefined),
        })),
      ),
    )
    const missing: string[] = []
    for (const [i, job] of jobs.entries()) {
      const state = experimentState(known[i]!)
      if (state.state === "finished") found.push(await readRun(join(input.runs, state.run.id)))
      else missing.push(nameOf(job))
    }
    return missing.length === 0
      ? found
      : incomplete(
          `No finished run of ${missing.join("; ")} (profile ${jobs[0]!.spec.profile}) in ${input.runs}. Run the same command without --table.`,
        )
  }
  // One engine for all: it is chosen by the longest of the runs.
  const seconds = Math.max(...jobs.map(({ spec }) => trainingSeconds(spec)))
  const stop = watchInterrupts(display)
  try {
    for (const [index, job] of jobs.entries()) {
      const choice = await chooseExecutor(input, job.spec.experiment.execution, findAvailable, seconds)
      display.log(`Model ${index + 1} of ${jobs.length}: ${nameOf(job)}.`)
      const ran = await ensureRun({
        ...job,
        choice,
        runs: input.runs,
        display,
        stopping: stop.requested,
      })
      if (ran.state === "elsewhere")
        return incomplete(`${nameOf(job)}: ${ran.reason}; run the same command again when it has ended.`)
      if (ran.state === "stopped")
        return incomplete(
          `Stopped in ${nameOf(job)} after step ${ran.step} of ${ran.totalSteps}; nothing is lost. The same command goes on.`,
        )
      if (ran.how === "found") display.log(`Finished run ${ran.run.manifest.id} is used.`)
      found.push(ran.run)
    }
    return found
  } finally {
    stop.release()
    display.end()
  }
}

const write = async (
  folder: string,
  result: Matched,
  runs: readonly MatchedRun[],
): Promise<readonly string[]> => {
  const files = new Map([
    ...reportFiles(withFindings(result), [], matchedLadder(runs)),
    ["matched.json", `${JSON.stringify(result, null, 2)}\n`] as const,
  ])
  for (const [file, content] of files) await writeFileAtomic(join(folder, file), content)
  return [...files.keys()].map((file) => shortPath(join(folder, file)))
}

export const matchedComparison = async (
  input: MatchedInput,
  display: Display = openDisplay(),
): Promise<Outcome> => {
  const names = input.specs.length === 0 ? DEFAULT_SPECS : input.specs
  if (names.length < 2) throw new UsageError("a comparison needs two specs at least")
  const files = await Promise.all(names.map(locateSpec))
  const seeds = Option.isSome(input.seeds) ? parseSeeds(input.seeds.value) : undefined
  let profile = Option.getOrUndefined(input.profile)
  if (profile === undefined) {
    const chosen = await chooseProfile(files[0]!, cacheDirectory(), findAvailable)
    display.log(`Profile ${chosen.profile}: ${chosen.reason}.`)
    profile = chosen.profile
  }
  const found = await finishedRuns(await jobsOf(files, profile, input.set, seeds), input, display)
  if ("text" in found) return found
  const runs: MatchedRun[] = []
  for (const run of found) runs.push(await readMatchedRun(run, (await publishedClaims(run)).claims))
  const result = matched(runs, { ratioInterval })
  const written = Option.isSome(input.out) ? await write(input.out.value, result, runs) : []
  const painted = input.format === "terminal" && mayColour(process.stdout, process.env)
  const text = renderMatched(painted ? visibleIn(result) : result, input.format, {
    width: outputWidth(),
    colour: painted,
  })
  return {
    text: text.replace(/\n$/, ""),
    painted,
    json: result,
    ...(written.length === 0 ? {} : { notes: [`Written: ${written.join(", ")}.`] }),
    ...(result.comparable ? {} : { exitCode: 3 }),
  }
}
