import { readdir, readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { test } from "tap"
import { repro, root, runFolder, smallSpec } from "./small.js"

interface Result {
  readonly run: string
  readonly fingerprint: string
  readonly finished: boolean
  readonly rows: readonly {
    readonly id: string
    readonly value: number | null
    readonly unit: string
    readonly boundKind: string
    readonly contractId: string | null
    readonly interval: unknown
  }[]
}

void test("killed at random moments and resumed, a run ends bit-identical to one never killed", async (t) => {
  const steps = 150
  const { folder, spec } = await smallSpec(steps)
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const whole = await repro(["run", spec, "--profile", "paper", "--runs", join(folder, "whole"), "--json"])
  t.equal(whole.code, 0, whole.stderr)
  const result = JSON.parse(whole.stdout) as Result
  t.ok(result.finished)
  t.match(result.fingerprint, /^repro-fp1:[0-9a-f]{64}$/)
  for (const row of result.rows) {
    t.ok("value" in row && "unit" in row && "boundKind" in row && "interval" in row, row.id)
  }
  const bpb = result.rows.find((row) => row.id === "elbo-t128/bits-per-byte")
  t.ok(
    bpb !== undefined && bpb.contractId !== null && bpb.boundKind === "upper-bound",
    "the bound on exact bytes is in the table with its contract",
  )

  const killed = join(folder, "killed")
  let kills = 0
  let ended = await repro(["run", spec, "--profile", "paper", "--runs", killed, "--json"], {
    signal: "SIGKILL",
    afterMs: 200,
  })
  while (ended.signal === "SIGKILL" && kills < 12) {
    kills++
    const afterMs = 150 + Math.floor(Math.random() * 500)
    ended = await repro(
      ["run", spec, "--runs", killed, "--resume", "latest", "--json"],
      kills < 4 ? { signal: "SIGKILL", afterMs } : undefined,
    )
  }
  t.ok(kills >= 1, `killed ${kills} times`)
  t.equal(ended.code, 0, ended.stderr)
  t.match(ended.stderr, /^Engine onnxruntime .*: the run was begun on it\.$/m)
  t.match(whole.stderr, /^Engine onnxruntime .*: the spec asks for it\.$/m)
  const [a, b] = [await runFolder(join(folder, "whole")), await runFolder(killed)]
  const last = `checkpoints/step-${2 * steps}.safetensors`
  t.equal(
    Buffer.compare(await readFile(join(a, last)), await readFile(join(b, last))),
    0,
    "the last checkpoint",
  )
  const again = JSON.parse(ended.stdout) as Result
  t.same(
    again.rows.map((row) => [row.id, row.value]),
    result.rows.map((row) => [row.id, row.value]),
    "every number of the table",
  )
  const second = await repro([
    "run",
    spec,
    "--profile",
    "paper",
    "--runs",
    killed,
    "--resume",
    "nothing-like-it",
  ])
  t.equal(second.code === 0, false)
  t.match(second.stderr, /no run is called "nothing-like-it"/)
})

void test("Ctrl-C stops after the step and says how to go on", async (t) => {
  const { folder, spec } = await smallSpec(2000)
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const runs = join(folder, "runs")
  const stopped = await repro(["run", spec, "--profile", "paper", "--runs", runs, "--json"], {
    signal: "SIGINT",
    afterMs: 300,
  })
  t.equal(stopped.code, 3, stopped.stderr)
  const outcome = JSON.parse(stopped.stdout) as {
    readonly finished: boolean
    readonly step: number
    readonly resume: string
  }
  t.equal(outcome.finished, false)
  t.match(outcome.resume, /^repro run .*small\.json --profile paper --resume \d{8}T/)
  t.ok(outcome.step > 0 && outcome.step < 4000)
  const names = await readdir(join(await runFolder(runs), "checkpoints"))
  t.ok(names.includes(`step-${outcome.step}.safetensors`), "the checkpoint of the last step is there")
  const other = await repro([
    "run",
    join(root, "specs/mdlm_eos.json"),
    "--profile",
    "ci",
    "--runs",
    runs,
    "--resume",
    "latest",
  ])
  t.equal(other.code === 0, false, "a run is not resumed under another experiment")
})
