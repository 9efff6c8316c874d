/** A family and a task that no line of `src` names are planned, trained, evaluated, sampled and graded like the others. */
import { readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import t from "tap"
import type { SampleItem } from "../../src/evaluators/samples/item.js"
import { registerTraced } from "../../src/families/traced.js"
import { registerTask } from "../../src/tasks/index.js"
import { invoke } from "../cli/harness.js"
import { toy } from "./family.js"
import { toySpec } from "./spec.js"
import { oneLetter, WORD } from "./task.js"

t.setTimeout(540_000)

interface Row {
  readonly id: string
  readonly value: number
}

const lines = async <A>(path: string): Promise<readonly A[]> =>
  (await readFile(path, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as A)

const sameLetter = ({ text }: { readonly text: string }): boolean =>
  text.length >= WORD && new Set(text).size === 1

interface Scored {
  readonly generations: number
  readonly figures: readonly { readonly grader: string; readonly right: number }[]
}

void t.test("a family and a task of one folder", async (t) => {
  const { folder, spec } = await toySpec()
  const runs = join(folder, "runs")
  t.teardown(() => rm(folder, { recursive: true, force: true }))

  await t.test("unknown while they are not registered", async (t) => {
    const { code, stdout, stderr } = await invoke("validate", spec)
    t.equal(code, 2)
    for (const place of ["/system", "/model/kind", "/objective/kind"])
      t.match(`${stdout}${stderr}`, `${place}: expected`)
  })

  const removals = [registerTraced(toy), registerTask(oneLetter)]
  t.teardown(() => removals.forEach((remove) => remove()))

  await t.test("planned", async (t) => {
    const plan = await invoke("plan", spec, "--json")
    t.equal(plan.code, 0, plan.stderr)
    const { parameters } = JSON.parse(plan.stdout) as { readonly parameters: { readonly total: number } }
    t.equal(parameters.total, 2 * 8 * 8 + 8, "two tables of 8 rows and a scale")
  })

  const ran = await invoke("run", spec, "--profile", "paper", "--runs", runs, "--json")
  t.equal(ran.code, 0, ran.stderr)
  const { run, rows } = JSON.parse(ran.stdout) as { readonly run: string; readonly rows: readonly Row[] }
  const valueOf = (id: string): number => rows.find((row) => row.id === id)!.value
  const evidence = join(runs, run, "evidence", "words.ndjson")

  await t.test("trained and evaluated: it knows of a whole word what a bigram cannot", async (t) => {
    t.ok(valueOf("elbo/bits-per-token") < valueOf("floor/bigram/bits-per-token"))
    t.equal((await invoke("verify", "latest", "--runs", runs)).code, 0)
    const table = await invoke("table", "latest", "--runs", runs, "--format", "json")
    t.same((JSON.parse(table.stdout) as { rows: readonly Row[] }).rows, rows, "from the evidence alone")
  })

  await t.test("its texts are graded by the task", async (t) => {
    const items = await lines<SampleItem>(evidence)
    const right = items.filter(sameLetter).length
    t.equal(items.length, 12)
    t.equal(valueOf("words/same"), right / items.length)
    // Of 5 letters drawn apart from each other one word in 5^7 is of one letter.
    t.ok(right >= 3, `${right} of 12`)
  })

  await t.test("texts of a run and of `repro sample` are scored again from their files", async (t) => {
    const out = join(folder, "texts.ndjson")
    const sampled = await invoke("sample", "latest", "--runs", runs, "--count", "5", "--out", out)
    t.equal(sampled.code, 0, sampled.stderr)
    const sampledTexts = (await lines<{ readonly text?: string }>(out)).flatMap(({ text }) =>
      text === undefined ? [] : [{ text }],
    )
    for (const [file, texts] of [
      [evidence, await lines<SampleItem>(evidence)],
      [out, sampledTexts],
    ] as const) {
      const { code, stdout, stderr } = await invoke("score", file, "--task", "one-letter", "--json")
      t.equal(code, 0, stderr)
      const { generations, figures } = JSON.parse(stdout) as Scored
      t.equal(generations, texts.length)
      t.match(figures, [{ grader: "same", right: texts.filter(sameLetter).length }])
    }
  })
})

void t.test("how texts were sampled is no text", async (t) => {
  const remove = registerTask(oneLetter)
  const { folder } = await toySpec()
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, "none.ndjson")
  await writeFile(file, '{"type":"sampling","count":0}\n')
  const { code, stderr } = await invoke("score", file, "--task", "one-letter")
  remove()
  t.equal(code, 1)
  t.match(stderr, /none\.ndjson: it says how texts were sampled, and holds none of them/)
})
