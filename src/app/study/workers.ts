/**
 * The cells of a sweep over several processes of this program, each of which runs one cell and ends. A cell is claimed
 * by the locks of the runs folder, so several sweeps, also on machines that share the folder, divide the cells.
 */
import { availableParallelism } from "node:os"
import * as Option from "effect/Option"
import { execa } from "execa"
import { modulePath } from "../../files/package-files.js"
import type { EngineFlags } from "../choose-executor.js"
import type { PlannedMember } from "./members.js"
import type { StudyJob } from "./in-process.js"
import { memberLine, estimator, outcomeOf, type MemberOutcome } from "./progress.js"

export interface WorkerJob extends StudyJob {
  readonly workers: number
  /** The spec file and profile, as the workers are to read them. */
  readonly file: string
  readonly profile: string
  /** What the command line set, and the seeds that it gave. */
  readonly settings?: readonly string[]
  readonly seeds?: readonly number[] | undefined
  /** Called with a function that asks every worker to stop after its step. */
  readonly onStart: (stopAll: () => void) => void
}

/** Lines of a worker that are not passed on: what it says about a sweep of its one cell. */
const UNSAID = /^\s*$|^(Table again|Go on with): |cells are not finished|^Cell .*: (stopped|failed|elsewhere)/

/** This program, from its sources or built. */
const program = (): readonly string[] => [...process.execArgv, modulePath("cli/bin")]

const flag = (name: string, value: Option.Option<string>): readonly string[] =>
  Option.isSome(value) ? [`--${name}`, value.value] : []

/** The flags again; threads are divided among the workers unless they were given. */
const engineArguments = (engine: EngineFlags, cell: PlannedMember, workers: number): readonly string[] => {
  const threads =
    Option.getOrUndefined(engine.threads) ??
    cell.spec.experiment.execution?.threads ??
    Math.max(1, Math.floor(availableParallelism() / workers))
  return [
    ...flag("engine", engine.engine),
    ...flag("precision", engine.precision),
    ...flag("device", engine.device),
    ...flag("xla", engine.xla),
    ...flag("recompute", engine.recompute ?? Option.none()),
    "--threads",
    String(threads),
  ]
}

/** What a worker says on standard output; undefined when it ended without a word. */
const parseOutcome = (
  stdout: string,
  cellName: string,
): Omit<MemberOutcome, "name" | "fingerprint"> | undefined => {
  try {
    const { sweep } = JSON.parse(stdout) as { readonly sweep: { readonly cells: readonly MemberOutcome[] } }
    const found = sweep.cells.find((cell) => cell.name === cellName)
    if (found === undefined) return undefined
    const { name: _name, fingerprint: _fingerprint, ...rest } = found
    return rest
  } catch {
    return undefined
  }
}

export const studyOverWorkers = async (job: WorkerJob): Promise<readonly MemberOutcome[]> => {
  const {
    members: cells,
    workers,
    file,
    profile,
    settings = [],
    seeds,
    runs,
    engine,
    display,
    stopping,
  } = job
  const outcomes = new Map<PlannedMember, MemberOutcome>()
  for (const cell of cells)
    if (cell.state.state === "finished")
      outcomes.set(cell, outcomeOf(cell, { state: "finished", how: "found", run: cell.state.run.id }))
  const queue = cells.filter((cell) => !outcomes.has(cell))
  const living = new Set<{ readonly kill: (signal: NodeJS.Signals) => boolean }>()
  const signalAll = (signal: NodeJS.Signals): void => {
    for (const child of living) child.kill(signal)
  }
  const onExit = (): void => signalAll("SIGKILL") // a killed run loses nothing
  job.onStart(() => signalAll("SIGINT"))
  process.once("exit", onExit)
  const estimate = estimator()

  const runCell = async (cell: PlannedMember): Promise<MemberOutcome> => {
    const { name } = cell
    const args = [
      "sweep",
      file,
      "--profile",
      profile,
      ...settings.flatMap((each) => ["--set", each]),
      ...(seeds === undefined ? [] : ["--seeds", seeds.join(",")]),
      "--runs",
      runs,
      "--only",
      name,
      "--json",
    ]
    // A group of its own: Ctrl-C at the terminal comes here, and is handed on once.
    const child = execa(
      process.execPath,
      [...program(), ...args, ...engineArguments(engine, cell, workers)],
      {
        reject: false,
        detached: true,
        cleanup: false,
        stdin: "ignore",
        env: { CI: "1", REPRO_PARENT: String(process.pid) }, // plain progress lines; gone when this process is
      },
    )
    living.add(child)
    let last = ""
    child.stderr.on("data", (chunk: Buffer) => {
      const lines = (last + chunk.toString()).split("\n")
      last = lines.pop() ?? ""
      for (const line of lines) if (!UNSAID.test(line)) display.log(`[${name}] ${line}`)
    })
    if (stopping()) child.kill("SIGINT")
    const { stdout, stderr, exitCode, signal } = await child
    living.delete(child)
    const said = parseOutcome(stdout, name)
    if (said !== undefined) return outcomeOf(cell, said)
    if (stopping()) return outcomeOf(cell, { state: "stopped", message: "stopped before it could say where" })
    const end = signal === undefined ? `exit code ${exitCode ?? "unknown"}` : `signal ${signal}`
    const message = stderr.trim().split("\n").at(-1) ?? ""
    return outcomeOf(cell, { state: "failed", message: `its process ended with ${end}. ${message}`.trim() })
  }

  const work = async (): Promise<void> => {
    for (let cell = queue.shift(); cell !== undefined; cell = queue.shift()) {
      if (stopping()) {
        outcomes.set(cell, outcomeOf(cell, { state: "pending" }))
        continue
      }
      const left = [cell, ...queue]
      display.log(
        memberLine(
          cells.indexOf(cell),
          cells.length,
          cell.name,
          left.length,
          estimate.left(left, workers),
          job.noun,
        ),
      )
      const started = performance.now()
      const outcome = await runCell(cell)
      if (outcome.state === "finished" && outcome.how === "made")
        estimate.took(cell, (performance.now() - started) / 1000)
      outcomes.set(cell, outcome)
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(workers, queue.length) }, work))
  } finally {
    process.off("exit", onExit)
  }
  return cells.map((cell) => outcomes.get(cell)!)
}
