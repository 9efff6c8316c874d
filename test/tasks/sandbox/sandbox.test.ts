import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import tap, { test } from "tap"
import { requireCanaries } from "../../../src/tasks/sandbox/canaries.js"
import {
  decodePlain,
  limitsOf,
  openSandbox,
  SandboxError,
  type Execution,
  type Job,
} from "../../../src/tasks/sandbox/index.js"
import { poolOf } from "../../../src/tasks/sandbox/pool.js"

const sandbox = await openSandbox({ width: 2 })
tap.setTimeout(540_000)
tap.teardown(() => sandbox.close())

const call = (body: string): Promise<Execution> =>
  sandbox.run({ kind: "call", source: `def f():\n    ${body}`, function: "f" }, limitsOf(2))

test("values keep their exact types on the way out", async (t) => {
  const expected: readonly (readonly [string, unknown])[] = [
    ["None", { type: "none" }],
    ["True", { type: "bool", value: true }],
    ["-12345678901234567890", { type: "int", value: -12345678901234567890n }],
    ["0.1", { type: "float", value: 0.1 }],
    ["-5e-324", { type: "float", value: -5e-324 }],
    ["1.7976931348623157e308", { type: "float", value: Number.MAX_VALUE }],
    ["float('-inf')", { type: "float", value: Number.NEGATIVE_INFINITY }],
    ["-0.0", { type: "float", value: -0 }],
    ["'\\u00e9\\ud800'", { type: "str", value: "\u00e9\ud800" }],
    ["(1, [2])", { type: "other", name: "tuple" }],
    ["{1: 2}", { type: "other", name: "dict" }],
  ]
  for (const [text, value] of expected) {
    const execution = await call(`return ${text}`)
    t.same(execution.status === "answered" ? decodePlain(execution.answer["value"]) : execution, value, text)
  }
  for (const wrong of [["i", "0x1"], ["i"], ["f", "1.5"], ["f", "0x2.0p+0"], ["?", 1], 7, {}, [1]])
    t.equal(decodePlain(wrong), undefined, JSON.stringify(wrong))
})

const dropping = async (dropLines: number): Promise<unknown> => {
  const source = "def f():\n    return 1\n1 2\n( ("
  const execution = await sandbox.run({ kind: "call", source, function: "f", dropLines }, limitsOf(2))
  return execution.status === "answered" ? execution.answer : execution
}

test("the text that runs is the longest that compiles, by lines from the end", async (t) => {
  t.same(await dropping(3), { value: ["i", "1"] })
  t.match(await dropping(2), { error: /^SyntaxError/ })
})

test("processor time is limited, and told", async (t) => {
  const spent = await call("return sum(range(3 * 10**6))")
  t.equal(spent.status, "answered")
  t.ok(spent.cpu > 0.005 && spent.cpu < 2, `${spent.cpu} s`)
  const over = await sandbox.run(
    { kind: "call", source: "def f():\n    while True: pass", function: "f" },
    limitsOf(0.2),
  )
  t.match(over, { status: "over", limit: "cpu" })
})

const check = async (source: string, tests: string): Promise<unknown> => {
  const execution = await sandbox.run(
    { kind: "check", source, entry: "f", reference: "def f(*a, **k): ...", test: tests },
    limitsOf(2),
  )
  return execution.status === "answered" ? execution.answer : execution
}

test("tests see the errors, the arguments and the keywords that they would see in one process", async (t) => {
  t.match(
    await check(
      "def f(x, *, by=1):\n    if x is None: raise ValueError('no x')\n    return {x: [by, (1.5, 'y')]}",
      "def check(candidate):\n    assert candidate(3, by=2) == {3: [2, (1.5, 'y')]}\n    try:\n        candidate(None)\n    except ValueError as e:\n        assert 'no x' in str(e)\n    else:\n        assert False",
    ),
    { passed: true, calls: 2 },
  )
  t.match(await check("def f(): return 1", "def check(candidate):\n    pass"), {
    passed: false,
    error: "the tests never called the program",
  })
  t.match(await check("def g(): return 1", "def check(candidate):\n    assert candidate() == 1"), {
    passed: false,
    error: /KeyError/,
  })
})

test("without bubblewrap nothing is run, and the sentence says what to install", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "repro-no-bwrap-"))
  t.teardown(() => rm(folder, { recursive: true }))
  const refused = openSandbox({ env: { PATH: folder, REPRO_PYODIDE: folder } })
  await t.rejects(refused, { name: "SandboxError", message: /bubblewrap.*apt-get install bubblewrap/ })
})

const escaped = async (): Promise<Execution> => ({
  status: "answered",
  answer: { value: "escaped" },
  cpu: 0,
  wall: 0,
})

test("a wall that does not hold is refused before anything is graded", async (t) => {
  await t.rejects(requireCanaries(escaped), { name: "SandboxError", message: /does not hold/ })
})

test("a server that fails is replaced once; a second failure is an error and no verdict", async (t) => {
  let started = 0
  const failing = (failures: number) => {
    started++
    return {
      run: async (): Promise<Execution> => {
        if (started <= failures) throw new SandboxError("broken")
        return { status: "answered", answer: {}, cpu: 0, wall: 0 }
      },
      close: async () => undefined,
    }
  }
  const job: Job = { kind: "call", source: "", function: "f" }
  started = 0
  const once = poolOf("", 1, failing(1), async () => failing(1))
  t.match(await once.run(job, limitsOf(1)), { status: "answered" })
  started = 0
  const twice = poolOf("", 1, failing(9), async () => failing(9))
  await t.rejects(twice.run(job, limitsOf(1)), { name: "SandboxError", message: "broken" })
  await twice.close()
  await t.rejects(twice.run(job, limitsOf(1)), { name: "SandboxError" })
})

test("many programs at once, each with its own answer", async (t) => {
  const results = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const execution = await call(`return ${index}`)
      return execution.status === "answered" ? decodePlain(execution.answer["value"]) : execution
    }),
  )
  t.same(
    results,
    Array.from({ length: 20 }, (_, index) => ({ type: "int", value: BigInt(index) })),
  )
})
