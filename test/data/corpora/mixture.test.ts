/** Several data sets as one: the published order, counts by source, digests, work that goes on where it was cut off. */
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import tap, { test } from "tap"
import { checkCorpus, prepareCorpus } from "../../../src/data/corpora/corpus.js"
import type { CorpusSpec } from "../../../src/data/corpora/corpus.js"
import { mixture } from "../../../src/data/corpora/mixture/corpus.js"
import type { Mixture } from "../../../src/data/corpora/mixture/schema.js"
import { numpyPermutation } from "../../../src/data/rows/numpy-permutation.js"
import { byteLevelTokenizer } from "../byte-level.js"
import { PARQUET_ROWS, parquetFile, parquetText } from "../parquet/texts.js"
import { serve, startServer } from "../server.js"
import { textsOf } from "./texts-of.js"

const root = await mkdtemp(join(tmpdir(), "mixture-"))
tap.teardown(() => rm(root, { recursive: true }))
const tokenizer = join(root, "tokenizer.json")
await writeFile(tokenizer, byteLevelTokenizer(["<|endoftext|>"]))

const zst = (text: string): Buffer => execFileSync("zstd", ["-q", "-c"], { input: text })
const linesOf = (texts: readonly string[]): string =>
  texts.map((text) => `${JSON.stringify({ text, meta: { n: 1 } })}\n`).join("")

const digest = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex")

const countOf = (texts: readonly string[], rows: number) => ({
  rows,
  documents: texts.length,
  tokens: texts.reduce((n, text) => n + Buffer.byteLength(text) + 1, 0),
  bytes: texts.reduce((n, text) => n + Buffer.byteLength(text), 0),
})

const listOf = (files: ReadonlyMap<string, Buffer>) =>
  JSON.stringify([...files].map(([path, bytes]) => ({ path, lfs: { oid: digest(bytes) } })))

const specOf = (sources: Mixture["sources"], more: Partial<Mixture> = {}): CorpusSpec => ({
  corpus: {
    kind: "mixture",
    sources,
    validation: { share: 0.05, seed: 42 },
    tokenizer: `file:${tokenizer}`,
    trainShards: 3,
    ...more,
  },
  tokenizer: { id: "bytes", model: "corpus", vocabSize: 258, boundaryId: 257, maskId: 259, padId: 258 },
})

const web = Array.from({ length: PARQUET_ROWS }, (_, i) => parquetText(i))
const arxiv = Array.from({ length: 40 }, (_, i) => `\\begin{proof} ${i} \\end{proof}`)
const code = Array.from({ length: 25 }, (_, i) => (i === 4 ? "" : `theorem t${i} : True := trivial`))
const all = [...web, ...code, ...arxiv]
const notBlank = (text: string): boolean => text.trim() !== ""
const held = Math.ceil(0.05 * all.length)
const shuffled = Array.from(numpyPermutation(42, all.length), (row) => all[row]!)
const ofTraining = (texts: readonly string[]): readonly string[] => {
  const trained = shuffled.slice(held)
  return texts.filter((text) => notBlank(text) && trained.includes(text))
}

test("two repositories of a hub, parquet and .jsonl.zst: one order as published, counts by source, digests held", async (t) => {
  const pile = new Map([
    ["algebraic-stack/train/lean0000.jsonl.zst", zst(linesOf(code))],
    ["algebraic-stack/test/lean0000.jsonl.zst", zst(linesOf(["of the test split"]))],
    ["arxiv/train/arXiv_000.jsonl.zst", zst(linesOf(arxiv.slice(0, 30)))],
    ["arxiv/train/arXiv_001.jsonl.zst", zst(linesOf(arxiv.slice(30)))],
  ])
  const parquet = new Map<string, Buffer>()
  for (const name of ["part-0", "part-1", "part-2"])
    parquet.set(`plain_text/${name}.parquet`, await readFile(parquetFile(`${name}.parquet`)))
  const server = await startServer((request, response) => {
    const url = request.url ?? ""
    for (const [name, files] of [
      ["Tiny/Web", parquet],
      ["Tiny/Pile", pile],
    ] as const) {
      if (url.startsWith(`/api/datasets/${name}/tree/`)) return response.end(listOf(files))
      const data = files.get(url.replace(new RegExp(`^/datasets/${name}/resolve/[^/]+/`), ""))
      if (data !== undefined) return serve(request, response, data)
    }
    return response.writeHead(404).end()
  })
  t.teardown(server.close)
  const endpoint = process.env["HF_ENDPOINT"]
  process.env["HF_ENDPOINT"] = server.url
  t.teardown(() => {
    if (endpoint === undefined) delete process.env["HF_ENDPOINT"]
    else process.env["HF_ENDPOINT"] = endpoint
  })

  const cacheDir = join(root, "hub")
  const sources: Mixture["sources"] = [
    { name: "web", source: "hf:Tiny/Web", field: "text" },
    {
      name: "pile",
      source: "hf:Tiny/Pile",
      revision: "v2",
      files: ["algebraic-stack/train/*.jsonl.zst", "arxiv/train/*.jsonl.zst"],
      field: "text",
    },
  ]
  const spec = specOf(sources)
  t.match(await checkCorpus(spec, { cacheDir }), { ready: false })
  const corpus = await prepareCorpus(spec, { cacheDir, workers: 2 })
  t.same(await checkCorpus(spec, { cacheDir }), { ready: true, missing: [] })
  t.notOk(
    server.requests.some((line) => /test\/lean/.test(line)),
    "files that no pattern names are not fetched",
  )
  // The hub's concatenate_datasets, then train_test_split(test_size=0.05, seed=42): the first ceil(0.05 * 125) = 7 of
  // NumPy's permutation are held out, the others stay in its order.
  t.same(await textsOf(spec, cacheDir, corpus.validation), shuffled.slice(0, held).filter(notBlank))
  t.same(await textsOf(spec, cacheDir, corpus.train), shuffled.slice(held).filter(notBlank))
  t.equal(corpus.train.length, 3)
  for (const shard of corpus.train) {
    const texts = await textsOf(spec, cacheDir, [shard])
    t.ok(
      texts.length > 35 && texts.some((text) => web.includes(text)),
      "each shard is a sample of the mixture",
    )
    t.ok(texts.some((text) => arxiv.includes(text)))
  }

  const rowsOf = (texts: readonly string[]): number => {
    const first = all.indexOf(texts[0]!)
    return Array.from(numpyPermutation(42, all.length))
      .slice(held)
      .filter((row) => row >= first && row < first + texts.length).length
  }
  const others = [...code, ...arxiv]
  t.same(corpus.totals.train.sources, {
    web: countOf(ofTraining(web), rowsOf(web)),
    pile: countOf(ofTraining(others), rowsOf(others)),
  })
  const sum = (of: "rows" | "tokens") =>
    (["train", "validation"] as const).map((split) =>
      Object.values(corpus.totals[split].sources!).reduce((n, count) => n + count[of], 0),
    )
  t.same(sum("rows"), [all.length - held, held], "every row once")
  // Each shard begins with one boundary more.
  t.same(sum("tokens"), [corpus.totals.train.tokens - 3, corpus.totals.validation.tokens - 1])

  const before = server.requests.length
  await prepareCorpus(spec, { cacheDir, workers: 1 })
  t.same(
    server.requests.slice(before).map((line) => line.split(" ")[1]),
    ["Web/tree/main", "Pile/tree/v2"].map((end) => `/api/datasets/Tiny/${end}?recursive=true`),
    "only the lists are asked for again",
  )
  await t.rejects(
    prepareCorpus(
      specOf([
        sources[0]!,
        { ...sources[1]!, sha256: { "arxiv/train/arXiv_001.jsonl.zst": "0".repeat(64) } },
      ]),
      { cacheDir, workers: 1 },
    ),
    /arXiv_001\.jsonl\.zst.*SHA-256/s,
    "a file that is not the one that the spec states",
  )
  const [file] = (await readdir(cacheDir, { recursive: true })).filter((name) =>
    name.endsWith("arXiv_000.jsonl.zst"),
  )
  await appendFile(join(cacheDir, file!), "x")
  t.match(await checkCorpus(spec, { cacheDir }), { ready: false, missing: [{ problem: /altered since/ }] })
})

const own = async (name: string, files: Readonly<Record<string, Buffer | string>>): Promise<string> => {
  const folder = join(root, name)
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  return folder
}

test("a call that was cut off goes on behind the last whole file, and ends with the same bytes", async (t) => {
  const folder = await own("cut", {
    "a/0.jsonl.zst": zst(linesOf(arxiv.slice(0, 20))),
    "a/1.jsonl.zst": zst(linesOf(arxiv.slice(20))),
    "b/0.jsonl": linesOf(code),
  })
  const spec = specOf([
    { name: "a", source: `file:${join(folder, "a")}`, field: "text" },
    { name: "b", source: `file:${join(folder, "b")}`, field: "text" },
  ])
  const whole = await prepareCorpus(spec, { cacheDir: join(root, "whole"), workers: 1 })

  const cacheDir = join(root, "again")
  const stop = new AbortController()
  const done: number[] = []
  await t.rejects(
    prepareCorpus(spec, {
      cacheDir,
      workers: 1,
      signal: stop.signal,
      onEvent: (event) => {
        if (event.kind !== "rows") return
        done.push(event.done)
        if (event.done > 20) stop.abort()
      },
    }),
    { name: "AbortError" },
  )
  t.ok(done.includes(20), "the first file was whole")
  t.match(await checkCorpus(spec, { cacheDir }), { ready: false })
  const [spool] = (await readdir(cacheDir, { recursive: true })).filter((name) =>
    name.endsWith("train-1.spool"),
  )
  await appendFile(join(cacheDir, spool!), "what was written behind the journal's last entry")
  const again: number[] = []
  const corpus = await prepareCorpus(spec, {
    cacheDir,
    workers: 1,
    onEvent: (event) => event.kind === "rows" && again.push(event.done),
  })
  t.ok(
    again.every((rows) => rows > 20),
    "rows of the first file are not read again",
  )
  t.same(corpus.trainDigests, whole.trainDigests)
  t.same(corpus.validationDigests, whole.validationDigests)
  t.same(corpus.totals, whole.totals)
  t.notOk(
    (await readdir(join(cacheDir, "mixture"))).some((name) => name.includes(".work-")),
    "no unfinished work stays",
  )

  await truncate(corpus.train[1]!, 1100)
  t.match(await checkCorpus(spec, { cacheDir }), { ready: false, missing: [{ problem: /repro prepare/ }] })
  const mended = await prepareCorpus(spec, { cacheDir, workers: 1 })
  t.same(mended.trainDigests, whole.trainDigests)
})

test("rows that cannot be read: a sentence with the file and the cure", async (t) => {
  const cacheDir = join(root, "faults")
  const good = {
    name: "good",
    source: `file:${await own("good", { "a.jsonl": linesOf(arxiv) })}`,
    field: "text",
  }
  const bad = async (name: string, content: Buffer | string, more: Partial<Mixture> = {}) =>
    prepareCorpus(
      specOf(
        [
          good,
          { name: "bad", source: `file:${join(await own(name, { [name]: content }), name)}`, field: "text" },
        ],
        more,
      ),
      { cacheDir, workers: 1 },
    )
  await t.rejects(
    bad("cut.jsonl.zst", zst(linesOf(web)).subarray(0, 200)),
    /cut\.jsonl\.zst: its zstd data cannot be read .*copy it again/,
  )
  await t.rejects(
    bad("other.jsonl", '{"content":"x"}\n'),
    /other\.jsonl, line 1: the row has no text "text"; correct data\.corpus\.field/,
  )
  await t.rejects(bad("short.jsonl", linesOf(code), { mostTokens: 2 }), /the train split has no document/)
})

test("a spec is told what does not fit", (t) => {
  const { corpus } = specOf([
    { name: "a", source: "hf:A/B", field: "text" },
    { name: "a", source: "file:x", files: ["y"], field: "text" },
  ]) as { corpus: Mixture }
  const problems = mixture.rules.map((judge) =>
    judge({
      corpus: { ...corpus, mostTokens: 64 },
      tokenizer: specOf([]).tokenizer,
      batching: { kind: "documents", length: 32 },
    }),
  )
  t.match(problems, [
    { pointer: "/data/corpus/sources/1/name" },
    { pointer: "/data/corpus/sources/1/files" },
    { pointer: "/data/corpus/mostTokens" },
  ])
  t.equal(mixture.dataset(corpus), "a+a")
  t.match(mixture.files(corpus), [
    { path: "hf:A/B", about: "rows of a, each once" },
    { path: "file:x, y" },
    { about: "tokenizer" },
  ])
  t.end()
})
