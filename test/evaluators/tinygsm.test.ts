/**
 * TinyGSM as it is published, in small: a parquet file of its columns from a hub, prepared, trained on and graded by the
 * spec's own settings, with the answers that its predictions are compared with.
 */
import { createHash } from "node:crypto"
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import t from "tap"
import type { SampleItem } from "../../src/evaluators/samples/item.js"
import { mergePatch } from "../../src/spec/merge-patch.js"
import { invoke } from "../cli/harness.js"
import { byteLevelTokenizer } from "../data/byte-level.js"
import { startServer } from "../data/server.js"

t.setTimeout(540_000)

const folder = await mkdtemp(join(tmpdir(), "repro-tinygsm-"))
t.teardown(() => rm(folder, { recursive: true, force: true }))
const cache = join(folder, "cache")

const rows = await readFile("test/data/parquet/tinygsm.parquet")
const PATH = "data/train-00000-of-00001.parquet"
const server = await startServer(({ url = "" }, response) => {
  if (url.startsWith("/api/datasets/TinyGSM/TinyGSM/tree/main"))
    response.end(JSON.stringify([{ path: "README.md" }, { path: PATH }]))
  else if (url === `/datasets/TinyGSM/TinyGSM/resolve/main/${PATH}`) response.end(rows)
  else response.writeHead(404).end()
})
t.teardown(server.close)
const before = { ...process.env }
Object.assign(process.env, { HF_ENDPOINT: server.url, REPRO_CACHE: cache })
t.teardown(() => {
  for (const name of ["HF_ENDPOINT", "REPRO_CACHE"])
    if (before[name] === undefined) delete process.env[name]
    else process.env[name] = before[name]
})

await writeFile(join(folder, "tokenizer.json"), byteLevelTokenizer(["<|endoftext|>", "<|im_start|>"]))
const spec = join(folder, "tinygsm.json")
await writeFile(
  spec,
  JSON.stringify(
    mergePatch(
      JSON.parse(await readFile("specs/flexmdm_tinygsm.json", "utf8")) as never,
      {
        id: "tinygsm_small",
        profiles: null,
        data: {
          corpus: { tokenizer: `file:${join(folder, "tokenizer.json")}`, trainShards: 3 },
          tokenizer: {
            id: "bytes",
            vocabSize: 259,
            boundaryId: 257,
            separatorId: 258,
            maskId: 259,
            padId: 260,
          },
          batching: { length: 256, shardsInMemory: 3 },
        },
        model: {
          layers: 1,
          width: 16,
          heads: 2,
          conditioning: { frequencies: 8, width: 16 },
          gapHead: { scale: 256 },
          tableRows: 261,
        },
        training: {
          stepsPerGroup: 4,
          microBatch: 2,
          accumulation: 1,
          checkpointEvery: 2,
          schedule: { warmup: 2 },
        },
        evaluations: [
          {
            kind: "samples",
            id: "programs",
            count: 3,
            seeds: [0],
            from: "validation",
            task: "tinygsm",
            sampling: { sampler: "tau", steps: 4, rule: "exactly-one", grid: "short" },
          },
        ],
        execution: { engine: "onnxruntime", device: "cpu", precision: "fp32", threads: 1 },
      } as never,
    ),
  ),
)

const digests = async (): Promise<Record<string, string>> => {
  const found: Record<string, string> = {}
  for (const each of await readdir(join(cache, "TinyGSM"), { recursive: true, withFileTypes: true }))
    if (each.isFile()) {
      const path = join(each.parentPath, each.name)
      found[path.slice(cache.length)] = createHash("sha256")
        .update(await readFile(path))
        .digest("hex")
    }
  return found
}

const prepare = (...more: readonly string[]) =>
  invoke("prepare", spec, "--profile", "paper", "--workers", "2", ...more)

const ANSWERS = join(cache, "TinyGSM", "TinyGSM_pred_preprocess", "train", "answers_000000.ndjson")

interface Answer {
  readonly row: number
  readonly item: { readonly question: string; readonly program: string; readonly groundTruth: number }
}

const answers = async (): Promise<readonly Answer[]> =>
  (await readFile(ANSWERS, "utf8"))
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => JSON.parse(line) as Answer)

void t.test("caches by full name and suffix; the answers of the rows that are measured", async (t) => {
  const done = await prepare()
  t.equal(done.code, 0, done.stderr)
  t.same((await readdir(join(cache, "TinyGSM"))).sort(), [
    "TinyGSM",
    "TinyGSM_pred_preprocess",
    "TinyGSM_val_holdout",
  ])
  // 5 % of 400 rows are held out.
  t.match(done.stdout, /train +3 shards/)
  const found = await answers()
  t.equal(found.length, 3)
  for (const { item } of found) {
    const [, bags, pens] = /fills (\d+) bags with (\d+) pens/.exec(item.question)!.map(Number)
    t.equal(item.groundTruth, bags! * pens!, item.question)
    t.match(item.program, `b = ${pens}`)
  }
})

void t.test(
  "prepared again, cut off, changed, rewritten: the same bytes, and none that is stale",
  async (t) => {
    const whole = await digests()
    t.equal((await prepare()).code, 0)
    t.same(await digests(), whole, "nothing is written twice")
    await rm(ANSWERS)
    t.equal((await prepare()).code, 0)
    t.same(await digests(), whole, "what is lacking is made, with the same bytes")

    const text = await readFile(ANSWERS, "utf8")
    await writeFile(ANSWERS, text.replace(/"made":"[0-9a-f]{64}"/, `"made":"${"0".repeat(64)}"`))
    t.equal((await prepare()).code, 0)
    t.same(await digests(), whole, "answers of other inputs are made anew")

    await writeFile(ANSWERS, text.replace(/"groundTruth":\d+/, '"groundTruth":-1'))
    t.equal((await prepare()).code, 0)
    t.equal((await answers())[0]!.item.groundTruth, -1, "what says that it fits is kept")
    t.equal((await prepare("--rewrite")).code, 0)
    t.same(await digests(), whole, "the flag is honoured")
  },
)

void t.test("trained and graded: the answers are those that were prepared", async (t) => {
  const runs = join(folder, "runs")
  const ran = await invoke("run", spec, "--profile", "paper", "--runs", runs, "--json")
  t.equal(ran.code, 0, ran.stderr)
  const { run } = JSON.parse(ran.stdout) as { readonly run: string }
  const items = (await readFile(join(runs, run, "evidence", "programs.ndjson"), "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as SampleItem)
  t.same(
    items.map(({ item, gold, prompt }) => [item, gold, prompt.trim()]),
    (await answers()).map(({ row, item }) => [row, String(item.groundTruth), item.question]),
  )
})
