/** Expected verdicts: test/tasks/README.md says where they come from. */
import { readFile } from "node:fs/promises"
import { test } from "tap"
import { lastNumber, strictGold, tolerantGold, xlmGold } from "../../../src/tasks/gsm8k/answers.js"
import { GSM8K } from "../../../src/tasks/gsm8k/index.js"
import { asciiDigits, plainNumbers, pythonFloat, strip } from "../../../src/tasks/python-text.js"
import type { Graded, Run } from "../../../src/tasks/task.js"

interface Verdict {
  readonly gold?: number | null
  readonly extracted: number | string | null
  readonly correct: boolean
}
interface Case {
  readonly text: string
  readonly answer: string
  readonly strict: Verdict
  readonly tolerant: Verdict
  readonly lm_eval: { readonly "strict-match": Verdict; readonly "flexible-extract": Verdict }
}

const { cases } = JSON.parse(await readFile(new URL("gsm-grader.golden.json", import.meta.url), "utf8")) as {
  readonly cases: readonly Case[]
}

const NO_SANDBOX: Run = { sandbox: undefined, patience: 1 }
const grade = async (id: string, answer: string, text: string): Promise<Graded> =>
  GSM8K.graders
    .find((grader) => grader.id === id)!
    .grade({ id: "0", question: "", answer }, { text }, NO_SANDBOX)

const shown = (extracted: number | string | null): string | null => {
  if (extracted === null || extracted === "[invalid]") return null
  if (extracted === "nan") return "NaN"
  if (extracted === "inf") return "Infinity"
  return String(extracted)
}

for (const { text, answer, strict, tolerant, lm_eval: harness } of cases) {
  test(JSON.stringify(text), async (t) => {
    const rules = [
      ["strict-repo", strict],
      ["tolerant", tolerant],
      ["strict-match", harness["strict-match"]],
      ["flexible", harness["flexible-extract"]],
    ] as const
    for (const [id, expected] of rules) {
      const found = await grade(id, answer, text)
      t.equal(found.correct, expected.correct, `${id}: verdict`)
      t.equal(found.extracted, shown(expected.extracted), `${id}: extraction`)
    }
    t.equal(strictGold(answer) ?? null, strict.gold, "strict gold")
    t.equal(tolerantGold(answer) ?? null, tolerant.gold, "tolerant gold")
  })
}

test("a float is what Python's float() takes, and nothing else", (t) => {
  const takes: readonly (readonly [string, number])[] = [
    ["1_000", 1000],
    [" 42\n", 42],
    ["\u00a042\u2003", 42],
    ["+.5e-1_0", 0.5e-10],
    ["5.", 5],
    ["0042", 42],
    ["-Infinity", Number.NEGATIVE_INFINITY],
    ["iNf", Number.POSITIVE_INFINITY],
    ["\u0663\u0967.\uff15", 31.5],
    ["\u{1d7d9}\u{1d7ec}", 10],
    ["-0", -0],
  ]
  for (const [text, value] of takes) t.equal(pythonFloat(text), value, JSON.stringify(text))
  t.ok(Number.isNaN(pythonFloat("+nan")))
  const refuses = [
    "",
    " ",
    "0x10",
    "1__0",
    "_1",
    "1_",
    "1_.0",
    "1e",
    ".",
    "1,000",
    "infinit",
    "1 2",
    "\ufeff1",
    "\u00b2",
    "--1",
    "0b1",
  ]
  for (const text of refuses) t.equal(pythonFloat(text), undefined, JSON.stringify(text))
  t.equal(asciiDigits("a\u06f1\u06f9"), "a19")
  t.equal(strip("\u001c\u0085 x\u2029\t"), "x")
  t.equal(strip("\ufeffx"), "\ufeffx", "a byte order mark is no space in Python")
  t.same(plainNumbers("5-3 and 7.\u0662x.5"), [5, -3, 7.2, 5])
  t.end()
})

test("a box ends at its line and its first brace; a full stop stops at a line feed alone", async (t) => {
  for (const separator of ["\r", "\u2028", "\u2029"])
    t.equal((await grade("strict-repo", "#### 4", `\\boxed{${separator}4${separator}}`)).correct, true)
  t.equal((await grade("strict-repo", "#### 4", "\\boxed{4\n}")).extracted, null)
  t.equal((await grade("strict-repo", "#### 2", "\\boxed{\\text{2} 3}")).extracted, "2")
})

test("the last number reads separators and signs as people write them", (t) => {
  const cases: readonly (readonly [string, number | undefined])[] = [
    ["first 3, then 1,234,567.50", 1234567.5],
    ["it is -7", -7],
    ["5-3", 3],
    ["1,23", 23],
    ["1,2345", 2345],
    ["$18.", 18],
    ["none", undefined],
  ]
  for (const [text, value] of cases) t.equal(lastNumber(text), value, text)
  t.end()
})

test("an item without a readable gold is unscorable, and wrong", async (t) => {
  t.match(await grade("strict-repo", "#### -3", "\\boxed{-3}"), { correct: false, failure: "unscorable" })
  t.match(await grade("tolerant", "#### -3", "\\boxed{-3}"), { correct: true })
  t.match(await grade("tolerant", "no mark", "\\boxed{-3}"), { correct: false, failure: "unscorable" })
  const stored = { id: "0", question: "q", groundTruth: null }
  t.match(await GSM8K.graders[4]!.grade(stored, { text: "3" }, NO_SANDBOX), { failure: "unscorable" })
})

/** In time of the square of its length, one of these would take hours. */
const N = 1_000_000
const LONG: readonly (readonly [
  name: string,
  text: string,
  extracted: Readonly<Record<string, string | null>>,
])[] = [
  ["digits in a box that are no number", `\\boxed{${"1".repeat(N)}x}`, { "strict-repo": "Infinity" }],
  ["digits in an answer", `<answer>${"1".repeat(N)}x</answer>`, { "strict-repo": "Infinity" }],
  ["boxes that are not closed", "\\boxed{".repeat(N / 7), { "strict-repo": null, tolerant: null }],
  ["blanks in a box", `\\boxed{a${" ".repeat(N)}3}`, { "strict-repo": "3", tolerant: "3" }],
  ["answers that are not closed", "<answer>".repeat(N / 8), { "strict-repo": null }],
  ["thousands without end", `1${",111".repeat(N / 4)}`, { "last-number": "Infinity" }],
  ["full stops", `5${".".repeat(N)}`, { "last-number": "5" }],
  ["marks", "#### ".repeat(N / 5), { "strict-match": null, flexible: null, "last-number": null }],
  ["digits behind a mark", `#### ${"7".repeat(N)}`, { "strict-match": "7".repeat(N) }],
]
for (const [name, text, extracted] of LONG) {
  test(`a million characters are read in one pass: ${name}`, async (t) => {
    for (const id of GSM8K.usual) {
      const found = await grade(id, "#### 5", text)
      t.equal(found.correct, id === "last-number" && name === "full stops", id)
      if (extracted[id] !== undefined) t.ok(found.extracted === extracted[id], `${id}: extraction`)
    }
  })
}

test("xlm-core's gold", async (t) => {
  const { gsm8k_gold: golds } = JSON.parse(
    await readFile(new URL("../tinygsm/execution.golden.json", import.meta.url), "utf8"),
  ) as { readonly gsm8k_gold: readonly { readonly answer: string; readonly gold: string }[] }
  for (const { answer, gold } of golds) t.equal(xlmGold(answer), gold, answer)
  t.equal(xlmGold("#### 12."), "12.")
})

test("a grader that runs programs refuses to without a sandbox", async (t) => {
  for (const id of ["execution", "execution-published"])
    await t.rejects(grade(id, "#### 1", "def simple_math_problem():\n    return 1"), {
      name: "SandboxError",
    })
})
