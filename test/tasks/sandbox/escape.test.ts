/**
 * The escape suite: every attack under the honest rules and under the two published ones. 0 escapes and 0 false passes
 * under the honest ones; which attacks pass the published ones is what docs/graders.md prints.
 */
import { readFile } from "node:fs/promises"
import tap, { test } from "tap"
import { decodePlain, limitsOf, openSandbox, type Execution } from "../../../src/tasks/sandbox/index.js"
import { ATTACKS, TESTS, type Attack } from "./attacks.js"

const sandbox = await openSandbox({ width: 2 })
// Limits are waited for, and a busy machine is slow to start.
tap.setTimeout(540_000)
tap.teardown(() => sandbox.close())

const limits = { ...limitsOf(1), wall: 6, memory: 256 * 2 ** 20 }

const answerOf = (execution: Execution): Readonly<Record<string, unknown>> =>
  execution.status === "answered" ? execution.answer : {}

const REFERENCE = "def helper(value):\n    return value\ndef simple_math_problem():\n    return 42\n"

interface Verdicts {
  readonly value: boolean
  readonly tests: boolean
  readonly xlm: boolean
  readonly humanEval: boolean
}

const verdictsOf = async ({ source, test: tests = TESTS }: Attack): Promise<Verdicts> => {
  const [value, honest, xlm, humanEval] = await Promise.all([
    sandbox.run({ kind: "call", source, function: "simple_math_problem" }, limits),
    sandbox.run(
      { kind: "check", source, entry: "simple_math_problem", reference: REFERENCE, test: tests },
      limits,
    ),
    sandbox.run({ kind: "published-call", source, gold: "42", seconds: 1, dropLines: 50 }, limits),
    sandbox.run(
      { kind: "published-check", source: `${source}\n${tests}\ncheck(simple_math_problem)`, seconds: 1 },
      limits,
    ),
  ])
  const plain = decodePlain(answerOf(value)["value"])
  return {
    value: plain?.type === "int" && plain.value === 42n,
    tests: answerOf(honest)["passed"] === true,
    xlm: answerOf(xlm)["correct"] === true,
    humanEval: answerOf(humanEval)["passed"] === true,
  }
}

const table = (await readFile("docs/graders.md", "utf8"))
  .split("\n")
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .filter((cells) => cells.length === 7 && cells[3] === "held")

const word = (passes: boolean): string => (passes ? "**passes**" : "held")

for (const attack of ATTACKS) {
  test(`${attack.kind}: ${attack.name}`, async (t) => {
    const verdicts = await verdictsOf(attack)
    t.equal(verdicts.value, false, "by its value")
    t.equal(verdicts.tests, false, "by tests")
    t.same(
      table.find(([, name]) => name === attack.name),
      ["", attack.name, attack.kind, "held", word(verdicts.xlm), word(verdicts.humanEval), ""],
      "as docs/graders.md says",
    )
  })
}

test("the suite is as long as the documentation says, and every attack is in its table once", (t) => {
  t.ok(ATTACKS.length >= 40)
  t.same(
    table.map(([, name]) => name),
    ATTACKS.map(({ name }) => name),
  )
  t.end()
})

test("the next program is answered as if nothing had been", async (t) => {
  const source = "def simple_math_problem():\n    return 42\n"
  const value = await sandbox.run({ kind: "call", source, function: "simple_math_problem" }, limits)
  t.same(answerOf(value), { value: ["i", "2a"] })
  const tested = await sandbox.run(
    { kind: "check", source, entry: "simple_math_problem", reference: REFERENCE, test: TESTS },
    limits,
  )
  t.equal(answerOf(tested)["passed"], true)
})
