/** The three specs of the first seed on generated word problems: trained, the checkpoint graded, one row fitted. */
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import t from "tap"
import { invoke } from "./harness.js"

t.setTimeout(540_000)
const folder = await mkdtemp(join(tmpdir(), "repro-tinygsm-ci-"))
t.teardown(() => rm(folder, { recursive: true, force: true }))
const runs = join(folder, "runs")

interface Result {
  readonly run: string
  readonly finished: boolean
  readonly rows: readonly { readonly id: string; readonly value: number | null }[]
}

const ci = async (...args: readonly string[]): Promise<Result> => {
  const ran = await invoke(
    ...args,
    "--profile",
    "ci",
    "--engine",
    "onnxruntime",
    "--threads",
    "1",
    "--runs",
    runs,
    "--json",
  )
  t.equal(ran.code, 0, ran.stderr)
  return JSON.parse(ran.stdout) as Result
}

const value = ({ rows }: Result, id: string): number | null | undefined =>
  rows.find((row) => row.id === id)?.value

/** Texts of an evaluation with their verdicts. */
const itemsOf = async ({ run }: Result, id: string) =>
  (await readFile(join(runs, run, "evidence", `${id}.ndjson`), "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly graders: Record<string, { readonly correct: boolean }> })

void t.test("a checkpoint of flexmdm_tinygsm is graded by flexmdm_tinygsm_gsm8k", async (t) => {
  const trained = await ci("run", "specs/flexmdm_tinygsm.json")
  t.ok(trained.finished)
  const checkpoint = join(runs, trained.run, "checkpoints", "step-60.safetensors")
  const spec = "specs/flexmdm_tinygsm_gsm8k.json"
  t.equal((await invoke("prepare", spec, "--profile", "ci")).code, 0)
  const graded = await ci("eval", "--checkpoint", checkpoint, "--spec", spec)
  for (const id of ["events", "tau-16"]) {
    const items = await itemsOf(graded, id)
    t.equal(items.length, 16)
    for (const grader of ["execution", "execution-published"]) {
      const right = items.filter(({ graders }) => graders[grader]!.correct).length
      t.equal(value(graded, `${id}/${grader}`), right / 16, `${id}, ${grader}`)
    }
  }
})

void t.test("flexmdm_tinygsm_overfit measures the row that it is trained on", async (t) => {
  const fitted = await ci("run", "specs/flexmdm_tinygsm_overfit.json")
  t.ok(fitted.finished)
  const items = await itemsOf(fitted, "events")
  t.equal(items.length, 4)
  const exact = items as unknown as readonly { readonly text: string; readonly target: string }[]
  t.equal(
    value(fitted, "events/exact"),
    exact.filter(({ text, target }) => text === target).length / exact.length,
  )
})
