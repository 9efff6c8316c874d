/** `repro eval` that was stopped goes on when it is asked again, and measures nothing twice. */
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Option from "effect/Option"
import tap, { test } from "tap"
import { evaluateCheckpoint, type EvalInput } from "../../src/app/eval.js"
import { readRun } from "../../src/run/directory.js"
import { recordingDisplay, type Display } from "../../src/run/display.js"
import { root } from "./small.js"

tap.setTimeout(300_000)

const at = (name: string): string => join(root, "test/cli/checkpoint", name)

/** checkpoint/ holds a network of width 16 with the data that it is measured on. */
const setting = async (folder: string): Promise<EvalInput> => {
  const spec = JSON.parse(await readFile(at("spec.json"), "utf8")) as {
    readonly data: object
    readonly evaluations: readonly [{ readonly windows: object }]
  }
  const [first] = spec.evaluations
  const sliding = { ...first, windows: { ...first.windows, count: 32 }, stride: 16 }
  for (const name of ["train.bin", "val.bin"]) await copyFile(at(name), join(folder, name))
  const corpus = {
    kind: "files",
    train: [`file:${join(folder, "train.bin")}`],
    validation: [`file:${join(folder, "val.bin")}`],
  }
  const path = join(folder, "spec.json")
  await writeFile(
    path,
    JSON.stringify({
      ...spec,
      data: { ...spec.data, corpus },
      evaluations: [
        { ...sliding, id: "first" },
        { ...sliding, id: "second" },
      ],
      execution: { engine: "onnxruntime", device: "cpu", precision: "fp32", threads: 1 },
    }),
  )
  return {
    checkpoint: at("negbit.pt"),
    spec: path,
    profile: "paper",
    evaluation: Option.none(),
    names: Option.none(),
    engine: Option.none(),
    precision: Option.none(),
    device: Option.none(),
    threads: Option.none(),
    xla: Option.none(),
    runs: join(folder, "runs"),
    json: true,
  }
}

/** Asks to stop, as Ctrl-C does, once `phase` has measured something. */
const stoppingIn = (phase: string): Display & { readonly lines: () => string } => {
  const display = recordingDisplay()
  let at = ""
  let asked = false
  return {
    ...display,
    phase: (name, total, options) => {
      at = name
      display.phase(name, total, options)
    },
    update: (progress) => {
      if (at === phase && progress.done > 0 && !asked) {
        asked = true
        process.kill(process.pid, "SIGINT")
      }
      display.update(progress)
    },
    lines: () => display.recorded.map((each) => ("line" in each ? each.line : "")).join("\n"),
  }
}

const rowsOf = ({ json }: Awaited<ReturnType<typeof evaluateCheckpoint>>): unknown =>
  (json as { readonly rows?: readonly { readonly id: string; readonly value: number }[] }).rows?.map(
    ({ id, value }) => [id, value],
  )

test("stopped twice, it goes on in the same run and ends with the same rows", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "repro-eval-"))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const input = await setting(folder)
  const whole = await evaluateCheckpoint({ ...input, runs: join(folder, "whole") }, stoppingIn("never"))

  const runs: string[] = []
  for (const phase of ["evaluating first", "evaluating second", "never"]) {
    const display = stoppingIn(phase)
    const { json, exitCode } = await evaluateCheckpoint(input, display)
    runs.push((json as { readonly run: string }).run)
    if (phase !== "never") t.equal(exitCode, 3)
    if (phase === "evaluating first") t.notMatch(display.lines(), /goes on/)
    else
      t.match(
        display.lines(),
        new RegExp(
          `was stopped; it goes on[^]*Evaluation ${phase === "never" ? "second" : "first"} goes on: \\d+ forward passes`,
        ),
      )
  }
  t.equal(new Set(runs).size, 1, runs.join())
  const run = await readRun(join(input.runs, runs[0]!))
  const events = await run.events()
  t.same(
    events.flatMap((event) => (event.type === "evaluation" ? [event.id] : [])).sort(),
    ["first", "floors", "second"],
    "each was measured once",
  )
  t.equal(
    events.filter((event) => event.type === "notice" && event.text.startsWith("Weights from")).length,
    1,
  )

  const again = await evaluateCheckpoint(input, stoppingIn("never"))
  t.same(rowsOf(again), rowsOf(whole))
  t.not(
    (again.json as { readonly run: string }).run,
    runs[0],
    "what was finished is measured anew when asked",
  )
  const other = await evaluateCheckpoint(
    { ...input, threads: Option.some(2) },
    stoppingIn("evaluating first"),
  )
  t.equal(other.exitCode, 3)
  t.equal((await readdir(input.runs)).filter((name) => /^\d{8}T/.test(name)).length, 3)
  await evaluateCheckpoint({ ...input, evaluation: Option.some("first") }, stoppingIn("never"))
  t.equal(
    (await readdir(input.runs)).filter((name) => /^\d{8}T/.test(name)).length,
    4,
    "another evaluation, or an executor set otherwise, is another run",
  )
})
