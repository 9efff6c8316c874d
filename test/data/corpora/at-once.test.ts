/** Two calls that prepare the same data at once, and caches that cannot be written. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import tap, { test } from "tap"
import { prepareCorpus, type CorpusSpec } from "../../../src/data/corpora/corpus.js"
import { bytesDigest } from "../../../src/files/digest.js"
import { DataError } from "../../../src/files/errors.js"
import { inCacheWords } from "../../../src/files/sources.js"
import { tarball } from "../archive.js"
import { serve, startServer } from "../server.js"
import { repro, smallSpec } from "../../cli/small.js"

tap.setTimeout(540_000)
const root = await mkdtemp(join(tmpdir(), "at-once-"))
tap.teardown(() => rm(root, { recursive: true }))

const archive = tarball(
  Object.fromEntries(
    Array.from({ length: 5 }, (_, i) => [`package/data/${i}.txt`, `One ${i}. Two — ${i}. Three.`]),
  ),
)
const spec: CorpusSpec = {
  corpus: {
    kind: "speeches",
    source: "npm:a@1.0.0",
    sha256: bytesDigest(archive),
    trainShards: 2,
    holdOutEvery: 5,
    sentencesPerDocument: 2,
  } as CorpusSpec["corpus"],
  tokenizer: { id: "sp1024", model: "embedded", vocabSize: 1024, boundaryId: 1, maskId: 1024, padId: 1025 },
}

/** Every file under a folder with its digest. */
const files = async (folder: string): Promise<Readonly<Record<string, string>>> => {
  const found: Record<string, string> = {}
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) {
      const path = join(entry.parentPath, entry.name)
      found[path.slice(folder.length)] = bytesDigest(await readFile(path))
    }
  return found
}

test("of calls that prepare the same corpus one works, the others wait and take it", async (t) => {
  const server = await startServer((request, response) => serve(request, response, archive))
  t.teardown(server.close)
  const alone = { cacheDir: join(root, "alone"), registry: server.url }
  const expected = await prepareCorpus(spec, alone)
  const options = { cacheDir: join(root, "together"), registry: server.url }
  const all = await Promise.all([1, 2, 3, 4].map(() => prepareCorpus(spec, options)))
  for (const corpus of all) t.same(corpus.trainDigests, expected.trainDigests)
  t.equal(server.requests.length, 2, "one for each cache")
  t.same(await files(options.cacheDir), await files(alone.cacheDir), "and nothing else lies there")
})

test("two processes prepare at once", async (t) => {
  const { folder, spec: path } = await smallSpec(20, {
    data: { corpus: null },
  })
  const written = JSON.parse(await readFile(path, "utf8")) as { data: object }
  const text = join(folder, "text.txt")
  await writeFile(
    text,
    Array.from({ length: 4000 }, (_, i) => `Line ${i} of a text that is cut.\n\n`).join(""),
  )
  await writeFile(
    path,
    JSON.stringify({
      ...written,
      data: {
        ...written.data,
        corpus: {
          kind: "text",
          train: [`file:${text}`],
          validation: { holdOutEvery: 5 },
          document: "paragraph",
          trainShards: 2,
        },
      },
    }),
  )
  process.env["REPRO_CACHE"] = join(root, "processes")
  t.teardown(() => delete process.env["REPRO_CACHE"])
  const ended = await Promise.all([1, 2].map(() => repro(["prepare", path, "--json"])))
  for (const { code, stderr } of ended) t.equal(code, 0, stderr)
  const [one, two] = ended.map(
    ({ stdout }) => JSON.parse(stdout) as { train: string[]; validationDigests: string[] },
  )
  t.same(one!.validationDigests, two!.validationDigests)
  t.same(one!.train, two!.train)
  const left = Object.keys(await files(join(root, "processes"))).filter(
    (name) => !/\.bin$|corpus\.json$/.test(name),
  )
  t.same(left, [])
})

test("a cache that cannot be written is named once, with REPRO_CACHE as the cure", async (t) => {
  const server = await startServer((request, response) => serve(request, response, archive))
  t.teardown(server.close)
  const file = join(root, "a-file")
  await writeFile(file, "")
  const cacheDir = join(file, "cache")
  const error = await prepareCorpus(spec, { cacheDir, registry: server.url }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  t.ok(error instanceof DataError, cacheDir)
  const { message } = error as DataError
  t.match(message, /the variable REPRO_CACHE, and run the command again/)
  t.equal(message.split("REPRO_CACHE").length, 2, message)
  const denied = Object.assign(new Error("x"), { code: "EROFS" })
  const cache = join(root, "cache")
  t.match(inCacheWords(new DataError("refused", join(cache, "a.bin"), "no", denied), cache), {
    message: `${join(cache, "a.bin")}: it may not be written; it lies in the cache ${cache}: make room or give yourself access there, or name another folder with the variable REPRO_CACHE, and run the command again.`,
  })
  const elsewhere = new DataError("refused", join(root, "b.bin"), "no", denied)
  t.equal(inCacheWords(elsewhere, cache), elsewhere, "a file that lies elsewhere is not the cache's")
})

test("what is prepared is used from a cache that cannot be written to any more", async (t) => {
  const server = await startServer((request, response) => serve(request, response, archive))
  t.teardown(server.close)
  const cacheDir = join(root, "full")
  await prepareCorpus(spec, { cacheDir, registry: server.url })
  // What a file system that is mounted to be read alone does to everyone, root included.
  const lock = join(
    cacheDir,
    `.lock-speeches-${bytesDigest(JSON.stringify(["speeches", spec.corpus])).slice(0, 16)}`,
  )
  await writeFile(lock, "no folder can be made here")
  t.equal((await prepareCorpus(spec, { cacheDir })).train.length, 2)
})
