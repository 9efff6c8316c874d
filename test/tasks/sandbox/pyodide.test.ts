/**
 * The escape suite against the sandbox of machines without bubblewrap: 0 escapes, 0 false passes. Attacks that forge are
 * tried against tests as well; the others reach for the machine, which their value shows.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import tap, { test } from "tap"
import { findPyodide } from "../../../src/tasks/sandbox/pyodide.js"
import { decodePlain, limitsOf, openSandbox, type Execution } from "../../../src/tasks/sandbox/index.js"
import { ATTACKS, TESTS } from "./attacks.js"

tap.setTimeout(540_000)
const nowhere = await mkdtemp(join(tmpdir(), "repro-nowhere-"))
tap.teardown(() => rm(nowhere, { recursive: true }))

// As on a machine without bubblewrap.
const sandbox = await openSandbox({ width: 1, env: { PATH: nowhere } })
tap.teardown(() => sandbox.close())

const limits = { ...limitsOf(1), wall: 20, memory: 256 * 2 ** 20 }
const REFERENCE = "def helper(value):\n    return value\ndef simple_math_problem():\n    return 42\n"

const answerOf = (execution: Execution): Readonly<Record<string, unknown>> =>
  execution.status === "answered" ? execution.answer : {}

test("it is named", (t) => {
  t.match(sandbox.description, /^Pyodide 314\.0\.7 in a locked process, Python 3\.14\.\d+$/)
  t.end()
})

/** Attacks one after another in one interpreter: the names of those that got what they were after. */
const PROGRAM_OF_MANY = `
def simple_math_problem():
    reached = []
    for name, source in ATTACKS:
        scope = {"__name__": "attack"}
        try:
            exec(source, scope)
            if scope["simple_math_problem"]() == 42:
                reached.append(name)
        except BaseException:
            pass
    return "; ".join(reached)
`

/**
 * An interpreter for each of them costs a third of a second of a processor, and most are refused at once. Where one ends
 * the interpreter, or time, halves of them are tried again, down to each alone.
 */
const reachedBy = async (
  attacks: readonly { readonly name: string; readonly source: string }[],
): Promise<readonly string[]> => {
  const all = JSON.stringify(attacks.map(({ name, source }) => [name, source]))
  const source = `ATTACKS = ${all}\n${PROGRAM_OF_MANY}`
  const job = { kind: "call", source, function: "simple_math_problem" } as const
  const plain = decodePlain(answerOf(await sandbox.run(job, { ...limits, cpu: 4 }))["value"])
  if (plain?.type === "str") return plain.value === "" ? [] : plain.value.split("; ")
  if (attacks.length === 1) return []
  const half = attacks.length >> 1
  return [...(await reachedBy(attacks.slice(0, half))), ...(await reachedBy(attacks.slice(half)))]
}

/** Reaches what it is after, so that a list without it is none. */
const CONTROL = { name: "control", source: "def simple_math_problem():\n    return 42\n" }

for (const kind of ["files", "network", "processes"] as const)
  test(kind, async (t) => {
    const attacks = ATTACKS.filter((attack) => attack.kind === kind)
    t.ok(attacks.length > 5)
    t.same(await reachedBy([...attacks, CONTROL]), [CONTROL.name])
  })

for (const { kind, name, source, test: tests = TESTS } of ATTACKS) {
  if (kind !== "resources" && kind !== "forgery") continue
  test(`${kind}: ${name}`, async (t) => {
    const value = await sandbox.run({ kind: "call", source, function: "simple_math_problem" }, limits)
    const plain = decodePlain(answerOf(value)["value"])
    t.equal(plain?.type === "int" && plain.value === 42n, false, JSON.stringify(value).slice(0, 300))
    if (kind !== "forgery") return
    const answer = await sandbox.run(
      { kind: "check", source, entry: "simple_math_problem", reference: REFERENCE, test: tests },
      limits,
    )
    t.not(answerOf(answer)["passed"], true, JSON.stringify(answer).slice(0, 300))
  })
}

/** Attacks on what Pyodide has beside Python: the way to JavaScript. */
const BRIDGES: Readonly<Record<string, string>> = {
  "imports the host's objects": "import js\n        js.process.version",
  "imports the interpreter's own interface": "import pyodide_js\n        pyodide_js.FS.readdir('/')",
  "makes a function of text":
    "from pyodide.ffi import to_js\n        to_js([]).constructor.constructor('return process')().pid",
  "makes the bridge again":
    "import _imp, importlib.util, importlib.machinery\n        core = _imp.create_builtin(importlib.machinery.ModuleSpec('_pyodide_core', None))\n        core.to_js([]).constructor.constructor('return process')().pid",
  "runs a script by system call":
    "import ctypes\n        ctypes.CDLL(None).emscripten_run_script(b'process.exit(0)')\n        assert ctypes.CDLL(None).emscripten_run_script_int(b'process.pid') > 0",
  "finds the bridge in memory":
    "import gc\n        found = [x for x in gc.get_objects() if 'JsProxy' in type(x).__name__]\n        found[0].constructor.constructor('return process')().pid",
}

for (const [name, body] of Object.entries(BRIDGES)) {
  test(`the host: ${name}`, async (t) => {
    const source = `def simple_math_problem():\n    try:\n        ${body}\n    except BaseException:\n        return 0\n    return 42\n`
    const value = await sandbox.run({ kind: "call", source, function: "simple_math_problem" }, limits)
    const plain = decodePlain(answerOf(value)["value"])
    t.equal(plain?.type === "int" && plain.value === 42n, false, JSON.stringify(value).slice(0, 300))
  })
}

const call = async (source: string) =>
  answerOf(await sandbox.run({ kind: "call", source, function: "f" }, limits))

const tested = async (source: string) =>
  answerOf(
    await sandbox.run(
      { kind: "check", source, entry: "simple_math_problem", reference: REFERENCE, test: TESTS },
      limits,
    ),
  )

const published = async (source: string, gold: string) =>
  answerOf(await sandbox.run({ kind: "published-call", source, gold, seconds: 1, dropLines: 50 }, limits))

test("right programs pass, wrong ones fail, and nothing of one is left to the next", async (t) => {
  t.same(await call("import math, builtins\nbuiltins.kept = 1\nmath.pi = 3\ndef f():\n    return 42"), {
    value: ["i", "2a"],
  })
  t.same(
    await call("import math, builtins\ndef f():\n    return hasattr(builtins, 'kept') or math.pi == 3"),
    { value: false },
  )
  t.equal((await tested("def simple_math_problem():\n    return 42"))["passed"], true)
  t.equal((await tested("def simple_math_problem():\n    return 41"))["passed"], false)
})

test("the published rules run in it as they are", async (t) => {
  t.match(await published("def simple_math_problem():\n    return 42", "42"), { correct: true })
  t.match(await published("def simple_math_problem():\n    return sorted([42])[0]", "42"), { correct: false })
})

test("where Pyodide is not installed either, nothing is run, and both cures are named", async (t) => {
  const env = { PATH: nowhere, REPRO_PYODIDE: nowhere }
  t.equal(await findPyodide(env), undefined)
  await t.rejects(openSandbox({ env }), {
    name: "SandboxError",
    message: /Pyodide is not installed.*apt-get install bubblewrap.*npm install pyodide@314\.0\.7/,
  })
})
