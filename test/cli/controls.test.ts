/** Characters that steer a terminal, in specs, claims, logs, generations and names of files: no command prints them. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import tap, { test, type Test } from "tap"
import type { ResultsTable } from "../../src/analysis/table.js"
import { csvField } from "../../src/report/render/csv.js"
import { renderTable } from "../../src/report/render/index.js"
import { openDisplay } from "../../src/run/display.js"
import { visible, visibleLine, visiblePainted } from "../../src/spec/visible.js"
import { table as example } from "../report/example.js"
import { invoke, type Invocation } from "./harness.js"
import { repro, root, runFolder, smallSpec } from "./small.js"

tap.setTimeout(540_000)
const folder = await mkdtemp(join(tmpdir(), "repro-controls-"))
tap.teardown(() => rm(folder, { recursive: true }))

/** A window title, a cleared screen, a colour by one byte of C1, a line drawn over, text turned round. */
const HOSTILE = "\u001b]0;owned\u0007\u001b[2J\u009b31mred\rover\u0008\u202eback"
// oxlint-disable-next-line no-control-regex
const STEERING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/

const FREE = new Set([
  "title",
  "description",
  "notes",
  "note",
  "label",
  "quote",
  "text",
  "comment",
  "split",
  "slice",
  "export",
  "dataset",
])

/** The same JSON with the characters behind every text that may be any. */
const poisoned = (value: unknown, key = ""): unknown => {
  if (typeof value === "string") return FREE.has(key) ? `${value} ${HOSTILE}` : value
  if (Array.isArray(value)) return value.map((item) => poisoned(item, key))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, poisoned(inner, name)]))
}

/** Commands that had such characters to show. */
const shown = new Set<string>()

const clean = (t: Test, name: string, { stdout, stderr }: Pick<Invocation, "stdout" | "stderr">): void => {
  // Lines of CSV end with both characters (RFC 4180).
  const at = STEERING.exec((stdout + stderr).replaceAll("\r\n", "\n"))
  t.equal(
    at,
    null,
    `${name}: ${JSON.stringify((stdout + stderr).slice(Math.max(0, (at?.index ?? 0) - 60), (at?.index ?? 0) + 20))}`,
  )
  if ((stdout + stderr).includes("\\u001b")) shown.add(name)
}

const json = async (name: string, value: unknown): Promise<string> => {
  const path = join(folder, name)
  await writeFile(path, JSON.stringify(value))
  return path
}
const read = async (path: string): Promise<unknown> => JSON.parse(await readFile(join(root, path), "utf8"))

test("specs, claims and logs", async (t) => {
  const spec = await json("spec.json", poisoned(await read("specs/mdlm_eos.json")))
  const wrong = await json("wrong.json", {
    ...((await read("specs/mdlm_eos.json")) as object),
    [`key${HOSTILE}`]: 1,
    id: HOSTILE,
  })
  const claims = join(folder, "claims")
  await mkdir(claims)
  await json("claims/ar-baseline.json", poisoned(await read("specs/claims/ar-baseline.json")))
  const [claim] = Object.keys(((await read("specs/claims/ar-baseline.json")) as { claims: object }).claims)
  const log = join(folder, `train${HOSTILE}.log`)
  await writeFile(
    log,
    `${HOSTILE}\nval_loader:shards pattern=${HOSTILE} tokens:62021632\nstep:100/200 val_loss:2.03588345 val_bpb:1.20576485 train_time:1ms ${HOSTILE}\n`,
  )
  const generations = join(folder, "generations.jsonl")
  await writeFile(
    generations,
    `${JSON.stringify({ [HOSTILE]: HOSTILE, prompt: HOSTILE, completion: HOSTILE })}\n`,
  )
  const commands: readonly (readonly string[])[] = [
    ["plan", spec, "--profile", "paper"],
    ["audit", spec, "--claims", claims],
    ["audit", spec, "--md"],
    ["validate", wrong],
    ["plan", wrong],
    ["infer", log],
    ["compare", claim!, HOSTILE, "--claims", claims],
    ["rescore", HOSTILE, "--claims", claims],
    ["score", generations, "--task", "gsm8k", "--data", `file:${HOSTILE}`],
    ["diff", HOSTILE, "--runs", folder],
    ["table", join(folder, HOSTILE)],
    ["run", join(folder, `${HOSTILE}.json`)],
    ["plan", "mdlm_eos", "--set", `${HOSTILE}=1`],
    [HOSTILE],
    ["plan", `--${HOSTILE}`],
  ]
  for (const [name, ...rest] of commands) clean(t, `${name} ${rest.length}`, await invoke(name!, ...rest))
  t.ok(shown.size > 8, `shown, written out, by ${[...shown].join(", ")}`)
  const compared = await invoke("compare", claim!, "bpb", "--claims", claims)
  t.equal(STEERING.exec(compared.stdout + compared.stderr), null, "compare")
})

test("a run of such a spec: table, diff, report, list and their JSON", async (t) => {
  const { folder: place, spec } = await smallSpec(20, { title: `Small ${HOSTILE}`, description: HOSTILE })
  const runs = join(place, "runs")
  const made = await repro(["run", spec, "--runs", runs])
  t.equal(made.code, 0, made.stderr)
  clean(t, "run", made)
  const run = await runFolder(runs)
  clean(t, "table", await invoke("table", run))
  clean(t, "table --full", await invoke("table", run, "--full"))
  for (const format of ["md", "csv", "tex", "html", "json"])
    clean(t, `table --format ${format}`, await invoke("table", run, "--format", format))
  const asJson = await invoke("table", run, "--json")
  clean(t, "table --json", asJson)
  t.match(JSON.stringify(JSON.parse(asJson.stdout)), "owned", "JSON stays JSON, with the same text")
  t.ok(JSON.stringify(JSON.parse(asJson.stdout)).includes("\u202e"))
  for (const command of [
    ["diff", run, run],
    ["list", "--runs", runs],
    ["report", run, "--out", join(place, "out")],
    ["verify", run],
  ]) {
    const { stdout, stderr } = await invoke(...(command as [string]))
    t.equal(STEERING.exec(stdout + stderr), null, command[0]!)
  }
})

test("painted tables show the same characters written out, between their own colours", (t) => {
  const table: ResultsTable = poisoned(example) as ResultsTable
  const painted = visiblePainted(renderTable(table, "terminal", { width: 100, colour: true }))
  t.ok(painted.includes("\u001b[1m"))
  // oxlint-disable-next-line no-control-regex
  const rest = painted.replace(/\u001b\[(1|2|22)m/g, "")
  t.equal(STEERING.exec(rest), null)
  t.match(rest, /\\u001b/)
  t.end()
})

test("progress says names of others without their control characters", (t) => {
  for (const isTTY of [true, false]) {
    let out = ""
    const display = openDisplay({
      stream: { write: (text) => (out += text), isTTY, columns: 80 },
      env: { NO_COLOR: "1" },
    })
    display.phase(HOSTILE, 10)
    display.update({ done: 1, detail: HOSTILE })
    display.log(HOSTILE)
    display.warn(HOSTILE)
    display.end()
    // What the display itself does: back to the line's beginning, and clear it.
    t.equal(STEERING.exec(out.replaceAll("\r\u001b[2K", "")), null, JSON.stringify(out))
  }
  t.end()
})

test("lines, tabs and letters of any script stay", (t) => {
  const text = "Größe\t≤ 3\r\nعربي 漢字 👩‍👩‍👧"
  t.equal(visible(text), text)
  t.equal(visibleLine("a\nb\tc"), "a\\u000ab\\u0009c")
  t.equal(visible("a\rb"), "a\\u000db")
  t.equal(visiblePainted("\u001b[1mx\u001b[22m\u001b[2J"), "\u001b[1mx\u001b[22m\\u001b[2J")
  t.end()
})

test("cells that a spreadsheet would run are text; numbers stay numbers", (t) => {
  for (const cell of ["=1+1", "+SUM(A1)", "-2+3", "@x", "\tx", "\rx", '=HYPERLINK("a")', "-", "+"])
    t.equal(csvField(cell).replace(/^"/, "")[0], "'", JSON.stringify(cell))
  for (const [cell, written] of [
    [-2.5, "-2.5"],
    ["-2.5", "-2.5"],
    ["+1e-3", "+1e-3"],
    [0, "0"],
    ["-.5", "-.5"],
    ["plain - text", "plain - text"],
    ["≤ 3", "≤ 3"],
    [null, ""],
  ] as const)
    t.equal(csvField(cell), written)
  t.end()
})
