/** Scoring by the command line: figures counted by hand, and what is refused. */
import { createHash } from "node:crypto"
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import tap, { test } from "tap"
import { serve, startServer } from "../data/server.js"
import { invoke } from "./harness.js"

tap.setTimeout(540_000)
const folder = await mkdtemp(join(tmpdir(), "repro-score-"))
process.env["REPRO_CACHE"] = join(folder, "cache")
tap.teardown(() => rm(folder, { recursive: true }))

const write = async (name: string, records: readonly unknown[]): Promise<string> => {
  const path = join(folder, name)
  await writeFile(path, records.map((record) => `${JSON.stringify(record)}\n`).join(""))
  return path
}
const digest = async (path: string): Promise<string> =>
  createHash("sha256")
    .update(await readFile(path))
    .digest("hex")

interface Scored {
  readonly generations: number
  readonly items: number
  readonly missing: number
  readonly empty: number
  readonly truncated: number | null
  readonly figures: readonly {
    readonly grader: string
    readonly k: number
    readonly right: number
    readonly value: number
    readonly low: number
    readonly high: number
    readonly failures: Readonly<Record<string, number>>
    readonly near: readonly unknown[]
  }[]
  readonly disagreement: {
    readonly graders: readonly string[]
    readonly counts: readonly (readonly number[])[]
  }
  readonly recorded: readonly unknown[]
  readonly preflight: {
    readonly ceilings: readonly { readonly grader: string; readonly passed: number; readonly tried: number }[]
  }
  readonly claims: readonly {
    readonly claim: string
    readonly own: { readonly agrees: boolean; readonly run: number } | null
  }[]
  readonly comparison: null | {
    readonly common: number
    readonly graders: readonly {
      readonly grader: string
      readonly difference: number
      readonly standardError: number
      readonly mcnemar?: { readonly first: number; readonly second: number; readonly p: number }
      readonly firstOnly: readonly string[]
    }[]
  }
}

const score = async (...args: readonly string[]) => {
  const result = await invoke("score", ...args, "--json")
  return { ...result, json: result.stdout === "" ? undefined : (JSON.parse(result.stdout) as Scored) }
}
const right = ({ json }: { readonly json: Scored | undefined }): Readonly<Record<string, number>> =>
  Object.fromEntries(
    json!.figures.map(({ grader, k, right: count }) => [k === 1 ? grader : `${grader}@${k}`, count]),
  )

const set = await write("set.jsonl", [
  { question: "one", answer: "so\n#### 1,000" },
  { question: "two", answer: "so\n#### -2" },
  { question: "three", answer: "so\n#### 3" },
  { question: "four", answer: "so\n#### 4" },
])
const data = ["--data", `file:${set}`, "--sha256", await digest(set)]

const flexmdm = await write("x_generations.json", [
  {
    generations: [
      {
        question: "one",
        prompt_input: "<|startoftext|>p",
        generations: "p\\boxed{1,000}",
        ground_truth: 1000,
      },
      { question: "two", prompt_input: "<|startoftext|>p", generations: "p\\boxed{-2}", ground_truth: null },
      { question: "three", prompt_input: "<|startoftext|>p", generations: "p", ground_truth: 3 },
      {
        question: "four",
        prompt_input: "<|startoftext|>p",
        generations: "p5 then\n#### 4.",
        ground_truth: 4,
      },
    ],
    diffusion_steps: 128,
  },
])

test("FlexMDM's form, with a test set: every figure as counted by hand", async (t) => {
  const scored = await score(flexmdm, "--task", "gsm8k", ...data)
  t.equal(scored.code, 0, scored.stderr)
  t.same(right(scored), { "strict-repo": 0, tolerant: 2, "last-number": 3, "strict-match": 1, flexible: 3 })
  const { json } = scored
  t.match(json, { generations: 4, items: 4, missing: 0, empty: 1, truncated: null })
  t.same(json!.figures[0]!.failures, { unextracted: 2, "timed-out": 0, error: 0, unscorable: 1 })
  t.same(json!.preflight.ceilings.slice(0, 2), [
    { grader: "strict-repo", passed: 2, tried: 4 },
    { grader: "tolerant", passed: 4, tried: 4 },
  ])
  const of = (row: string, column: string): number => {
    const { graders, counts } = json!.disagreement
    return counts[graders.indexOf(row)]![graders.indexOf(column)]!
  }
  t.equal(of("last-number", "tolerant"), 1)
  t.equal(of("tolerant", "last-number"), 0)
  t.equal(of("flexible", "strict-match"), 2)
})

test("without a test set the file's own numbers are the gold, and a null one is unscorable", async (t) => {
  const scored = await score(flexmdm, "--task", "gsm8k")
  t.equal(scored.code, 0, scored.stderr)
  t.same(right(scored), { "strict-repo": 0, tolerant: 1, "last-number": 2, "strict-match": 1, flexible: 2 })
  t.equal(scored.json!.figures[1]!.failures["unscorable"], 1)
})

const harnessLine = (index: number, answer: string, text: string, filter: string, exact: number) => ({
  doc_id: index,
  doc: { question: `q${index}`, answer },
  target: answer,
  resps: [[text]],
  filtered_resps: ["x"],
  filter,
  exact_match: exact,
})

test("lm-evaluation-harness: filters are no generations of their own, and their verdicts are held against ours", async (t) => {
  const file = await write("samples_gsm8k.jsonl", [
    harnessLine(0, "#### 3", "#### 3", "strict-match", 1),
    harnessLine(0, "#### 3", "#### 3", "flexible-extract", 1),
    harnessLine(1, "#### 4", "it is 4", "strict-match", 0),
    harnessLine(1, "#### 4", "it is 4", "flexible-extract", 0),
  ])
  const scored = await score(file, "--task", "gsm8k", "--grader", "strict-match", "--grader", "flexible")
  t.equal(scored.code, 0, scored.stderr)
  t.same(right(scored), { "strict-match": 1, flexible: 2 })
  t.equal(scored.json!.generations, 2)
  t.same(scored.json!.recorded, [
    { grader: "strict-match", agree: 2, differ: 0 },
    { grader: "flexible", agree: 1, differ: 1 },
  ])
})

const samples = (rights: number, id: number) =>
  Array.from({ length: 5 }, (_, i) => ({
    id,
    completion: i < rights ? "\\boxed{3}" : "\\boxed{9}",
    truncated: i === 0,
  }))

const line = (id: number, completion: string) => ({ id, answer: "#### 3", completion })
const stored = (truth: unknown, text: string) => ({ question: text, generations: text, ground_truth: truth })

test("items with different numbers of samples are said, and shares that are all 0 or 1 keep an interval", async (t) => {
  const uneven = await write("uneven.jsonl", [
    line(1, "\\boxed{3}"),
    line(1, "\\boxed{3}"),
    line(2, "\\boxed{3}"),
  ])
  const shown = await invoke("score", uneven, "--task", "gsm8k", "--grader", "tolerant")
  t.match(shown.stdout, /Items have 1 to 2 generations \(1 of 2 have more than 1\)/)
  const { json } = await score(uneven, "--task", "gsm8k", "--grader", "tolerant")
  // Wilson's interval of 2 of 2 at 95 %: its lower end is n / (n + z^2).
  const low = 2 / (2 + 1.959963984540054 ** 2)
  t.match(json!.figures, [{ value: 1, high: 1 }])
  t.ok(Math.abs(json!.figures[0]!.low - low) < 1e-12, String(json!.figures[0]!.low))
})

test("a gold number may be written as text; one that is no number cannot be compared with", async (t) => {
  const path = join(folder, "text_generations.json")
  const generations = [
    stored("1,018", "\\boxed{1018}"),
    stored("-2.0", "\\boxed{-2}"),
    stored("nan", "\\boxed{nan}"),
  ]
  await writeFile(path, JSON.stringify({ generations }))
  const scored = await score(path, "--task", "gsm8k", "--grader", "tolerant")
  t.equal(scored.code, 0, scored.stderr)
  t.same(right(scored), { tolerant: 2 })
  t.equal(scored.json!.figures[0]!.failures["unscorable"], 1)
})

test("predictions that name no item are items of their own, and need the names with a test set", async (t) => {
  const file = await write("xlm.jsonl", [
    { generated_text: "def simple_math_problem():\n    return 3", answer: "3", correct: true },
    { generated_text: "def simple_math_problem():\n    return 3", answer: "4", correct: false },
  ])
  const scored = await score(file, "--task", "tinygsm")
  t.equal(scored.code, 0, scored.stderr)
  t.match(scored.json, { items: 2, recorded: [{ grader: "execution-published", agree: 2, differ: 0 }] })
  t.same(right(scored), { execution: 1, "execution-published": 1 })
  t.match((await score(file, "--task", "tinygsm", ...data)).stderr, /neither an id nor a question/)
})

test("several samples an item: pass@1 is the mean over items, pass@5 where each has as many", async (t) => {
  const three = await write("three.jsonl", [
    { question: "a", answer: "#### 3" },
    { question: "b", answer: "#### 3" },
  ])
  const file = await write("samples.jsonl", [...samples(1, 0), ...samples(0, 1)])
  const scored = await score(
    file,
    "--task",
    "gsm8k",
    "--grader",
    "tolerant",
    "--data",
    `file:${three}`,
    "--sha256",
    await digest(three),
  )
  for (const [index, [k, value]] of [
    [1, 0.1],
    [5, 0.5],
  ].entries()) {
    const figure = scored.json!.figures[index]!
    t.equal(figure.k, k)
    t.ok(Math.abs(figure.value - value!) < 1e-12, `pass@${k} ${figure.value}`)
  }
  t.equal(scored.json!.truncated, 2)
})

const program = (body: string): string => `def simple_math_problem():\n    ${body}\n`

test("programs: right, wrong, failing and slow ones, with their evidence", async (t) => {
  const texts = ["return 10**3", "return -2", "return 1 / 0", "while True: pass"]
  const file = await write(
    "programs.jsonl",
    texts.map((body, id) => ({ id, completion: program(body) })),
  )
  const evidence = join(folder, "evidence.ndjson")
  const scored = await score(file, "--task", "tinygsm", ...data, "--evidence", evidence)
  t.equal(scored.code, 0, scored.stderr)
  t.same(right(scored), { execution: 2, "execution-published": 2 })
  t.match(scored.json!.figures[0], { failures: { "timed-out": 1, error: 1 }, near: [{ item: "3" }] })
  const lines = (await readFile(evidence, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown)
  t.equal(lines.length, 4)
  t.match(
    lines.find((line) => (line as { item: string }).item === "0"),
    {
      sample: 0,
      completion: program("return 10**3"),
      graders: { execution: { correct: true, value: "1000" } },
    },
  )
})

const infillItem = (task_id: string) => ({
  task_id,
  entry_point: "double",
  prompt: "def double(x):\n",
  suffix: "    return y\n",
  canonical_solution: "    y = 2 * x\n",
  test: "def check(candidate):\n    assert candidate(2) == 4\n",
})

test("HumanEval's form: completions with and without their newline, and a missing item", async (t) => {
  const infill = await write("infill.jsonl", ["S/0/L0", "S/0/L1", "S/1/L0", "S/2/L0"].map(infillItem))
  const file = await write("samples-infill.jsonl", [
    { task_id: "S/0/L0", completion: "    y = 2 * x\n", passed: true },
    { task_id: "S/0/L1", completion: "    y = 2 * x", passed: false },
    { task_id: "S/1/L0", completion: "    y = 3 * x\n", passed: true },
  ])
  const scored = await score(
    file,
    "--task",
    "humaneval-infill",
    "--grader",
    "all",
    "--data",
    `file:${infill}`,
    "--sha256",
    await digest(infill),
  )
  t.equal(scored.code, 3, "an item has no generation")
  t.same(right(scored), { raw: 1, newline: 2, official: 1, "official-newline": 2 })
  t.equal(scored.json!.missing, 1)
  t.same(scored.json!.recorded, [{ grader: "official", agree: 2, differ: 1 }])
})

const answers = (values: readonly number[]) =>
  values.map((value, index) => ({ id: index, completion: `\\boxed{${value}}` }))

test("two files, item by item", async (t) => {
  const [a, b] = [
    await write("a.jsonl", answers([1000, -2, 3, 9])),
    await write("b.jsonl", answers([9, 9, 3, 4])),
  ]
  const scored = await score(a, "--task", "gsm8k", "--grader", "tolerant", ...data, "--compare", b)
  t.equal(scored.code, 0, scored.stderr)
  const { common, graders } = scored.json!.comparison!
  t.equal(common, 4)
  // Differences 1, 1, 0, -1: mean 1/4, s^2 = 11/12, standard error sqrt(11/48); p = 2 (1 + 3) / 2^3 = 1.
  t.equal(graders[0]!.difference, 0.25)
  t.ok(Math.abs(graders[0]!.standardError - Math.sqrt(11 / 48)) < 1e-12)
  t.same(graders[0]!.mcnemar, { first: 2, second: 1, p: 1 })
  t.same(graders[0]!.firstOnly, ["0", "1"])
})

test("a claim is held against the row of its own grader, and the table is for people", async (t) => {
  const args = [flexmdm, "--task", "gsm8k", ...data, "--claim", "flexmdm-stored-11800-128"]
  const scored = await score(...args)
  t.equal(scored.code, 3)
  t.match(scored.json!.claims, [{ claim: "flexmdm-stored-11800-128", own: { agrees: false, run: 0 } }])
  const { stdout } = await invoke("score", ...args)
  t.match(stdout, /strict-repo: first box.*0\.00 +percent/)
  t.match(stdout, /is not the published GSM8K/)
  t.match(stdout, /Right under the row's grader and wrong under the column's/)
  t.match(stdout, /flexmdm-stored-11800-128 \(43\.82\): differs; here 0\.00/)
})

test("a test set over the network is checked, kept, and not fetched twice", async (t) => {
  const bytes = await readFile(set)
  const server = await startServer((request, response) => serve(request, response, bytes))
  t.teardown(() => server.close())
  const args = [
    flexmdm,
    "--task",
    "gsm8k",
    "--data",
    `${server.url}/set.jsonl`,
    "--sha256",
    await digest(set),
  ]
  t.equal((await score(...args)).code, 0)
  t.equal((await score(...args)).code, 0)
  t.equal(server.requests.length, 1)
  const other = await score(flexmdm, "--task", "gsm8k", "--data", `${server.url}/set.jsonl`)
  t.equal(other.code, 1)
  t.match(other.stderr, /SHA-256 is/)
})

test("wrong uses and wrong files, each with its sentence, and nothing half-written", async (t) => {
  const plain = await write("plain.jsonl", [{ id: 0, completion: "1" }])
  const foreign = await write("foreign.jsonl", [{ question: "five", completion: "1" }])
  const evidence = join(folder, "never.ndjson")
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [[plain, "--task", "gsm9k"], 2, /no task "gsm9k"; did you mean "gsm8k"/],
    [[plain, "--task", "gsm8k", "--grader", "tolerent"], 2, /did you mean "tolerant"/],
    [[plain, "--task", "gsm8k"], 1, /generation 1: it does not carry.*--data published/],
    [[plain, "--task", "gsm8k", "--data", `file:${set}`], 1, /published GSM8K has 3730d312.*--sha256/],
    [[plain, "--task", "gsm8k", "--sha256", "0".repeat(64)], 2, /give --data/],
    [[plain, "--task", "gsm8k", "--data", "file:x", "--sha256", "12"], 2, /64 hexadecimal/],
    [[plain, "--task", "gsm8k", "--data", "hf:openai/gsm8k"], 1, /hf:OWNER\/REPOSITORY@REVISION\/PATH/],
    [[join(folder, "none.jsonl"), "--task", "gsm8k"], 2, /no such file/],
    [[folder, "--task", "gsm8k"], 2, /it is a folder/],
    [[foreign, "--task", "gsm8k", ...data, "--evidence", evidence], 1, /no item the question "five"/],
    [[plain, "--task", "gsm8k", ...data, "--claim", "no-such-claim"], 2, /no-such-claim/],
  ]
  for (const [args, code, message] of cases) {
    const result = await score(...args)
    t.equal(result.code, code, args.join(" "))
    t.match(result.stderr, message)
    const told = JSON.parse(result.stdout) as {
      format: string
      exitCode: number
      errors: { message: string }[]
    }
    t.match(told, { format: "repro-error", exitCode: code })
    t.match(told.errors.map((each) => each.message).join("\n"), message)
  }
  t.same(
    (await readdir(folder)).filter((name) => name.includes("never")),
    [],
  )
})

test("docs/graders.md shows what its example gives", async (t) => {
  const page = await readFile("docs/graders.md", "utf8")
  const block = (kind: string): string => page.split(`\`\`\`${kind}\n`)[1]!.split("\n```")[0]!
  const example = join(folder, "example.jsonl")
  await writeFile(example, block("json"))
  const { stdout, code, stderr } = await invoke("score", example, "--task", "gsm8k")
  t.equal(code, 0, stderr)
  t.ok(stdout.includes(block("text")), stdout)
})
