/** Experiments on generated data from nothing to a table, and killed on the way. */
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import t from "tap"
import { invoke } from "./harness.js"
import { repro, runFolder } from "./small.js"

t.setTimeout(540_000)
const folder = await mkdtemp(join(tmpdir(), "repro-generated-"))
process.env["REPRO_CACHE"] = join(folder, "cache")
t.teardown(() => rm(folder, { recursive: true, force: true }))

interface Result {
  readonly finished: boolean
  readonly rows: readonly {
    readonly id: string
    readonly value: number | null
    readonly boundKind: string
    readonly contractId: string | null
  }[]
}

const STEPS = 24
const settings = {
  "training.stepsPerGroup": STEPS,
  "training.checkpointEvery": 4,
  "execution.engine": "onnxruntime",
  "execution.threads": 1,
}
const small = [
  "--profile",
  "ci",
  ...Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]),
]

/** The tensors of a safetensors file: evidence says in its header how many seconds it took. */
const body = (bytes: Buffer): Buffer => bytes.subarray(8 + Number(bytes.readBigUInt64LE(0)))

for (const name of ["flexmdm_brackets_balanced", "flexmdm_star_easy"]) {
  void t.test(`${name}: validated, planned, checked, prepared, run, and shown again`, async (t) => {
    const spec = `specs/${name}.json`
    t.equal((await invoke("validate", spec)).code, 0)
    t.equal((await invoke("plan", spec, "--profile", "paper")).code, 0)
    const before = await invoke("check", spec, "--profile", "ci")
    t.equal(before.code, 3, before.stdout)
    t.match(before.stdout, /repro prepare/)
    const prepared = await invoke("prepare", spec, "--profile", "ci")
    t.equal(prepared.code, 0, prepared.stderr)
    const after = await invoke("check", spec, "--profile", "ci")
    t.equal(after.code, 0, after.stdout)
    const runs = join(folder, name)
    const run = await invoke("run", spec, ...small, "--runs", runs, "--json")
    t.equal(run.code, 0, run.stderr)
    const { rows, finished } = JSON.parse(run.stdout) as Result
    t.ok(finished)
    const row = rows.find(({ id }) => id === "code-length/bits-per-token")
    t.ok(
      row?.contractId && row.boundKind === "upper-bound" && Number.isFinite(row.value),
      JSON.stringify(row),
    )
    const table = await invoke("table", "latest", "--runs", runs)
    t.equal(table.code, 0, table.stderr)
    t.match(table.stdout, /insertion NELBO/)
  })
}

void t.test(
  "killed at random moments and resumed, the run ends bit-identical, evidence included",
  async (t) => {
    const spec = "specs/flexmdm_star_easy.json"
    const [whole, killed] = [join(folder, "whole"), join(folder, "killed")]
    const reference = await repro(["run", spec, ...small, "--runs", whole, "--json"])
    t.equal(reference.code, 0, reference.stderr)
    let ended = await repro(["run", spec, ...small, "--runs", killed, "--json"], {
      signal: "SIGKILL",
      afterMs: 200,
    })
    let kills = 0
    while (ended.signal === "SIGKILL" && kills < 4) {
      kills++
      const afterMs = 200 + Math.floor(Math.random() * 600)
      ended = await repro(
        ["run", spec, ...small, "--runs", killed, "--resume", "latest", "--json"],
        kills < 3 ? { signal: "SIGKILL", afterMs } : undefined,
      )
    }
    t.ok(kills >= 1, `killed ${kills} times`)
    t.equal(ended.code, 0, ended.stderr)
    const folders = [await runFolder(whole), await runFolder(killed)] as const
    for (const file of [`checkpoints/step-${STEPS}.safetensors`, "evidence/code-length.safetensors"]) {
      const [a, b] = await Promise.all(folders.map((each) => readFile(join(each, file))))
      t.equal(Buffer.compare(body(a!), body(b!)), 0, file)
    }
    const [resumed, uninterrupted] = [ended, reference].map(({ stdout }) =>
      (JSON.parse(stdout) as Result).rows
        .filter(({ id }) => !id.endsWith("/seconds"))
        .map(({ id, value }) => [id, value]),
    )
    t.same(resumed, uninterrupted, "every number of the table but the seconds that sampling took")
  },
)
