/**
 * Text of one's own: what a document is, compression, the count of bytes against the files themselves, and that shards
 * do not depend on threads or on where the work was stopped.
 */
import { execFileSync } from "node:child_process"
import { mkdir, mkdtemp, readdir, readFile, rename, truncate, writeFile } from "node:fs/promises"
import { hostname, tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { test } from "tap"
import { EMBEDDED_TOKENIZER } from "../../../src/data/assets.js"
import { loadCorpus, prepareCorpus, readTokens } from "../../../src/data/corpora/corpus.js"
import type { Text } from "../../../src/data/corpora/text/schema.js"
import { documentsOf } from "../../../src/data/corpora/text/documents.js"
import { writeStream } from "../../../src/data/corpora/text/stream.js"
import { encoderOf } from "../../../src/data/tokenizers/encoder.js"
import { decodeTokens } from "../../../src/data/tokenizers/decode.js"
import { readModel } from "../../../src/data/tokenizers/read.js"

const tokenizer = {
  id: "sp1024",
  model: "embedded",
  vocabSize: 1024,
  boundaryId: 1,
  maskId: 1024,
  padId: 1025,
}

const folderOf = async (files: Readonly<Record<string, string | Uint8Array>>): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "repro-text-"))
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(folder, name, ".."), { recursive: true })
    await writeFile(join(folder, name), content)
  }
  return folder
}

const all = async (source: AsyncIterable<string>): Promise<string[]> => {
  const found: string[] = []
  for await (const each of source) found.push(each)
  return found
}

const corpusOf = (
  change: Partial<Text>,
): { corpus: Text; tokenizer: typeof tokenizer & { model: "embedded" } } => ({
  corpus: {
    kind: "text",
    train: ["file:a.txt"],
    validation: ["file:b.txt"],
    document: "paragraph",
    ...change,
  } as Text,
  tokenizer: tokenizer as typeof tokenizer & { model: "embedded" },
})

const PROSE = "We hold these truths\nto be self-evident.\n\n \t\nSecond paragraph, naïve.\r\n\r\nThird.\n"
const PARAGRAPHS = ["We hold these truths\nto be self-evident.", "Second paragraph, naïve.", "Third."]

test("documents are files, lines or paragraphs; blank ones are none", async (t) => {
  const folder = await folderOf({ "a.txt": `\uFEFF${PROSE}`, "blank.txt": " \n\n" })
  const path = join(folder, "a.txt")
  t.same(await all(documentsOf(path, { document: "paragraph" })), PARAGRAPHS)
  t.same(
    await all(documentsOf(path, { document: "line" })),
    PARAGRAPHS.flatMap((each) => each.split("\n")),
  )
  t.same(await all(documentsOf(path, { document: "file" })), [PROSE])
  t.same(await all(documentsOf(join(folder, "blank.txt"), { document: "file" })), [])
})

test("gzip of several members, and zstd of several frames, as their own tools write them", async (t) => {
  const folder = await folderOf({ "a.txt": PROSE, "b.txt": PROSE })
  await writeFile(join(folder, "two.gz"), Buffer.concat([gzipSync(PROSE), gzipSync(PROSE)]))
  const zst = (name: string): Buffer => execFileSync("zstd", ["-q", "-19", "-c", join(folder, name)])
  await writeFile(join(folder, "two.zst"), Buffer.concat([zst("a.txt"), zst("b.txt")]))
  for (const name of ["two.gz", "two.zst"])
    t.same(await all(documentsOf(join(folder, name), { document: "file" })), [PROSE + PROSE], name)
  for (const name of ["two.gz", "two.zst"]) {
    await truncate(join(folder, name), 40)
    await t.rejects(
      all(documentsOf(join(folder, name), { document: "file" })),
      /two\.(gz|zst): its .* data cannot be read .*copy it again/,
    )
  }
})

test("JSON Lines: a field of each record, with the line that is at fault", async (t) => {
  const folder = await folderOf({
    "a.jsonl": '{"text":"one\\n\\ntwo"}\n\n{"text":"three","x":1}\n',
    "bad.jsonl": '{"text":"one"}\n{"body":"two"}\n',
    "cut.jsonl": '{"text":"one"}\n{"text":"tw',
    "latin.txt": Buffer.from([0x61, 0xe9, 0x20]),
  })
  t.same(await all(documentsOf(join(folder, "a.jsonl"), { document: "line" })), ["one\n\ntwo", "three"])
  t.same(await all(documentsOf(join(folder, "a.jsonl"), { document: "paragraph" })), ["one", "two", "three"])
  const reading = (name: string, cut: Parameters<typeof documentsOf>[1] = { document: "line" }) =>
    all(documentsOf(join(folder, name), cut))
  await t.rejects(
    reading("bad.jsonl"),
    /bad\.jsonl: line 2 has no text in the field "text"; its fields are body/,
  )
  await t.rejects(reading("cut.jsonl"), /cut\.jsonl: line 2 is no JSON/)
  await t.rejects(reading("a.jsonl", { document: "file" }), /holds many texts; write "line"/)
  await t.rejects(reading("latin.txt", { document: "file" }), /latin\.txt: it is no UTF-8 text/)
  t.same(await reading("bad.jsonl", { document: "line", field: "text" }).catch(() => "refused"), "refused")
})

test("shards hold each document behind a boundary, and count the bytes of the files", async (t) => {
  const base = await folderOf({ "c/1.txt": PROSE, "c/d/2.txt": PROSE, "c/.hidden.txt": "no", "v.txt": PROSE })
  const cacheDir = await mkdtemp(join(tmpdir(), "repro-cache-"))
  const spec = corpusOf({ train: ["file:c/**/*.txt"], validation: ["file:v.txt"], trainShards: 2 })
  await t.rejects(loadCorpus(spec, { cacheDir, base }), /not tokenised; run `repro tokenize SPEC` first/)
  const corpus = await prepareCorpus(spec, { cacheDir, base })
  const model = await readModel(EMBEDDED_TOKENIZER)
  const expected = [...PARAGRAPHS, ...PARAGRAPHS].flatMap((each) => [
    1,
    ...Array.from(encoderOf(model).encode(each)),
  ])
  t.same([...(await readTokens(corpus.train))], expected)
  t.equal(corpus.train.length, 2)
  const bytes = PARAGRAPHS.reduce((sum, each) => sum + Buffer.byteLength(each), 0)
  t.same(corpus.totals.validation, { tokens: expected.length / 2, documents: 3, bytes })
  t.same(
    (await readdir(join(cacheDir, "text"))).filter((name) => name.includes("work")),
    [],
    "no work is left",
  )
  await writeFile(join(base, "c/1.txt"), "Other.")
  await t.rejects(loadCorpus(spec, { cacheDir, base }), /not tokenised/, "other content is another corpus")
})

test("a part of the training documents is held out, and no document is in both splits", async (t) => {
  const lines = Array.from({ length: 20 }, (_, i) => `line ${i}`)
  const base = await folderOf({ "a.txt": lines.join("\n") })
  const cacheDir = await mkdtemp(join(tmpdir(), "repro-cache-"))
  const spec = corpusOf({ document: "line", validation: { holdOutEvery: 5 } })
  const corpus = await prepareCorpus(spec, { cacheDir, base })
  const { pieces } = corpus.tokenizer
  const texts = async (paths: readonly string[]): Promise<string[]> => {
    const found: number[][] = []
    for (const id of await readTokens(paths)) {
      if (id === 1) found.push([])
      else found.at(-1)!.push(id)
    }
    return found.map((ids) => Buffer.from(decodeTokens(pieces, ids)).toString())
  }
  t.same(
    await texts(corpus.validation),
    lines.filter((_, i) => i % 5 === 2),
  )
  t.same(
    await texts(corpus.train),
    lines.filter((_, i) => i % 5 !== 2),
  )
})

test("what names no file, or no text, is said with its cure", async (t) => {
  const base = await folderOf({ "a.txt": "one\n", "b.txt": "\n", "e/.keep": "" })
  const cacheDir = await mkdtemp(join(tmpdir(), "repro-cache-"))
  const trying = (change: Partial<Text>) => prepareCorpus(corpusOf(change), { cacheDir, base })
  await t.rejects(
    trying({ train: ["file:*.text"] }),
    /file:\*\.text: no file is called so \(data\.corpus\.train\)/,
  )
  await t.rejects(trying({ train: ["file:e"] }), /no file is called so/)
  await t.rejects(trying({ train: ["file:none.txt"] }), /none\.txt: there is no such file/)
  await t.rejects(trying({}), /no text in the files of data\.corpus\.validation/)
  await t.rejects(trying({ validation: { holdOutEvery: 9 } }), /fewer than 5 documents/)
  await t.rejects(
    trying({ validation: ["file:a.txt"], trainShards: 999 }),
    /do not fill 999 shards; lower data\.corpus\.trainShards/,
  )
})

test("tokens are the same from one thread, from several, and after a stop at any batch", async (t) => {
  // 22 batches of 2 ** 18 characters and a rest: an entry of the journal stands behind 16 of them.
  const words = Array.from({ length: 5000 }, (_, i) => `truth${i % 97} held ${i % 13}`).join(" ")
  const long = Array.from({ length: Math.ceil((22.5 * 2 ** 18) / words.length) }, (_, i) => `${i} ${words}`)
  const model = await readModel(EMBEDDED_TOKENIZER)
  const folder = await mkdtemp(join(tmpdir(), "repro-stream-"))
  const job = {
    documents: async function* () {
      yield* long
    },
    model,
    path: EMBEDDED_TOKENIZER,
    boundaryId: 1,
  }
  const one = await writeStream(join(folder, "one"), { ...job, workers: 0 })
  const two = await writeStream(join(folder, "two"), { ...job, workers: 2 })
  t.same(two, one)
  const expected = await readFile(join(folder, "one"))
  t.ok(expected.equals(await readFile(join(folder, "two"))))
  const stop = new AbortController()
  let batches = 0
  const stopped = writeStream(join(folder, "three"), {
    ...job,
    workers: 0,
    signal: stop.signal,
    onTokens: () => ++batches === 18 && stop.abort(),
  })
  await t.rejects(stopped, { name: "AbortError" })
  let again = 0
  t.same(await writeStream(join(folder, "three"), { ...job, workers: 0, onTokens: () => void again++ }), one)
  t.ok(expected.equals(await readFile(join(folder, "three"))))
  t.ok(again > 0 && again < 22 && batches === 18, `${again} of 22 batches or more were left`)
})

test("what a dead process left is taken over", async (t) => {
  const base = await folderOf({ "a.txt": PROSE, "b.txt": PROSE })
  const cacheDir = await mkdtemp(join(tmpdir(), "repro-cache-"))
  await prepareCorpus(corpusOf({}), { cacheDir, base })
  const [name] = await readdir(join(cacheDir, "text"))
  const dead = execFileSync(process.execPath, ["-e", "process.stdout.write(String(process.pid))"]).toString()
  const work = join(cacheDir, "text", `${name}.work-${hostname().replaceAll(/[^A-Za-z0-9.-]/g, "-")}-${dead}`)
  await rename(join(cacheDir, "text", name!), work)
  await writeFile(join(work, "train.tokens"), "rubbish that no journal speaks of")
  await prepareCorpus(corpusOf({}), { cacheDir, base })
  t.same(await readdir(join(cacheDir, "text")), [name])
})
