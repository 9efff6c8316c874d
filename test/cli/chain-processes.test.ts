/** A stage trained and sampled by several processes: the loss curve and the texts are those of one. */
import { cp, mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import t from "tap"
import type { SampleItem } from "../../src/evaluators/samples/item.js"
import { listRuns } from "../../src/run/list.js"
import { forkedEnvironment, testWithTorch } from "../engine/torch/available.js"
import { invoke } from "./harness.js"

t.setTimeout(570_000)

const folder = await mkdtemp(join(tmpdir(), "repro-chain-processes-"))
t.teardown(() => rm(folder, { recursive: true, force: true }))

interface Outcome {
  readonly losses: readonly number[]
  readonly texts: readonly string[]
}

/** Four micro-batches a step, so that one, two and four processes share them evenly. */
const STEPS = 3
const settings = [
  `/training/stepsPerGroup=${STEPS}`,
  `/training/checkpointEvery=${STEPS}`,
  "/training/schedule/warmup=1",
  "/training/microBatch=2",
  "/training/accumulation=4",
].flatMap((each) => ["--set", each])

/** The parent is the same bits for all: an executor of one process makes it, once. */
const withParent = async (): Promise<string> => {
  const runs = join(folder, "parent")
  const parent = await invoke("run", "llada_8b", "--profile", "ci", "--runs", runs, "--engine", "onnxruntime", "--threads", "1")
  if (parent.code !== 0) throw new Error(parent.stderr)
  return runs
}

const trained = async (parent: string, processes: number): Promise<Outcome> => {
  process.env["REPRO_TORCH_PROCESSES"] = String(processes)
  const runs = join(folder, String(processes))
  await cp(parent, runs, { recursive: true })
  const common = ["--profile", "ci", "--runs", runs]
  const ran = await invoke("run", "llada_8b_math", ...common, "--engine", "torch", ...settings)
  if (ran.code !== 0) throw new Error(ran.stderr)
  const [run] = await listRuns(runs, ({ spec }) => spec === "llada_8b_math")
  const lines = async (path: string): Promise<readonly unknown[]> =>
    (await readFile(join(runs, run!.id, path), "utf8"))
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line))
  const events = (await lines("events.ndjson")) as readonly { readonly type: string; readonly loss: number }[]
  const items = (await lines(join("evidence", "blocks.ndjson"))) as readonly SampleItem[]
  return {
    losses: events.filter(({ type }) => type === "step").map(({ loss }) => loss),
    texts: items.map(({ text }) => text),
  }
}

Object.assign(process.env, forkedEnvironment())
t.teardown(() => delete process.env["REPRO_TORCH_PROCESSES"])

testWithTorch("two and four processes give the loss curve and the texts of one", async (t) => {
  const parent = await withParent()
  const one = await trained(parent, 1)
  t.equal(one.losses.length, STEPS)
  t.ok(one.texts.length > 0)
  for (const processes of [2, 4]) {
    const several = await trained(parent, processes)
    several.losses.forEach((loss, i) =>
      // fp32 sums of the micro-batches in another order.
      t.ok(
        Math.abs(loss / one.losses[i]! - 1) < 1e-5,
        `${processes} processes: loss of step ${i + 1}, ${loss}`,
      ),
    )
    t.same(several.texts, one.texts, `${processes} processes: texts`)
  }
})
