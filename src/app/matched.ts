/** `repro matched`: models of one budget side by side. */
import * as Option from "effect/Option"
import { matched } from "../analysis/matched.js"
import type { MatchedRun } from "../analysis/matched-model.js"
import { matchedCurves, matchedLadder, readMatchedRun } from "../analysis/matched-runs.js"
import { renderMatched, withFindings } from "../report/matched-text.js"
import type { TableFormat } from "../report/render/index.js"
import { reportFiles } from "../report/report-files.js"
import { ratioInterval } from "../analysis/run-table.js"
import type { RunReader } from "../run/directory.js"
import { mayColour, openDisplay, type Display } from "../run/display.js"
import { experimentOf } from "../run/experiment-of.js"
import type { LoadedSpec, Profile } from "../spec/spec-file.js"
import { seededMembers, type StudyMember } from "../spec/study.js"
import type { EngineFlags } from "./choose-executor.js"
import { locateSpec } from "./locate.js"
import { openSpec } from "./open-spec.js"
import { UsageError, type Outcome } from "./outcome.js"
import { curvesOf, lengthsOf, requireReport, writeReport } from "./report.js"
import { outputWidth, publishedClaims } from "./run-results.js"
import { visibleIn } from "../spec/visible.js"
import { finishedRuns, otherDataRemarks } from "./study/members.js"
import type { MemberOutcome } from "./study/progress.js"
import { parseSeeds, runStudy, studyProfile } from "./study/study.js"

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

const membersOf = async (
  files: readonly string[],
  profile: Profile,
  settings: readonly string[] | undefined,
  seeds: readonly number[] | undefined,
): Promise<readonly StudyMember[]> => {
  const specs: LoadedSpec[] = []
  for (const file of files) specs.push(await openSpec(file, profile, settings))
  const ids = specs.map(({ experiment }) => experiment.id)
  const twice = ids.find((id, i) => ids.indexOf(id) < i)
  if (twice !== undefined) throw new UsageError(`two of the specs have the id "${twice}"; give each its own`)
  return seededMembers(specs, seeds)
}

const incomplete = (text: string): Outcome => ({ text, json: { finished: false, reason: text }, exitCode: 3 })

/** Why a model has no finished run. */
const unfinished = ({ name, state, message }: MemberOutcome): string => {
  switch (state) {
    case "elsewhere":
      return `${name}: ${message}; run the same command again when it has ended.`
    case "failed":
      return `${name} failed: ${message}`
    case "pending":
      return `${name} has not begun.`
    default:
      return `Stopped in ${name}${message === undefined ? "" : `, ${message.replace(/^stopped /, "")}`}; nothing is lost. The same command goes on.`
  }
}

/** The finished run of every member, or an outcome that says why one is missing. */
const runsOf = async (
  members: readonly StudyMember[],
  input: MatchedInput,
  display: Display,
): Promise<{ readonly found: readonly RunReader[]; readonly remarks: readonly string[] } | Outcome> => {
  const { runs, table } = input
  if (!table) {
    const outcomes = await runStudy({ members, noun: "Model", runs, engine: input }, display)
    const left = outcomes.filter(({ state }) => state !== "finished")
    if (left.length > 0) return incomplete(left.map(unfinished).join("\n"))
  }
  const planned = await finishedRuns(members, runs)
  const missing = planned.filter(({ run }) => run === undefined).map(({ name }) => name)
  if (missing.length > 0)
    return incomplete(
      `No finished run of ${missing.join("; ")} (profile ${members[0]!.spec.profile}) in ${runs}. Run the same command without --table.`,
    )
  return { found: planned.map(({ run }) => run!), remarks: otherDataRemarks(planned, "models") }
}

export const matchedComparison = async (
  input: MatchedInput,
  display: Display = openDisplay(),
): Promise<Outcome> => {
  const names = input.specs.length === 0 ? DEFAULT_SPECS : input.specs
  if (names.length < 2) throw new UsageError("a comparison needs two specs at least")
  const files = await Promise.all(names.map(locateSpec))
  const seeds = Option.isSome(input.seeds) ? parseSeeds(input.seeds.value) : undefined
  if (Option.isSome(input.out)) await requireReport(input.out.value)
  const profile = await studyProfile(input.profile, files[0]!, display)
  const own = await runsOf(await membersOf(files, profile, input.set, seeds), input, display)
  if ("text" in own) return own
  const runs: MatchedRun[] = []
  for (const run of own.found) runs.push(await readMatchedRun(run, (await publishedClaims(run)).claims))
  const result = matched(runs, { ratioInterval })
  const written = Option.isSome(input.out)
    ? await writeReport(
        input.out.value,
        new Map([
          ...reportFiles(
            withFindings(result),
            await Promise.all(
              own.found.map((run) =>
                curvesOf(run, `${run.manifest.spec}, seed ${experimentOf(run).training.seed}`),
              ),
            ),
            matchedLadder(runs),
            {
              qualities: matchedCurves(runs),
              lengths: (
                await Promise.all(
                  own.found.map((run) =>
                    lengthsOf(run, `${run.manifest.spec}-${experimentOf(run).training.seed}`),
                  ),
                )
              ).flat(),
            },
          ),
          ["matched.json", `${JSON.stringify(result, null, 2)}\n`],
        ]),
      )
    : []
  const notes = [...own.remarks, ...(written.length === 0 ? [] : [`Written: ${written.join(", ")}.`])]
  const painted = input.format === "terminal" && mayColour(process.stdout, process.env)
  const text = renderMatched(painted ? visibleIn(result) : result, input.format, {
    width: outputWidth(),
    colour: painted,
  })
  return {
    text: text.replace(/\n$/, ""),
    painted,
    verbatim: input.format !== "terminal",
    json: result,
    ...(notes.length === 0 ? {} : { notes }),
    ...(result.comparable ? {} : { exitCode: 3 }),
  }
}
