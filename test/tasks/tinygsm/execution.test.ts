/** Programs graded by both rules; expected values: test/tasks/README.md. */
import { readFile } from "node:fs/promises"
import tap, { test } from "tap"
import { programText, publishedProgram } from "../../../src/tasks/programs.js"
import { limitsOf, openSandbox } from "../../../src/tasks/sandbox/index.js"
import type { Graded } from "../../../src/tasks/task.js"
import { referenceGold, tinyGsmItems, tinyGsmPair } from "../../../src/tasks/tinygsm/items.js"
import { TINYGSM } from "../../../src/tasks/tinygsm/index.js"
import { xlmNumber } from "../../../src/tasks/gsm8k/answers.js"

interface Golden {
  readonly execution: readonly {
    readonly sample: string
    readonly gold: string
    readonly correct: boolean
    readonly value: number | null
    readonly error: string | null
    readonly extracted: string
  }[]
  readonly to_number: readonly { readonly x: string; readonly n: number | null }[]
}

const golden = JSON.parse(await readFile(new URL("execution.golden.json", import.meta.url), "utf8")) as Golden

const sandbox = await openSandbox({ width: 2 })
tap.setTimeout(540_000)
tap.teardown(() => sandbox.close())

const grade = async (id: string, text: string, answer: string): Promise<Graded> =>
  TINYGSM.graders
    .find((grader) => grader.id === id)!
    .grade({ id: "0", question: "", answer }, { text }, { sandbox, patience: 1 })

for (const { sample, gold, correct, value, error, extracted } of golden.execution) {
  test(`as published: ${JSON.stringify(sample)}`, async (t) => {
    const found = await grade("execution-published", sample, gold)
    t.equal(found.correct, correct)
    t.equal(found.extracted, extracted)
    if (error !== null) t.equal(found.value, error)
    else if (value !== null) t.equal(Number(found.value), value)
  })
}

for (const { x, n } of golden.to_number) {
  test(`the number that the published rule reads in ${x}`, async (t) => {
    const value = x === "inf" ? "float('inf')" : x
    const execution = await sandbox.run(
      {
        kind: "published-call",
        source: `def simple_math_problem():\n    return ${value}`,
        gold: String(n ?? ""),
        seconds: 5,
        dropLines: 50,
      },
      limitsOf(5),
    )
    const answer = execution.status === "answered" ? execution.answer : {}
    t.equal(answer["correct"], n !== null)
    t.equal(answer["value"] === null, n === null)
    if (x.startsWith("'") && x !== "''") t.equal(xlmNumber(x), n)
  })
}

const program = (body: string, head = ""): string => `${head}def simple_math_problem():\n    ${body}\n`

test("the honest rule: what the published one misses, and what it lets pass", async (t) => {
  const cases: readonly (readonly [string, string, boolean, boolean])[] = [
    // text, gold, honest, published
    [program("return sorted([3, 1])[0]"), "1", true, false],
    [program("return Fraction(1, 2) * 4", "from fractions import Fraction\n"), "2", false, false],
    [program("return int(Fraction(1, 2) * 4)", "from fractions import Fraction\n"), "2", true, false],
    [program("return True"), "1", false, true],
    [program("return 'about 12.'"), "12", false, true],
    [program("return '$1,234.50'"), "1234.5", true, true],
    [program("return 0"), "0", true, true],
    [program("return 10**40"), "1", false, false],
    [program("return 2.0004"), "2", true, true],
    [program("return 2.002"), "2", false, false],
    [program("return float('nan')"), "2", false, false],
    [`${program("return 7/2")}this is not python`, "3.5", false, false],
    [`${program("return 7/2")}and this neither (`, "3.5", true, true],
    ["", "1", false, false],
  ]
  for (const [text, gold, honest, published] of cases) {
    t.equal((await grade("execution", text, `#### ${gold}`)).correct, honest, `honest: ${text}`)
    t.equal(
      (await grade("execution-published", text, `#### ${gold}`)).correct,
      published,
      `published: ${text}`,
    )
  }
})

// Without a sandbox a run would throw.
const read = (id: string, text: string) =>
  TINYGSM.graders
    .find((grader) => grader.id === id)!
    .grade({ id: "0", question: "", answer: "#### 1" }, { text }, { sandbox: undefined, patience: 1 })

test("a text in which the function's name does not stand is wrong, and nothing is run", async (t) => {
  for (const text of ["#### 1", "def f():\n    return 1", "while True: pass", ""]) {
    t.same(await read("execution", text), { correct: false, extracted: null, failure: "unextracted" })
    t.same(await read("execution-published", text), {
      correct: false,
      extracted: text,
      failure: "error",
      value: "simple_math_problem not defined",
    })
  }
  await t.rejects(async () => read("execution", program("return 1")), /without a sandbox/)
  // Python reads U+FF53 as s.
  const wide = program("return 1").replace("simple", "\uff53imple")
  t.equal((await grade("execution", wide, "#### 1")).correct, true)
  t.equal((await grade("execution-published", wide, "#### 1")).correct, true)
})

test("the program of a text begins at a line of its own", (t) => {
  t.equal(programText("I def ine\nimport math\ndef f(): pass</s>rest"), "import math\ndef f(): pass")
  t.equal(programText("x\n```python\na = 1\n```"), "a = 1")
  t.equal(programText("just words"), "just words")
  t.end()
})

test("the program of a long text is found in one pass", (t) => {
  const blanks = "\n ".repeat(500_000)
  t.ok(
    programText(`\`\`\`python\n${blanks}\ndef f(): pass`) === "def f(): pass",
    "a fence that is not closed",
  )
  t.ok(publishedProgram(`x${blanks}y`) === `x${blanks}y`, "blanks inside")
  t.end()
})

test("an answer that is long to read or to write keeps nobody waiting, and its evidence is short", async (t) => {
  const answers: readonly (readonly [source: string, shown: RegExp])[] = [
    ["'1' * 10**6 + 'x'", /^1{300}\.\.\. \(1000001 characters\)$/],
    ["'1_' * (5 * 10**5)", /^(?:1_){150}\.\.\. \(1000000 characters\)$/],
    ["'1' + ' ' * 10**6 + '1'", /^1 {299}\.\.\. \(1000002 characters\)$/],
    ["-(16**10**6 - 1)", /^-0xf{297}\.\.\. \(1000003 characters\)$/],
    ["10**40", /^10{40}$/],
  ]
  for (const [source, shown] of answers) {
    const found = await grade("execution", program(`return ${source}`), "#### 1")
    t.equal(found.correct, false, source)
    t.match(found.value, shown, source)
  }
})

test("lines that cannot be compiled are left out, whatever error says so", async (t) => {
  for (const line of ["a = '\0'", "a = '\ud800'", `a = ${"(".repeat(1000)}`])
    for (const grader of ["execution", "execution-published"])
      t.equal(
        (await grade(grader, program(`return 7\n${line}`), "#### 7")).correct,
        true,
        JSON.stringify(line.slice(0, 9)),
      )
})

test("preflight: every case is judged as it must be", async (t) => {
  for (const { name, grader, generation, correct } of TINYGSM.preflight)
    t.equal((await grade(grader, generation.text, "#### 42")).correct, correct, name)
})

test("a row of TinyGSM: its pair, and the gold that its own program gives", async (t) => {
  const rows = [
    { question: " How many? \n", code: "\ndef simple_math_problem():\n    return 3 * 4\n" },
    { question: "q", code: "def simple_math_problem():\n    return 1 / 0" },
    { question: "q", code: "def simple_math_problem():\n    return 0" },
  ]
  const items = tinyGsmItems(rows.map((row) => JSON.stringify(row)).join("\n"), "rows.jsonl")
  t.same(tinyGsmPair(items[0]!), {
    prompt: "How many?\n",
    target: "def simple_math_problem():\n    return 3 * 4",
  })
  const golds = await Promise.all(items.map((item) => referenceGold(item, { sandbox, patience: 1 })))
  t.same(golds, [12n, undefined, 0n])
  await t.rejects(referenceGold(items[0]!, { sandbox: undefined, patience: 1 }), { name: "SandboxError" })
  t.throws(() => tinyGsmItems('{"question": "q"}', "rows.jsonl"), { message: /line 1: "code" must be text/ })
})
