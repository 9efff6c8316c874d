import { spawn } from "node:child_process"
import { readdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import t, { test, type Test } from "tap"
import { invoke } from "./harness.js"
import { program, repro, root, smallSpec } from "./small.js"

t.setTimeout(540_000)

interface Cell {
  readonly name: string
  readonly fingerprint: string
  readonly state: string
  readonly how?: string
  readonly run?: string | null
  readonly message?: string
}

interface Row {
  readonly id: string
  readonly value: number | null
  readonly interval: { readonly method: string } | null
}

interface Result {
  readonly sweep: {
    readonly finished: boolean
    readonly cells: readonly Cell[]
    readonly resume?: string
    readonly comparisons: readonly { readonly pairs: readonly object[] }[]
  }
  readonly rows: readonly Row[]
  readonly header: { readonly verdict: readonly string[] }
}

const GRID = {
  grid: [{ name: "heads", pointer: "/model/heads", values: [2, 4] }],
  seeds: [0, 1],
  streams: "paired",
}

const NAMES = ["heads=2,seed=0", "heads=2,seed=1", "heads=4,seed=0", "heads=4,seed=1"]

const smallSweep = async (
  t: Test,
  steps: number,
  sweep: object = GRID,
): Promise<{ readonly spec: string; readonly runs: string; readonly folder: string }> => {
  const { folder, spec } = await smallSpec(steps, { sweep })
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return { spec, folder, runs: join(folder, "runs") }
}

const runsIn = async (runs: string): Promise<readonly string[]> =>
  (await readdir(runs)).filter((name) => /^\d{8}T/.test(name)).sort()

const values = (rows: readonly Row[]) => rows.map(({ id, value }) => [id, value])

void test("killed in the middle and taken up again, a sweep repeats no finished cell", async (t) => {
  const { spec, runs, folder } = await smallSweep(t, 60)
  const args = ["sweep", spec, "--profile", "paper", "--runs", runs, "--json"]

  const planned = await invoke(...args, "--dry-run")
  t.equal(planned.code, 0, planned.stderr)
  const before = JSON.parse(planned.stdout) as { readonly cells: readonly Cell[]; readonly seconds: number }
  t.same(
    before.cells.map(({ name, state }) => [name, state]),
    NAMES.map((name) => [name, "new"]),
  )
  t.ok(before.seconds > 0)
  t.rejects(readdir(runs), "a dry run writes nothing")

  // The kernel kills it while the second cell trains.
  const killed = await new Promise<NodeJS.Signals | null>((resolve) => {
    const child = spawn(process.execPath, [...program, ...args], { cwd: root })
    let seen = ""
    child.stderr.on("data", (chunk: Buffer) => {
      seen += chunk.toString()
      if (seen.includes("[2/4 heads=2,seed=1] training")) child.kill("SIGKILL")
    })
    child.on("close", (_code, signal) => resolve(signal))
  })
  t.equal(killed, "SIGKILL")
  const middle = JSON.parse((await invoke(...args, "--dry-run")).stdout) as {
    readonly cells: readonly Cell[]
  }
  t.same(
    middle.cells.map(({ state }) => state),
    ["finished", "stopped", "new", "new"],
  )
  const first = middle.cells[0]!.run!
  const events = await readFile(join(runs, first, "events.ndjson"), "utf8")
  const part = await invoke(...args, "--table")
  t.equal(part.code, 3, "a table of a part ends with 3")
  t.match((JSON.parse(part.stdout) as Result).header.verdict[0], /^Incomplete: 3 of 4 cells/)

  const ended = await repro(args)
  t.equal(ended.code, 0, ended.stderr)
  const result = JSON.parse(ended.stdout) as Result
  t.ok(result.sweep.finished)
  t.same(
    result.sweep.cells.map(({ name, how }) => [name, how]),
    [
      [NAMES[0], "found"],
      [NAMES[1], "resumed"],
      [NAMES[2], "made"],
      [NAMES[3], "made"],
    ],
  )
  t.equal((await runsIn(runs)).length, 4, "one run a cell")
  t.equal(result.sweep.cells[0]!.run, first)
  t.equal(await readFile(join(runs, first, "events.ndjson"), "utf8"), events, "nothing was done to it again")
  const mean = result.rows.find(({ id }) => id === "heads=2/elbo-t128/bits-per-byte")!
  const seeds = [0, 1].map(
    (seed) => result.rows.find(({ id }) => id === `heads=2/seed-${seed}/elbo-t128/bits-per-byte`)!.value!,
  )
  t.ok(Math.abs(mean.value! - (seeds[0]! + seeds[1]!) / 2) < 1e-12, "the mean of its seeds")
  t.match(mean.interval?.method, /^Student t over 2 seeds$/)
  t.equal(result.sweep.comparisons[0]?.pairs.length, 1)

  const again = await invoke(...args)
  t.equal(again.code, 0)
  t.same(
    (JSON.parse(again.stdout) as Result).sweep.cells.map(({ how }) => how),
    ["found", "found", "found", "found"],
  )
  const table = await invoke(...args, "--table")
  t.same(values((JSON.parse(table.stdout) as Result).rows), values(result.rows), "the table from evidence")
  t.equal((await runsIn(runs)).length, 4)

  // The manifest of the cell that was killed holds a spec that makes the same run alone.
  const cell = result.sweep.cells[1]!
  const manifest = JSON.parse(await readFile(join(runs, cell.run!, "manifest.json"), "utf8")) as {
    readonly source: { readonly text: string }
  }
  const alone = join(folder, "alone.json")
  await writeFile(alone, manifest.source.text)
  const plain = await repro(["run", alone, "--profile", "paper", "--runs", join(folder, "alone"), "--json"])
  t.equal(plain.code, 0, plain.stderr)
  const run = JSON.parse(plain.stdout) as { readonly fingerprint: string; readonly rows: readonly Row[] }
  t.equal(run.fingerprint, cell.fingerprint)
  t.equal(
    run.rows.find(({ id }) => id === "elbo-t128/bits-per-byte")!.value,
    seeds[1],
    "the same bits as the cell that was killed and resumed",
  )
})

void test("two sweeps over two workers each divide the cells of one folder", async (t) => {
  const { spec, runs } = await smallSweep(t, 40)
  const args = ["sweep", spec, "--profile", "paper", "--runs", runs, "--json", "--workers", "2"]
  const both = await Promise.all([repro(args), repro(args)])
  for (const { code, stderr } of both) t.ok(code === 0 || code === 3, stderr)
  const last = await repro(args)
  t.equal(last.code, 0, last.stderr)
  t.equal((await runsIn(runs)).length, 4, "no cell was run twice")
  const ways = both.flatMap(({ stdout }) => (JSON.parse(stdout) as Result).sweep.cells)
  t.notOk(
    ways.some(({ state }) => state === "failed"),
    JSON.stringify(ways),
  )
  const made = ways.filter(({ how }) => how === "made")
  t.equal(new Set(made.map(({ name }) => name)).size, made.length, "each was made by one of them")
})

void test("Ctrl-C stops the workers after their step; the sweep says how to go on", async (t) => {
  const { spec, runs } = await smallSweep(t, 3000)
  const args = ["sweep", spec, "--profile", "paper", "--runs", runs, "--json", "--workers", "2"]
  const stopped = await repro(args, { signal: "SIGINT", afterMs: 300 })
  t.equal(stopped.code, 3, stopped.stderr)
  const { sweep } = JSON.parse(stopped.stdout) as Result
  t.equal(sweep.finished, false)
  t.match(sweep.resume, /^repro sweep .*small\.json --profile paper --workers 2 --runs /)
  t.ok(
    sweep.cells.some(({ state }) => state === "stopped"),
    stopped.stderr,
  )
  t.notOk(
    sweep.cells.some(({ state }) => state === "finished" || state === "failed"),
    "each worker heard of it",
  )
  t.same(
    sweep.cells.slice(2).map(({ state }) => state),
    ["pending", "pending"],
  )
  const states = JSON.parse((await invoke(...args, "--dry-run")).stdout) as {
    readonly cells: readonly Cell[]
  }
  t.notOk(
    states.cells.some(({ state }) => state === "running"),
    "every lock was released",
  )
})

void test("a cell that fails is said and does not stop the others", async (t) => {
  const { folder } = await smallSweep(t, 20)
  const spec = join(folder, "small.json")
  const document = JSON.parse(await readFile(spec, "utf8")) as Record<string, unknown>
  const gone = `file:${join(folder, "gone.bin")}`
  const there = `file:${join(folder, "val.bin")}`
  document["sweep"] = {
    grid: [{ name: "text", pointer: "/data/corpus/validation/0", values: [gone, there] }],
    seeds: [3],
    streams: "paired",
  }
  await writeFile(spec, JSON.stringify(document))
  const ended = await repro(["sweep", spec, "--profile", "paper", "--runs", join(folder, "runs"), "--json"])
  t.equal(ended.code, 3)
  const { sweep, rows } = JSON.parse(ended.stdout) as Result
  t.same(
    sweep.cells.map(({ state }) => state),
    ["failed", "finished"],
  )
  t.match(sweep.cells[0]?.message, /gone\.bin/)
  t.match(ended.stderr, /Cell text=file:.*gone\.bin,seed=3.* failed: .*gone\.bin/)
  const mean = rows.find(({ id }) => id.endsWith("/elbo-t128/bits-per-byte"))!
  t.equal(mean.interval, null, "one seed has no interval")
})

void test("wrong uses end with 2 and say the cure", async (t) => {
  const { spec } = await smallSweep(t, 20)
  const unswept = await invoke("sweep", "mdlm_eos", "--profile", "ci", "--dry-run")
  t.equal(unswept.code, 2)
  t.match(unswept.stderr, /mdlm_eos\.json has no sweep in profile ci/)
  const unknown = await invoke("sweep", spec, "--profile", "paper", "--only", "heads=3", "--dry-run")
  t.equal(unknown.code, 2)
  t.match(unknown.stderr, /no cell of .* is called "heads=3".*Its cells: heads=2,seed=0; /)
  const none = await invoke("sweep", spec, "--profile", "paper", "--workers", "0")
  t.equal(none.code, 2)
  t.match(none.stderr, /--workers must be 1 or more/)
  const some = await invoke(
    "sweep",
    spec,
    "--profile",
    "paper",
    "--only",
    "seed=1",
    "--only",
    NAMES[0]!,
    "--dry-run",
  )
  t.equal(some.code, 0)
  t.match(some.stdout, /3 of 3 cells to run/)
})

void test("seeds alone: in the spec, or on the command line", async (t) => {
  const { spec, runs } = await smallSweep(t, 20, { seeds: [0, 1] })
  const args = ["sweep", spec, "--profile", "paper", "--runs", runs, "--json"]
  const ran = await invoke(...args)
  t.equal(ran.code, 0, ran.stderr)
  const { sweep, rows } = JSON.parse(ran.stdout) as Result
  t.same(
    sweep.cells.map(({ name, how }) => [name, how]),
    [
      ["seed=0", "made"],
      ["seed=1", "made"],
    ],
  )
  t.same(sweep.comparisons, [], "one point is compared with none")
  const mean = rows.find(({ id }) => /^small\/[^/]+\/bits-per-token$/.test(id))!
  const seeds = rows.filter(({ id }) => /^small\/seed-\d\/[^/]+\/bits-per-token$/.test(id))
  t.equal(seeds.length, 2)
  t.equal(mean.value, (seeds[0]!.value! + seeds[1]!.value!) / 2)
  t.equal(mean.interval?.method, "Student t over 2 seeds")

  // Two processes, other seeds: the one run that is there is used.
  const more = await invoke(...args, "--seeds", "1,2", "--workers", "2")
  t.equal(more.code, 0, more.stderr)
  t.same(
    (JSON.parse(more.stdout) as Result).sweep.cells.map(({ name, how }) => [name, how]),
    [
      ["seed=1", "found"],
      ["seed=2", "made"],
    ],
  )
  t.equal((await runsIn(runs)).length, 3)
  const wrong = await invoke(...args, "--seeds", "1,1")
  t.equal(wrong.code, 2)
  t.match(wrong.stderr, /--seeds takes different whole numbers/)
})

void test("a spec without a sweep is swept over the seeds that are given", async (t) => {
  const none = await invoke("sweep", "mdlm_eos", "--profile", "ci", "--dry-run")
  t.equal(none.code, 2)
  t.match(none.stderr, /has no sweep in profile ci.*--seeds 0,1,2/)
  const planned = await invoke(
    "sweep",
    "mdlm_eos",
    "--profile",
    "ci",
    "--seeds",
    "0,1",
    "--dry-run",
    "--json",
  )
  t.equal(planned.code, 0, planned.stderr)
  t.match(JSON.parse(planned.stdout), { cells: [{ name: "seed=0" }, { name: "seed=1" }] })
})
