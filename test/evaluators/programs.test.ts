/** Texts that are programs, graded by running them: rows of the validation split, and a test set by source and digest. */
import { createHash } from "node:crypto"
import { readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import t from "tap"
import type { Contract } from "../../src/metric/contract/contract.js"
import type { SampleItem } from "../../src/evaluators/samples/item.js"
import { fingerprint } from "../../src/spec/fingerprint.js"
import { loadSpec } from "../../src/spec/spec-file.js"
import { drawsOf } from "../../src/tasks/generated.js"
import { wordProblem } from "../../src/tasks/word-problems/problems.js"
import { invoke } from "../cli/harness.js"
import { growingSpec } from "./samples-run.js"

t.setTimeout(540_000)

const programs = {
  kind: "samples",
  id: "programs",
  count: 4,
  seeds: [0, 1],
  from: "validation",
  task: "tinygsm",
  sampling: { sampler: "events" },
}

const itemsOf = async (runs: string, run: string, id: string): Promise<readonly SampleItem[]> =>
  (await readFile(join(runs, run, "evidence", `${id}.ndjson`), "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as SampleItem)

interface Row {
  readonly id: string
  readonly value: number
  readonly contractId: string
}

interface Found {
  readonly run: string
  readonly rows: readonly Row[]
  readonly contracts: Readonly<Record<string, Pick<Contract, "data">>>
}

void t.test(
  "a run ends with execution accuracy, graded by the value of each row's own program",
  async (t) => {
    const { folder, spec } = await growingSpec("problems", [programs])
    t.teardown(() => rm(folder, { recursive: true, force: true }))
    const runs = join(folder, "runs")
    const ran = await invoke("run", spec, "--profile", "paper", "--runs", runs, "--json")
    t.equal(ran.code, 0, ran.stderr)
    const { run, rows } = JSON.parse(ran.stdout) as Found
    const items = await itemsOf(runs, run, "programs")
    t.equal(items.length, 8)
    for (const { item, prompt, target, gold } of items) {
      // The generator itself says what row k of the validation split is.
      const problem = wordProblem(drawsOf(7, "validation", item))
      t.equal(prompt.trim(), problem.question)
      t.equal(target, problem.program)
      t.equal(gold, String(problem.answer), "the program's value is the answer")
    }
    for (const grader of ["execution", "execution-published"]) {
      const right = items.filter(({ graders }) => graders![grader]!.correct).length
      t.equal(rows.find(({ id }) => id === `programs/${grader}`)!.value, right / 8)
    }
    const shown = await invoke("table", "latest", "--runs", runs)
    t.match(shown.stdout, /programs: tinygsm, execution: ≈ 0/)
  },
)

void t.test("without a sandbox a run is refused before it trains", async (t) => {
  const { folder, spec } = await growingSpec("problems", [programs])
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const path = process.env["PATH"]
  process.env["PATH"] = process.env["REPRO_PYODIDE"] = "/nowhere"
  t.teardown(() => {
    process.env["PATH"] = path
    delete process.env["REPRO_PYODIDE"]
  })
  const runs = join(folder, "runs")
  const ran = await invoke("run", spec, "--profile", "paper", "--runs", runs)
  t.equal(ran.code, 1)
  t.match(
    `${ran.stdout}${ran.stderr}`,
    /Programs are not run without a sandbox, and this machine has none: bubblewrap is not installed.*Install bubblewrap/,
  )
  t.notMatch(ran.stderr, /training/)
})

void t.test(
  "a test set by source and digest: every item is answered, and its digest is what it is",
  async (t) => {
    const problems = [0, 1, 2].map((k) => wordProblem(drawsOf(9, "test", k)))
    const text = problems
      .map(({ question, answer }) => `${JSON.stringify({ question, answer: `Counted.\n#### ${answer}` })}\n`)
      .join("")
    const sha256 = createHash("sha256").update(text).digest("hex")
    const set = (folder: string, name = "set.jsonl") => ({ source: `file:${join(folder, name)}`, sha256 })
    const { folder, spec } = await growingSpec("problems", [{ ...programs, from: "nothing" }])
    t.teardown(() => rm(folder, { recursive: true, force: true }))
    await writeFile(join(folder, "set.jsonl"), text)
    const write = async (from: unknown, change: object = {}): Promise<string> => {
      const whole = JSON.parse(await readFile(spec, "utf8")) as { evaluations: object[] }
      const path = join(folder, "changed.json")
      await writeFile(path, JSON.stringify({ ...whole, evaluations: [{ ...programs, from, ...change }] }))
      return path
    }
    const runs = join(folder, "runs")
    const run = async (path: string) => invoke("run", path, "--profile", "paper", "--runs", runs, "--json")

    const ran = await run(await write(set(folder), { count: 1000, seeds: [3] }))
    t.equal(ran.code, 0, ran.stderr)
    const found = JSON.parse(ran.stdout) as Found
    const items = await itemsOf(runs, found.run, "programs")
    t.same(
      items.map(({ prompt, gold }) => [prompt, gold]),
      problems.map(({ question, answer }) => [`${question}\n`, String(answer)]),
    )
    const contract = found.contracts[found.rows.find(({ id }) => id === "programs/execution")!.contractId]!
    t.match(contract.data, { dataset: "set.jsonl", slice: "prompts of its items" })
    t.match(contract.data, { split: "not stated" }, "another set is never called the published one")

    const one = fingerprint((await loadSpec(await write(set(folder)), "paper")).experiment)
    t.equal(
      fingerprint((await loadSpec(await write(set(folder, "elsewhere.jsonl")), "paper")).experiment),
      one,
      "a path is no identity",
    )
    const other = { ...set(folder), sha256: "0".repeat(64) }
    t.not(fingerprint((await loadSpec(await write(other), "paper")).experiment), one)

    const refused = async (from: unknown, pattern: RegExp, change: object = {}): Promise<void> => {
      const { code, stdout, stderr } = await run(await write(from, change))
      t.not(code, 0)
      t.match(`${stdout}${stderr}`, pattern)
    }
    await refused(other, /set\.jsonl: its SHA-256 is/)
    await refused(set(folder), /\/task: expected the task that the test set is of/, { task: undefined })
    await refused({ source: "published", sha256 }, /\/from/)
    const strange = `${JSON.stringify({ question: "Who?", answer: "#### 1" })}\n`
    await writeFile(join(folder, "set.jsonl"), strange)
    const digest = createHash("sha256").update(strange).digest("hex")
    await refused(
      { ...set(folder), sha256: digest },
      /does not spell item 0 of the test set: no piece spells "Who\?"/,
    )
  },
)
