/** `repro sweep`: every cell of a spec's grid, and one table over them. */
import * as Option from "effect/Option"
import { reportFiles } from "../report/report-files.js"
import { renderTable, type TableFormat } from "../report/render/index.js"
import { sweepTable } from "../analysis/sweep-runs.js"
import { mayColour, openDisplay, type Display } from "../run/display.js"
import { duration } from "../run/progress.js"
import type { LoadedSpec, Profile } from "../spec/spec-file.js"
import type { CellSpec } from "../spec/cell-spec.js"
import type { EngineFlags } from "./choose-executor.js"
import { locateSpec } from "./locate.js"
import { setFlags } from "./resume-advice.js"
import { openSpec } from "./open-spec.js"
import { UsageError, type Outcome } from "./outcome.js"
import { chooseCells } from "./study/cells.js"
import { finishedRuns, otherDataRemarks, planMembers, type PlannedMember } from "./study/members.js"
import type { MemberOutcome } from "./study/progress.js"
import { parseSeeds, runStudy, studyProfile } from "./study/study.js"
import { columns } from "./text.js"
import { curvesOf, requireReport, writeReport } from "./report.js"
import { outputWidth, publishedClaims } from "./run-results.js"

export interface SweepInput extends EngineFlags {
  readonly spec: string
  readonly profile: Option.Option<Profile>
  readonly set?: readonly string[]
  /** Instead of the sweep's. */
  readonly seeds: Option.Option<string>
  readonly only: readonly string[]
  readonly workers: number
  readonly runs: string
  readonly dryRun: boolean
  readonly table: boolean
  readonly format: TableFormat
  readonly out: Option.Option<string>
  readonly json: boolean
}

interface Frame {
  readonly input: SweepInput
  readonly spec: LoadedSpec
  readonly cells: readonly CellSpec[]
}

const progressOf = ({ state }: PlannedMember): string =>
  state.state === "new" || state.state === "finished" ? "" : `step ${state.run.step}`

const dryRun = async ({ input, cells, spec: { file, profile } }: Frame): Promise<Outcome> => {
  const planned = await planMembers(cells, input.runs)
  const left = planned.filter(({ state }) => state.state !== "finished")
  const total = left.reduce((sum, { seconds }) => sum + seconds, 0) / Math.max(1, input.workers)
  const rows = planned.map((each) => [
    each.name,
    each.state.state,
    each.state.state === "new" ? "" : each.state.run.id,
    progressOf(each),
    each.state.state === "finished" ? "" : `about ${duration(each.seconds)}`,
  ])
  return {
    text: [
      columns([["CELL", "STATE", "RUN", "PROGRESS", "TIME"], ...rows]),
      "",
      left.length === 0
        ? `All ${planned.length} cells are finished; the table: repro sweep ${input.spec} --profile ${profile} --table`
        : `${left.length} of ${planned.length} cells to run, about ${duration(total)} of training and evaluation as planned, start-up not counted.`,
    ].join("\n"),
    json: {
      file,
      profile,
      seconds: total,
      cells: planned.map(({ cell, name, fingerprint, state, seconds }) => ({
        name,
        settings: cell.settings,
        seed: cell.seed,
        fingerprint,
        state: state.state,
        run: state.state === "new" ? null : state.run.id,
        step: state.state === "new" ? 0 : state.run.step,
        seconds,
      })),
    },
    notes: otherDataRemarks(planned),
  }
}

const describe = ({ name, state, message }: MemberOutcome): string =>
  `Cell ${name}: ${state}${message === undefined ? "" : `: ${message}`}.`.replace(/\.\.$/, ".")

/** The table over what is finished, with what is not beside it. */
const results = async (frame: Frame, outcomes?: readonly MemberOutcome[]): Promise<Outcome> => {
  const { input, spec: whole, cells } = frame
  const { file, profile, sweep } = whole
  const runs = await finishedRuns(cells, input.runs)
  const states: readonly MemberOutcome[] =
    outcomes ??
    runs.map(({ name, fingerprint, run }) => ({
      name,
      fingerprint,
      ...(run === undefined
        ? { state: "pending" as const }
        : { state: "finished" as const, how: "found" as const, run: run.manifest.id }),
    }))
  const unfinished = states.filter(({ state }) => state !== "finished")
  const goOn = [
    `repro sweep ${input.spec} --profile ${profile}${setFlags(input.set)}`,
    ...(Option.isSome(input.seeds) ? [`--seeds ${input.seeds.value}`] : []),
    ...input.only.map((name) => `--only ${name}`),
    ...(input.workers > 1 ? [`--workers ${input.workers}`] : []),
    ...(input.runs === "runs" ? [] : [`--runs ${input.runs}`]),
  ].join(" ")
  const summary = {
    file,
    profile,
    finished: unfinished.length === 0,
    cells: states,
    ...(unfinished.length === 0 ? {} : { resume: goOn }),
  }
  const notes =
    unfinished.length === 0
      ? [`Table again: ${goOn} --table`]
      : [
          ...unfinished.filter(({ state }) => state !== "pending").map(describe),
          `${unfinished.length} of ${states.length} cells are not finished; nothing is lost.`,
          `Go on with: ${goOn}`,
        ]
  const exitCode = unfinished.length === 0 ? 0 : 3
  const first = runs.find(({ run }) => run !== undefined)?.run
  if (first === undefined)
    return { text: "No cell is finished yet.", json: { sweep: summary }, notes, exitCode }
  const { table, comparisons } = await sweepTable(
    sweep!,
    runs,
    await publishedClaims(first),
    otherDataRemarks(runs),
  )
  const colour = mayColour(process.stdout, process.env)
  const written = Option.isSome(input.out)
    ? await writeReport(
        input.out.value,
        reportFiles(
          table,
          await Promise.all(
            runs.flatMap(({ cell, run }) => (run === undefined ? [] : [curvesOf(run, cell.name)])),
          ),
        ),
      )
    : []
  const shown = renderTable(table, input.format, {
    width: outputWidth(),
    colour,
  })
  return {
    text: shown.replace(/\n$/, ""),
    painted: colour && input.format === "terminal",
    verbatim: input.format !== "terminal",
    json: { sweep: { ...summary, comparisons }, ...table },
    notes: [...notes, ...(written.length === 0 ? [] : [`Written: ${written.join(", ")}.`])],
    exitCode,
  }
}

/** The spec with the seeds of the command line, which a spec without a sweep is swept over. */
const withSeeds = (spec: LoadedSpec, seeds: SweepInput["seeds"]): LoadedSpec =>
  Option.isNone(seeds) ? spec : { ...spec, sweep: { ...spec.sweep, seeds: parseSeeds(seeds.value) } }

export const sweep = async (input: SweepInput, display: Display = openDisplay()): Promise<Outcome> => {
  const { workers, set, runs } = input
  if (!(workers >= 1)) throw new UsageError(`--workers must be 1 or more, found ${workers}`)
  const file = await locateSpec(input.spec)
  const profile = await studyProfile(input.profile, file, display)
  const spec = withSeeds(await openSpec(file, profile, set), input.seeds)
  const frame: Frame = { input, spec, cells: chooseCells(spec, input.only) }
  if (input.dryRun) return dryRun(frame)
  if (input.table) return results(frame)
  if (Option.isSome(input.out)) await requireReport(input.out.value)
  const over = {
    workers,
    file: spec.file,
    profile,
    ...(set === undefined ? {} : { settings: set }),
    seeds: Option.getOrUndefined(input.seeds) === undefined ? undefined : spec.sweep!.seeds,
  }
  const study = { members: frame.cells, noun: "Cell", runs, engine: input }
  return results(frame, await runStudy(workers === 1 ? study : { ...study, over }, display))
}
