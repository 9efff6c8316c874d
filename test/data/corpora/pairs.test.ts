/** Rows of prompt and target: caches of several threads, cut off and taken up again, byte by byte the same. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { once } from "node:events"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import tap, { test } from "tap"
import { nodeArguments } from "../../../scripts/node-arguments.js"
import {
  checkCorpus,
  loadCorpus,
  loadTokenizer,
  prepareCorpus,
  readTokens,
  type CorpusSpec,
} from "../../../src/data/corpora/corpus.js"
import type { Pairs } from "../../../src/data/corpora/pairs/schema.js"
import {
  buildDocumentIndex,
  documentParts,
  documentRow,
  documentRule,
} from "../../../src/data/rows/documents.js"
import { hubSplit } from "../../../src/data/rows/numpy-permutation.js"
import { modelTokenizer } from "../../../src/data/tokenizers/tokenizer.js"
import { byteLevelTokenizer } from "../byte-level.js"
import { startServer } from "../server.js"

// Threads and processes are slow to start on a busy machine.
tap.setTimeout(540_000)

const root = await mkdtemp(join(tmpdir(), "pairs-"))
tap.teardown(() => rm(root, { recursive: true }))

const tokenizerText = byteLevelTokenizer(["<|endoftext|>", "<|im_start|>"])
const tokenizer = join(root, "tokenizer.json")
await writeFile(tokenizer, tokenizerText)

const ROWS = 1003
const rows = Array.from({ length: ROWS }, (_, i) => ({
  question: `  How many are ${i} and ${i % 7}? Žluťoučký\n`,
  code: `def simple_math_problem():\n    return ${i} + ${i % 7}\n`,
}))
const linesOf = (all: typeof rows): string => `${all.map((row) => JSON.stringify(row)).join("\n")}\n`
const file = join(root, "TinyRows.jsonl")
await writeFile(file, linesOf(rows))

const specOf = (corpus: Partial<Pairs> = {}): CorpusSpec => ({
  corpus: {
    kind: "pairs",
    source: `file:${file}`,
    tokenizer: `file:${tokenizer}`,
    prompt: "question",
    target: "code",
    promptEnd: "\n",
    holdOut: { share: 0.05, seed: 2025 },
    trainShards: 4,
    ...corpus,
  },
  tokenizer: {
    id: "bytes",
    model: "corpus",
    vocabSize: 70_000,
    boundaryId: 257,
    separatorId: 258,
    maskId: 70_000,
    padId: 70_001,
  },
})

/** Digest of every file under a folder, by path. */
const digests = async (folder: string): Promise<Record<string, string>> => {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((each) =>
    each.isFile(),
  )
  const found: Record<string, string> = {}
  for (const { parentPath, name } of names) {
    const path = join(parentPath, name)
    found[path.slice(folder.length)] = createHash("sha256")
      .update(await readFile(path))
      .digest("hex")
  }
  return Object.fromEntries(Object.entries(found).sort())
}

test("every row once, whole, in the published split; folders by full name and suffix", async (t) => {
  const cacheDir = join(root, "whole")
  const spec = specOf()
  t.match(await checkCorpus(spec, { cacheDir }), { ready: false })
  const corpus = await prepareCorpus(spec, { cacheDir, workers: 2 })
  t.same(await checkCorpus(spec, { cacheDir }), { ready: true, missing: [] })
  t.same((await readdir(cacheDir)).sort(), ["TinyRows", "TinyRows_val_holdout"])
  t.equal(corpus.train.length, 4)
  t.ok(corpus.train[3]!.startsWith(join(cacheDir, "TinyRows", "train")))
  // ceil(0.05 * 1003) = 51
  t.match(corpus.totals, { train: { documents: 952 }, validation: { documents: 51 } })

  const { heldOut } = hubSplit(ROWS, { share: 0.05, seed: 2025 })
  const own = modelTokenizer("bytes", await loadTokenizer(spec, { cacheDir }))
  const rule = documentRule({ ...spec, batching: { length: 400 } })
  for (const split of ["train", "validation"] as const) {
    const wanted = rows.filter((_, i) => heldOut[i] === (split === "validation" ? 1 : 0))
    const tokens = await readTokens(corpus[split])
    t.equal(tokens.BYTES_PER_ELEMENT, 4, "ids of a vocabulary of 70 000")
    const index = buildDocumentIndex(tokens, rule)
    t.equal(index.starts.length, wanted.length)
    wanted.forEach(({ question, code }, i) => {
      const { prompt, target } = documentParts(tokens, index, i)
      if (own.decode(prompt!) !== `${question.trim()}\n` || own.decode(target) !== code.trim())
        t.fail(`row ${i} of ${split}`)
    })
    const bytes = wanted.reduce(
      (n, { question, code }) => n + Buffer.byteLength(question.trim()) + 1 + Buffer.byteLength(code.trim()),
      0,
    )
    t.equal(corpus.totals[split].bytes, bytes)
  }
  // add_bos false: the separator is dropped; the prompt and the end are given.
  const tokens = await readTokens(corpus.train)
  const dropped = { ...rule, separator: "dropped" as const, end: "anchor" as const, length: 90 }
  const made = documentRow(tokens, buildDocumentIndex(tokens, dropped), 0, dropped)
  t.notOk(made.tokens.includes(258))
  t.equal(made.tokens[made.length - 1], 257)
})

test("one thread, three threads, and a call that was cut off: the same bytes", async (t) => {
  const spec = specOf()
  const [one, three, cut] = ["one", "three", "cut"].map((name) => join(root, name)) as [
    string,
    string,
    string,
  ]
  await prepareCorpus(spec, { cacheDir: one, workers: 1 })
  await prepareCorpus(spec, { cacheDir: three, workers: 3 })
  const whole = await digests(one)
  t.equal(Object.keys(whole).length, 4 + 4 + 4 + 4 + 2, "shards, their notes, and the totals of both splits")
  t.same(await digests(three), whole)

  const stop = new AbortController()
  const written: string[] = []
  await t.rejects(
    prepareCorpus(spec, {
      cacheDir: cut,
      workers: 2,
      signal: stop.signal,
      onEvent: (event) => {
        if (event.kind !== "written") return
        written.push(event.path)
        if (written.length === 3) stop.abort()
      },
    }),
  )
  const before = await stat(written[0]!)
  t.match(await checkCorpus(spec, { cacheDir: cut }), {
    ready: false,
    missing: [{ problem: /run `repro prepare`/ }],
  })
  const again: string[] = []
  await prepareCorpus(spec, {
    cacheDir: cut,
    workers: 2,
    onEvent: (event) => void (event.kind === "written" && again.push(event.path)),
  })
  t.same(await digests(cut), whole)
  t.equal((await stat(written[0]!)).mtimeMs, before.mtimeMs, "what was whole is not written twice")
  t.notOk(again.some((path) => written.slice(0, 3).includes(path)))
})

test("killed while it writes and started again: the same bytes, and what was whole is kept", async (t) => {
  const spec = specOf({ trainShards: 12 })
  const whole = join(root, "not-killed")
  await prepareCorpus(spec, { cacheDir: whole, workers: 2 })
  const wanted = await digests(whole)
  for (const after of [1, 9]) {
    const cacheDir = join(root, `killed-${after}`)
    const child = spawn(process.execPath, nodeArguments("test/data/corpora/prepare-child.ts"), {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    })
    let written = 0
    child.on("message", ({ kind }: { readonly kind: string }) => {
      if (kind === "written" && ++written === after) child.kill("SIGKILL")
    })
    const ended = once(child, "exit")
    child.send({ spec, cacheDir })
    t.same(await ended, [null, "SIGKILL"])
    t.notSame(Object.keys(await digests(cacheDir)), Object.keys(wanted), "it was ended before its end")
    t.notOk((await checkCorpus(spec, { cacheDir })).ready)
    let reused = 0
    await prepareCorpus(spec, {
      cacheDir,
      workers: 3,
      onEvent: ({ kind }) => void (kind === "reused" && reused++),
    })
    t.same(await digests(cacheDir), wanted)
    t.ok(reused >= after, `${reused} shards are not made again`)
  }
})

test("changed inputs make the cache anew; so does the flag", async (t) => {
  const cacheDir = join(root, "changed")
  const written = async (spec: CorpusSpec, rewrite = false): Promise<number> => {
    let count = 0
    await prepareCorpus(spec, {
      cacheDir,
      workers: 1,
      rewrite,
      onEvent: ({ kind }) => void (kind === "written" && count++),
    })
    return count
  }
  const other = join(root, "other.jsonl.gz")
  await writeFile(other, gzipSync(linesOf(rows.slice(0, 200))))
  const source = { source: `file:${other}`, trainShards: 2 }
  t.equal(await written(specOf(source)), 4)
  t.equal(await written(specOf(source)), 0, "nothing changed")
  t.equal(await written(specOf(source), true), 4, "rewrite is honoured")
  t.equal(await written(specOf({ ...source, promptEnd: "\n\n" })), 4, "another rule")
  await t.rejects(loadCorpus(specOf(source), { cacheDir }), /made from other inputs; run `repro prepare`/)
  await writeFile(other, gzipSync(linesOf(rows.slice(0, 201))))
  t.equal(await written(specOf({ ...source, promptEnd: "\n\n" })), 4, "other rows under the same name")
})

test("the debug caches hold the first row of the training split", async (t) => {
  const cacheDir = join(root, "debug")
  const spec = specOf({ only: "first-row" })
  const corpus = await prepareCorpus(spec, { cacheDir, workers: 1 })
  t.same((await readdir(cacheDir)).sort(), ["TinyRows_debug_one", "TinyRows_debug_one_pred"])
  const { firstTrain } = hubSplit(ROWS, { share: 0.05, seed: 2025 })
  const own = modelTokenizer("bytes", await loadTokenizer(spec, { cacheDir }))
  const tokens = await readTokens(corpus.train)
  t.same(await readTokens(corpus.validation), tokens)
  const index = buildDocumentIndex(tokens, documentRule({ ...spec, batching: { length: 400 } }))
  t.equal(index.starts.length, 1)
  t.equal(own.decode(documentParts(tokens, index, 0).target), rows[firstTrain]!.code.trim())
})

test("rows of the hub: the listed files in order, and a fault names file and line", async (t) => {
  const parts: Record<string, string> = {
    "/datasets/Tiny/Rows/resolve/v1/b/part-1.jsonl": linesOf(rows.slice(0, 30)),
    "/datasets/Tiny/Rows/resolve/v1/b/part-2.jsonl": linesOf(rows.slice(30, 60)),
  }
  const listed = JSON.stringify([
    { path: "README.md" },
    { path: "b/part-2.jsonl" },
    { path: "b/part-1.jsonl" },
  ])
  const server = await startServer(({ url = "" }, response) => {
    const body = url === "/api/datasets/Tiny/Rows/tree/v1?recursive=true" ? listed : parts[url]
    response.writeHead(body === undefined ? 404 : 200).end(body)
  })
  t.teardown(server.close)
  const endpoint = process.env["HF_ENDPOINT"]
  process.env["HF_ENDPOINT"] = server.url
  t.teardown(() => {
    if (endpoint === undefined) delete process.env["HF_ENDPOINT"]
    else process.env["HF_ENDPOINT"] = endpoint
  })
  const cacheDir = join(root, "hub")
  const spec = specOf({ source: "hf:Tiny/Rows", revision: "v1", trainShards: 2 })
  const corpus = await prepareCorpus(spec, { cacheDir, workers: 1 })
  t.equal(corpus.totals.train.documents! + corpus.totals.validation.documents!, 60)
  t.ok(corpus.train[0]!.startsWith(join(cacheDir, "Tiny", "Rows", "train")))
  t.ok(corpus.validation[0]!.startsWith(join(cacheDir, "Tiny", "Rows_val_holdout", "train")))

  const broken = join(root, "broken.jsonl")
  await writeFile(broken, `${linesOf(rows.slice(0, 40))}{"question": "and?", "answer": 3}\n`)
  await t.rejects(
    prepareCorpus(specOf({ source: `file:${broken}`, trainShards: 1 }), { cacheDir, workers: 2 }),
    /broken\.jsonl, line 41: the row has no text "code"; correct data\.corpus/,
  )
  t.notOk((await readdir(cacheDir)).includes("broken_val_holdout"), "nothing half-written stays")
  await t.rejects(
    prepareCorpus(specOf({ source: `file:${file}`, sha256: { [`file:${file}`]: "0".repeat(64) } }), {
      cacheDir,
    }),
    /its SHA-256 is [0-9a-f]{64}, but data\.corpus\.sha256 of file:.*states 0{64}/,
  )
})
