/**
 * A chain of stages from one command: parents are run first and found again, frozen weights stay as they are, checkpoints
 * hold what was trained and refuse another base.
 */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import t from "tap"
import { bytesDigest } from "../../src/files/digest.js"
import { readSafetensors, writeSafetensors } from "../../src/files/safetensors.js"
import { readRun, type RunReader } from "../../src/run/directory.js"
import { listRuns } from "../../src/run/list.js"
import { changedStage } from "../../src/app/chain-data.js"
import { openSpec } from "../../src/app/open-spec.js"
import { invoke } from "./harness.js"

t.setTimeout(540_000)

const folder = await mkdtemp(join(tmpdir(), "repro-chain-"))
t.teardown(() => rm(folder, { recursive: true, force: true }))
const runs = join(folder, "runs")
const common = ["--profile", "ci", "--runs", runs, "--engine", "onnxruntime", "--threads", "1"] as const

const runOf = async (spec: string): Promise<RunReader> => {
  const [found] = await listRuns(runs, (manifest) => manifest.spec === spec)
  return readRun(join(runs, found!.id))
}
const lastOf = async (run: RunReader): Promise<string> => (await run.checkpoints()).at(-1)!.path
const digestOf = async (path: string): Promise<string> => bytesDigest(await readFile(path))
const count = async (): Promise<number> => (await listRuns(runs)).length

const first = await invoke("run", "flexmdm_8b_code", ...common)

const values = (text: unknown): readonly unknown[] =>
  (text as { readonly rows: readonly { readonly id: string; readonly value: unknown }[] }).rows
    .filter(({ id }) => id.startsWith("events/") && !id.endsWith("/seconds"))
    .map(({ id, value }) => [id, value])

void t.test("one command runs a spec and what it begins from, once", async (t) => {
  t.equal(first.code, 0, first.stderr)
  t.equal(await count(), 3)
  const [base, transfer, code] = [
    await runOf("llada_8b"),
    await runOf("flexmdm_8b_transfer"),
    await runOf("flexmdm_8b_code"),
  ]
  t.equal(transfer.manifest.began?.parent?.run, base.manifest.id)
  t.equal(code.manifest.began?.parent?.run, transfer.manifest.id)
  t.equal(code.manifest.began?.base, transfer.manifest.began?.base, "both stand on one base")
  t.same(
    code.manifest.began?.files.map(({ sha256 }) => sha256),
    [await digestOf(await lastOf(transfer)), await digestOf(await lastOf(base))],
  )
  const again = await invoke("run", "llada_8b_code", ...common)
  t.equal(again.code, 0, again.stderr)
  t.equal(await count(), 4, "the parent is found, not made again")
  const plan = await invoke("plan", "flexmdm_8b_code", "--profile", "ci", "--json")
  const { chain } = JSON.parse(plan.stdout) as {
    readonly chain: readonly { readonly spec: string; readonly steps: number }[]
  }
  t.same(
    chain.map(({ spec, steps }) => [spec, steps]),
    [
      ["llada_8b", 12],
      ["flexmdm_8b_transfer", 12],
    ],
  )
})

void t.test(
  "a checkpoint holds what was trained and says what it stands on; the base is unchanged",
  async (t) => {
    const [base, transfer] = [await runOf("llada_8b"), await runOf("flexmdm_8b_transfer")]
    const own = await readSafetensors(await lastOf(transfer))
    t.equal(own.metadata["base"], transfer.manifest.began?.base)
    const backbone = [...own.tensors.keys()].filter(
      (name) => /(wte|ff_out|attn_out|q_proj|ff_proj|ln_f)\.weight$/.test(name) && !name.includes("lora"),
    )
    t.same(backbone, [], "no frozen tensor, no moments of one")
    t.ok(own.tensors.has("scalar_length_head.proj2.bias"))
    const recorded = (await base.recorded())!.get(`checkpoints/step-12.safetensors`)
    t.ok(recorded?.has(await digestOf(await lastOf(base))), "training on it changed no byte of the parent")
  },
)

void t.test("a checkpoint and its base are evaluated as the run evaluated them", async (t) => {
  const code = await runOf("flexmdm_8b_code")
  const path = await lastOf(code)
  const scored = await invoke(
    "eval",
    "--checkpoint",
    path,
    "--spec",
    "flexmdm_8b_code",
    ...common,
    "--evaluation",
    "events",
    "--json",
  )
  t.equal(scored.code, 0, scored.stderr)
  const table = values(JSON.parse(scored.stdout))
  t.ok(table.length > 0)
  t.same(table, values(await code.results()))
  const elsewhere = await invoke(
    "eval",
    "--checkpoint",
    path,
    "--spec",
    "flexmdm_8b_code",
    "--profile",
    "ci",
    "--runs",
    join(folder, "none"),
  )
  t.equal(elsewhere.code, 2)
  t.match(
    elsewhere.stderr,
    /no finished run of flexmdm_8b_transfer, profile ci, in .* make it with repro run/,
  )
})

void t.test("another base is refused", async (t) => {
  const code = await runOf("flexmdm_8b_code")
  const file = await readSafetensors(await lastOf(code))
  const strange = join(folder, "strange.safetensors")
  await writeSafetensors(strange, file.tensors, { ...file.metadata, base: "0".repeat(64) })
  const scored = await invoke("eval", "--checkpoint", strange, "--spec", "flexmdm_8b_code", ...common)
  t.not(scored.code, 0)
  t.match(scored.stderr, /it was trained on the base 000000000000, and the base here is [0-9a-f]{12}/)
})

void t.test("a parent that changed is refused in a sentence", async (t) => {
  const specs = join(folder, "specs")
  await cp("specs/llada_8b.json", join(specs, "llada_8b.json"))
  await cp("specs/flexmdm_8b_transfer.json", join(specs, "flexmdm_8b_transfer.json"))
  const transfer = await runOf("flexmdm_8b_transfer")
  const { id } = transfer.manifest
  const text = JSON.parse(await readFile(join(specs, "llada_8b.json"), "utf8")) as { training: object }
  await writeFile(
    join(specs, "llada_8b.json"),
    JSON.stringify({ ...text, training: { ...text.training, seed: 43 } }),
  )
  const changed = await invoke("run", join(specs, "flexmdm_8b_transfer.json"), ...common, "--resume", id)
  t.equal(changed.code, 2, changed.stderr)
  t.match(changed.stderr, /began from llada_8b as repro-fp1:.*, and that spec is now repro-fp1:/)
  // The same spec, and other weights under it.
  const base = await runOf("llada_8b")
  const weights = await readSafetensors(await lastOf(base))
  const copy = join(folder, "copy")
  await cp(runs, copy, { recursive: true })
  const moved = join(copy, base.manifest.id, "checkpoints", "step-12.safetensors")
  await writeSafetensors(moved, weights.tensors, { ...weights.metadata, touched: "yes" })
  const other = await invoke("run", "flexmdm_8b_transfer", "--profile", "ci", "--runs", copy, "--resume", id)
  t.not(other.code, 0)
  t.match(other.stderr, /is not the one that was written|has the SHA-256|changed/)
  t.ok((await readdir(join(copy, id))).includes("manifest.json"), "the run is left as it was")
})

void t.test("an evaluation of a stage takes its weights as they are", async (t) => {
  const scored = await invoke("run", "flexmdm_8b_humaneval_infill", ...common)
  t.equal(scored.code, 0, scored.stderr)
  const [evaluated, code] = [await runOf("flexmdm_8b_humaneval_infill"), await runOf("flexmdm_8b_code")]
  t.equal(evaluated.manifest.began?.parent?.run, code.manifest.id)
  t.same(await evaluated.checkpoints(), [], "nothing was trained")
  // The same weights, items, seed and sampler.
  const table = values(await evaluated.results())
  t.ok(table.length > 0)
  t.same(table, values(await code.results()))
})

void t.test("a stage whose own parent was trained on other data is made again", async (t) => {
  const copy = join(folder, "other-data")
  await cp(runs, copy, { recursive: true })
  const [base, transfer] = [await runOf("llada_8b"), await runOf("flexmdm_8b_transfer")]
  const path = join(copy, base.manifest.id, "manifest.json")
  const text = await readFile(path, "utf8")
  const { train } = base.manifest.data!
  const digest = train[0]!.sha256
  t.ok(text.includes(digest))
  await writeFile(path, text.replaceAll(digest, "0".repeat(64)))
  const again = await invoke(
    "run",
    "flexmdm_8b_code",
    "--profile",
    "ci",
    "--runs",
    copy,
    "--engine",
    "onnxruntime",
  )
  t.equal(again.code, 0, again.stderr)
  const stage = await readRun(join(copy, transfer.manifest.id))
  t.match(
    await changedStage(stage.manifest, await openSpec("flexmdm_8b_transfer", "ci"), copy),
    new RegExp(
      `it stands on ${base.manifest.id}, which was trained on other data than lie here now: .*000000`,
    ),
  )
  const made = (await listRuns(copy, ({ spec }) => spec === "flexmdm_8b_transfer")).length
  t.equal(made, 2, "the stage between was trained anew")
})
