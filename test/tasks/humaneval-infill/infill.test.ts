import tap, { test } from "tap"
import {
  BOUNDARY,
  HUMANEVAL_INFILL,
  infillItems,
  middleOf,
  withNewline,
  type InfillItem,
} from "../../../src/tasks/humaneval-infill/index.js"
import { openSandbox } from "../../../src/tasks/sandbox/index.js"
import type { Generation, Graded } from "../../../src/tasks/task.js"

const sandbox = await openSandbox({ width: 2 })
tap.setTimeout(540_000)
tap.teardown(() => sandbox.close())

const grade = async (id: string, item: InfillItem, generation: Generation): Promise<Graded> =>
  HUMANEVAL_INFILL.graders
    .find((grader) => grader.id === id)!
    .grade(item, generation, { sandbox, patience: 1 })

const item = infillItems(
  `${JSON.stringify({
    task_id: "SingleLineInfilling/HumanEval/7/L2",
    entry_point: "double",
    prompt: "def helper(x):\n    return x\n\ndef double(x):\n",
    suffix: "    return y\n",
    canonical_solution: "    y = 2 * x\n",
    test: "def check(candidate):\n    x = candidate(2)\n    assert helper(x) == 4\n",
  })}\n`,
  "test.jsonl",
)[0]!

const verdicts = async (text: string): Promise<readonly boolean[]> =>
  Promise.all(
    ["raw", "newline", "official", "official-newline"].map(
      async (id) => (await grade(id, item, { text })).correct,
    ),
  )

test("a missing newline is the whole difference between two of the graders", async (t) => {
  t.same(await verdicts("    y = 2 * x\n"), [true, true, true, true])
  t.same(await verdicts("    y = 2 * x"), [false, true, false, true])
  t.same(await verdicts("    y = 2 * x   "), [false, true, false, true])
  t.same(await verdicts("    y = 3 * x\n"), [false, false, false, false])
  t.same(await verdicts(""), [false, false, false, false])
})

test("the published rules believe a program that redefines what its tests use; ours do not", async (t) => {
  const text = "    y = 3 * x\n    global helper\n    helper = lambda value: 4\n"
  t.equal((await grade("official", item, { text })).correct, true)
  t.equal((await grade("raw", item, { text })).correct, false)
})

test("a text with both boundaries gives its middle, and whole programs are taken whole", async (t) => {
  t.equal(middleOf(`a${BOUNDARY}b\n${BOUNDARY}c`), "b\n")
  t.equal(middleOf(`a${BOUNDARY}b`), `a${BOUNDARY}b`)
  t.equal(withNewline("x \t\n"), "x \t\n")
  t.equal(withNewline("x \t"), "x\n")
  const whole = { text: "def double(x):\n    return x + x\n", whole: true as const }
  t.equal((await grade("raw", item, whole)).correct, true)
})

test("the error stands in the evidence, and a loop is a time-out", async (t) => {
  t.match(await grade("raw", item, { text: "    y = x / 0\n" }), {
    correct: false,
    failure: "error",
    value: /ZeroDivisionError/,
  })
  t.match(await grade("raw", item, { text: "    while True: pass\n" }), {
    correct: false,
    failure: "timed-out",
  })
})

test("preflight: every case is judged as it must be", async (t) => {
  for (const each of HUMANEVAL_INFILL.preflight)
    t.equal(
      (await grade(each.grader, each.item as InfillItem, each.generation)).correct,
      each.correct,
      each.name,
    )
})

test("a test set that is none is refused with its line", (t) => {
  t.throws(() => infillItems(`{"task_id": "a"}\n`, "x.jsonl"), {
    message: 'x.jsonl, line 1: "entry_point" must be text, found only task_id.',
  })
  t.throws(() => infillItems(`\n[1]\n`, "x.jsonl"), { message: /line 2: each line/ })
  t.throws(() => infillItems(`{`, "x.jsonl"), { message: /line 1: it is not JSON/ })
  t.end()
})
