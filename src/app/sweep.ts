/** `repro sweep`: every cell of a spec's grid, and one table over them. */
import * as Option from "effect/Option"
import { cacheDirectory } from "../files/sources.js"
import { findAvailable } from "../engine/choose.js"
import { renderTable, type TableFormat } from "../report/render/index.js"
import { sweepTable } from "../analysis/sweep-runs.js"
import { mayColour, openDisplay, type Display } from "../run/display.js"
import { duration } from "../run/progress.js"
import type { LoadedSpec, Profile } from "../spec/spec-file.js"
import type { CellSpec } from "../spec/cell-spec.js"
import type { EngineFlags } from "./choose-executor.js"
import { chooseProfile } from "./choose-profile.js"
import { watchInterrupts } from "./interrupts.js"
import { locateSpec } from "./locate.js"
import { setFlags } from "./resume-advice.js"
import { openSpec } from "./open-spec.js"
import { UsageError, type Outcome } from "./outcome.js"
import {
  chooseCells,
  finishedRuns,
  otherDataRemarks,
  planCells,
  requireSomeData,
  type PlannedCell,
} from "./sweep/cells.js"
import { sweepInProcess } from "./sweep/in-process.js"
import type { CellOutcome } from "./sweep/progress.js"
import { sweepOverWorkers } from "./sweep/workers.js"
import { columns } from "./text.js"
import { outputWidth, publishedClaims } from "./run-results.js"

export interface SweepInput extends EngineFlags {
  readonly spec: string
  readonly profile: Option.Option<Profile>
  readonly set?: readonly string[]
  readonly only: readonly string[]
  readonly workers: number
  readonly runs: string
  readonly dryRun: boolean
  readonly table: boolean
  readonly format: TableFormat
  readonly json: boolean
}

interface Frame {
  readonly input: SweepInput
  readonly spec: LoadedSpec
  readonly cells: readonly CellSpec[]
}

const progressOf = ({ state }: PlannedCell): string =>
  state.state === "new" || state.state === "finished" ? "" : `step ${state.run.step}`

const dryRun = async ({ input, cells, spec: { file, profile } }: Frame): Promise<Outcome> => {
  const planned = await planCells(cells, input.runs)
  const left = planned.filter(({ state }) => state.state !== "finished")
  const total = left.reduce((sum, { seconds }) => sum + seconds, 0) / Math.max(1, input.workers)
  const rows = planned.map((each) => [
    each.cell.name,
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
      cells: planned.map(({ cell, fingerprint, state, seconds }) => ({
        name: cell.name,
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

const describe = ({ name, state, message }: CellOutcome): string =>
  `Cell ${name}: ${state}${message === undefined ? "" : `: ${message}`}.`.replace(/\.\.$/, ".")

/** The table over what is finished, with what is not beside it. */
const results = async (frame: Frame, outcomes?: readonly CellOutcome[]): Promise<Outcome> => {
  const { input, spec: whole, cells } = frame
  const { file, profile, sweep } = whole
  const runs = await finishedRuns(cells, input.runs)
  const states: readonly CellOutcome[] =
    outcomes ??
    runs.map(({ cell, fingerprint, run }) => ({
      name: cell.name,
      fingerprint,
      ...(run === undefined
        ? { state: "pending" as const }
        : { state: "finished" as const, how: "found" as const, run: run.manifest.id }),
    }))
  const unfinished = states.filter(({ state }) => state !== "finished")
  const goOn = [
    `repro sweep ${input.spec} --profile ${profile}${setFlags(input.set)}`,
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
  const shown = renderTable(table, input.format, {
    width: outputWidth(),
    colour,
  })
  return {
    text: shown.replace(/\n$/, ""),
    painted: colour && input.format === "terminal",
    json: { sweep: { ...summary, comparisons }, ...table },
    notes,
    exitCode,
  }
}

const compute = async (frame: Frame, display: Display): Promise<readonly CellOutcome[]> => {
  const { input } = frame
  const { file, profile } = frame.spec
  const { runs, workers } = input
  let stopAll: (() => void) | undefined
  const stop = watchInterrupts(display, () => stopAll?.())
  try {
    await requireSomeData(frame.cells)
    const cells = await planCells(frame.cells, runs)
    const done = cells.filter(({ state }) => state.state === "finished").length
    if (done > 0) display.log(`${done} of ${cells.length} cells are finished already.`)
    const job = { cells, runs, engine: input, display, stopping: stop.requested, signal: stop.signal }
    return workers === 1
      ? await sweepInProcess(job)
      : await sweepOverWorkers({
          ...job,
          workers,
          file,
          profile,
          ...(input.set === undefined ? {} : { settings: input.set }),
          onStart: (all) => {
            stopAll = all
          },
        })
  } finally {
    stop.release()
    display.end()
  }
}

export const sweep = async (input: SweepInput, display: Display = openDisplay()): Promise<Outcome> => {
  if (!(input.workers >= 1)) throw new UsageError(`--workers must be 1 or more, found ${input.workers}`)
  const file = await locateSpec(input.spec)
  let profile = Option.getOrUndefined(input.profile)
  if (profile === undefined) {
    const chosen = await chooseProfile(file, cacheDirectory(), findAvailable)
    display.log(`Profile ${chosen.profile}: ${chosen.reason}.`)
    profile = chosen.profile
  }
  const spec = await openSpec(file, profile, input.set)
  const frame: Frame = { input, spec, cells: chooseCells(spec, input.only) }
  if (input.dryRun) return dryRun(frame)
  return results(frame, input.table ? undefined : await compute(frame, display))
}
