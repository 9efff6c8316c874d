/** Data sets of texts: parquet of a hub, cut off and taken up again; the published splits; caches named by their inputs. */
import { createHash } from "node:crypto"
import { appendFile, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import tap, { test } from "tap"
import { checkCorpus, prepareCorpus } from "../../../src/data/corpora/corpus.js"
import type { CorpusSpec } from "../../../src/data/corpora/corpus.js"
import type { Dataset } from "../../../src/data/corpora/dataset/schema.js"
import { DETOKENISERS } from "../../../src/data/corpora/pairs/detokenise.js"
import { hubSplit } from "../../../src/data/rows/numpy-permutation.js"
import { byteLevelTokenizer } from "../byte-level.js"
import { PARQUET_ROWS, parquetFile, parquetText } from "../parquet/texts.js"
import { serve, startServer } from "../server.js"
import { textsOf } from "./texts-of.js"

const root = await mkdtemp(join(tmpdir(), "dataset-"))
tap.teardown(() => rm(root, { recursive: true }))
const tokenizer = join(root, "tokenizer.json")
await writeFile(tokenizer, byteLevelTokenizer(["<|endoftext|>"]))

const specOf = (corpus: Partial<Dataset> & Pick<Dataset, "source">): CorpusSpec => ({
  corpus: {
    kind: "dataset",
    tokenizer: `file:${tokenizer}`,
    field: "text",
    validation: { share: 0.02, seed: 42 },
    trainShards: 2,
    ...corpus,
  },
  tokenizer: { id: "bytes", model: "corpus", vocabSize: 258, boundaryId: 257, maskId: 259, padId: 258 },
})

const all = Array.from({ length: PARQUET_ROWS }, (_, i) => parquetText(i))
const notBlank = (text: string): boolean => text.trim() !== ""

test("parquet of a hub: an interrupted download goes on, digests of the hub are held, rows are split as published", async (t) => {
  const names = ["part-0", "part-1", "part-2"].map((name) => `plain_text/${name}.parquet`)
  const bytes = new Map<string, Buffer>()
  for (const name of names) bytes.set(name, await readFile(parquetFile(name.split("/")[1]!)))
  const digest = (name: string): string => createHash("sha256").update(bytes.get(name)!).digest("hex")
  const list = (changed?: string) =>
    JSON.stringify([
      { path: "README.md" },
      ...names.toReversed().map((path) => ({
        path,
        lfs: { oid: path === changed ? "0".repeat(64) : digest(path) },
      })),
    ])
  let listed = list()
  let cut = true
  const server = await startServer((request, response) => {
    const url = request.url ?? ""
    if (url.startsWith("/api/datasets/Tiny/Web/tree/v1")) return response.end(listed)
    const name = url.replace("/datasets/Tiny/Web/resolve/v1/", "")
    const data = bytes.get(name)
    if (data === undefined) return response.writeHead(404).end()
    if (cut && name.includes("part-1")) {
      cut = false
      return serve(request, response, data, { cutAfter: 300 })
    }
    return serve(request, response, data)
  })
  t.teardown(server.close)
  const endpoint = process.env["HF_ENDPOINT"]
  process.env["HF_ENDPOINT"] = server.url
  t.teardown(() => {
    if (endpoint === undefined) delete process.env["HF_ENDPOINT"]
    else process.env["HF_ENDPOINT"] = endpoint
  })

  const cacheDir = join(root, "hub")
  const spec = specOf({ source: "hf:Tiny/Web", revision: "v1" })
  t.match(await checkCorpus(spec, { cacheDir }), { ready: false })
  const corpus = await prepareCorpus(spec, { cacheDir, workers: 1 })
  t.same(await checkCorpus(spec, { cacheDir }), { ready: true, missing: [] })
  t.ok(
    server.requests.some((line) => /part-1\.parquet bytes=300-/.test(line)),
    "goes on where it was cut",
  )
  // ceil(0.02 * 60) = 2 rows of NumPy's permutation with seed 42 are held out; row 7 is blank and no document.
  const { heldOut } = hubSplit(PARQUET_ROWS, { share: 0.02, seed: 42 })
  const wanted = (held: number) => all.filter((text, i) => heldOut[i] === held && notBlank(text))
  t.same(await textsOf(spec, cacheDir, corpus.train), wanted(0))
  t.same(await textsOf(spec, cacheDir, corpus.validation), wanted(1))
  t.equal(corpus.totals.train.documents! + corpus.totals.validation.documents!, PARQUET_ROWS - 1)
  t.equal(
    corpus.totals.train.bytes,
    wanted(0).reduce((n, text) => n + Buffer.byteLength(text), 0),
  )

  const before = server.requests.length
  await prepareCorpus(spec, { cacheDir, workers: 1 })
  t.same(
    server.requests.slice(before).map((line) => line.split(" ")[1]),
    ["/api/datasets/Tiny/Web/tree/v1?recursive=true"],
    "only the list is asked for again",
  )
  const [file] = (await readdir(cacheDir, { recursive: true })).filter((name) =>
    name.endsWith("part-0.parquet"),
  )
  await appendFile(join(cacheDir, file!), "x")
  t.match(
    await checkCorpus(spec, { cacheDir }),
    { ready: false, missing: [{ problem: /altered since/ }] },
    "held to its first use",
  )
  listed = list(names[2])
  await t.rejects(
    prepareCorpus(spec, { cacheDir: join(root, "other"), workers: 1 }),
    /part-2\.parquet.*SHA-256/s,
    "a file that is not the one that the hub lists",
  )
})

test("files of one's own, validation files, the longest document, another tokenizer: each its own cache", async (t) => {
  const folder = join(root, "own")
  const cacheDir = join(root, "cache")
  const first = join(folder, "train", "a.parquet")
  await mkdir(dirname(first), { recursive: true })
  await copyFile(parquetFile("part-0.parquet"), first)
  const lines = join(folder, "train", "b.jsonl")
  await writeFile(lines, `${JSON.stringify({ text: "One more." })}\n`)
  const held = join(folder, "held.jsonl")
  await writeFile(held, `${JSON.stringify({ text: ' He said : " no " , twice . ' })}\n`)
  const spec = specOf({
    source: `file:${join(folder, "train")}`,
    validation: { files: [`file:${held}`] },
    detokenise: "wikitext",
    mostTokens: 30,
    trainShards: 3,
  })
  const corpus = await prepareCorpus(spec, { cacheDir, workers: 1 })
  t.same(await textsOf(spec, cacheDir, corpus.validation), [' He said: "no", twice.'])
  const kept = all.slice(0, 25).filter((text) => notBlank(text) && Buffer.byteLength(text) <= 30)
  t.ok(kept.length < 24, "some are longer")
  t.same(await textsOf(spec, cacheDir, corpus.train), [...kept, "One more."])
  t.equal(corpus.train.length, 3)
  t.equal(corpus.validation.length, 1)

  const folders = async (): Promise<number> => (await readdir(join(cacheDir, "dataset", "train"))).length
  t.equal(await folders(), 1)
  await writeFile(tokenizer, byteLevelTokenizer(["<|endoftext|>", "<|more|>"]))
  await prepareCorpus(
    { ...spec, tokenizer: { ...spec.tokenizer, vocabSize: 260, padId: 260, maskId: 261 } },
    { cacheDir, workers: 1 },
  )
  t.equal(await folders(), 2, "another tokenizer")
  await writeFile(tokenizer, byteLevelTokenizer(["<|endoftext|>"]))
  await appendFile(lines, `${JSON.stringify({ text: "Two more." })}\n`)
  t.match(await checkCorpus(spec, { cacheDir }), { ready: false }, "other rows")
  await prepareCorpus(spec, { cacheDir, workers: 1 })
  t.equal(await folders(), 3)
})

test("rows that cannot be read: a sentence with the file, the row and the cure", async (t) => {
  const cacheDir = join(root, "faults")
  const of = (corpus: Partial<Dataset> & Pick<Dataset, "source">) =>
    prepareCorpus(specOf({ trainShards: 1, ...corpus }), { cacheDir, workers: 1 })
  await t.rejects(
    of({ source: `file:${parquetFile("null.parquet")}` }),
    /null\.parquet, row 2: the row has no text "text", but null; correct data\.corpus\.field/,
  )
  await t.rejects(
    of({ source: `file:${parquetFile("part-0.parquet")}`, field: "content" }),
    /it has no column "content"; its columns are id, text/,
  )
  await t.rejects(
    of({ source: `file:${parquetFile("part-0.parquet")}`, mostTokens: 3 }),
    /has no document: every row is blank, too long or in the other split/,
  )
  await t.rejects(of({ source: `file:${join(root, "none", "*.parquet")}` }), /no file is called so/)
})

test("WikiText without the blanks around marks", (t) => {
  const plain: readonly (readonly [string, string])[] = [
    [" = Robert Boulter = \n", " = Robert Boulter =\n"],
    [" = = Career = = \n", " == Career ==\n"],
    ["the 24 @-@ hour day , 1 @,@ 500 people ( of 2 @.@ 5 )", "the 24-hour day, 1,500 people (of 2.5)"],
    ["it 's the boy 's and they 've [ sic ] ; so .", "it's the boy's and they've [sic]; so."],
  ]
  for (const [spaced, text] of plain) t.equal(DETOKENISERS.wikitext(spaced), text)
  t.end()
})
