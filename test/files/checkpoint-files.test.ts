/** The files of a checkpoint that a spec names: fetched from a hub, found, and what is said where they are not. */
import { createHash } from "node:crypto"
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import t from "tap"
import { fetchCheckpoint, locateCheckpoint } from "../../src/files/checkpoint-files.js"
import { startServer } from "../data/server.js"

const root = await mkdtemp(join(tmpdir(), "checkpoint-files-"))
t.teardown(() => rm(root, { recursive: true }))

const INDEX = "model.safetensors.index.json"
const SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] as const
const index = JSON.stringify({ weight_map: { a: SHARDS[0], b: SHARDS[1], c: SHARDS[0] } })
const files: Readonly<Record<string, string>> = {
  [INDEX]: index,
  [SHARDS[0]]: "first",
  [SHARDS[1]]: "second",
}
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex")
const named = { checkpoint: "hf:owner/weights", revision: "v1" } as const

/** A hub that lacks some files. */
const hub = async (missing: readonly string[] = []) => {
  const server = await startServer((request, response) => {
    const file = request.url!.split("/").at(-1)!
    if (!request.url!.startsWith("/owner/weights/resolve/v1/") || missing.includes(file)) {
      response.writeHead(404).end()
      return
    }
    response.writeHead(200).end(files[file])
  })
  t.teardown(server.close)
  process.env["HF_ENDPOINT"] = server.url
  return server
}
t.teardown(() => delete process.env["HF_ENDPOINT"])
const sentence = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "fine",
    (error: unknown) => (error as Error).message,
  )

void t.test("a repository's index says which shards there are; each is fetched once", async (t) => {
  const server = await hub()
  const cacheDir = join(root, "whole")
  const stated = { ...named, sha256: { [SHARDS[0]]: sha256("first") } }
  const paths = await fetchCheckpoint(stated, { cacheDir })
  t.same(
    await Promise.all(paths.map((path) => readFile(path, "utf8"))),
    ["first", "second"],
    "in order of their names",
  )
  const asked = server.requests.length
  t.same(await fetchCheckpoint(stated, { cacheDir }), paths)
  t.equal(server.requests.length, asked, "nothing is fetched again")
})

void t.test(
  "a fetch that does not come is told with the address; what came is kept, nothing half-written",
  async (t) => {
    await hub([SHARDS[1]])
    const cacheDir = join(root, "half")
    const told = await sentence(fetchCheckpoint(named, { cacheDir }))
    t.match(
      told,
      /http:\/\/127\.0\.0\.1:\d+\/owner\/weights\/resolve\/v1\/model-00002-of-00002\.safetensors.*404/,
    )
    const folder = join(cacheDir, "models", "owner", "weights", "v1")
    t.same((await readdir(folder)).sort(), ["fetched.json", SHARDS[0], INDEX].sort())
    t.match(
      await sentence(locateCheckpoint(named, { cacheDir })),
      /model-00002-of-00002\.safetensors: .*lists this shard and it is not there: the weights are 2 files; run `repro prepare` on the spec/,
    )
    await hub([INDEX])
    t.match(await sentence(fetchCheckpoint(named, { cacheDir: join(root, "none") })), /index\.json.*404/)
    await hub()
    const other = { ...named, sha256: { [SHARDS[0]]: sha256("another") } }
    t.match(
      await sentence(fetchCheckpoint(other, { cacheDir: join(root, "other") })),
      new RegExp(`model-00001.*${sha256("first").slice(0, 12)}`),
      "another file than the spec states",
    )
  },
)

void t.test(
  "files of one's own: a missing shard, a file that is no index, a digest of no file",
  async (t) => {
    const folder = join(root, "own")
    await mkdir(folder)
    const at = { checkpoint: `file:${join(folder, INDEX)}` }
    const place = { cacheDir: root }
    t.match(
      await sentence(locateCheckpoint(at, place)),
      /the weights that init names are not there; correct init\.checkpoint/,
    )
    await writeFile(join(folder, INDEX), index)
    await writeFile(join(folder, SHARDS[0]), "first")
    t.match(
      await sentence(locateCheckpoint(at, place)),
      /model-00002-of-00002\.safetensors: .*index\.json lists this shard and it is not there: the weights are 2 files; put it beside the others/,
    )
    await writeFile(join(folder, SHARDS[1]), "second")
    t.equal((await locateCheckpoint(at, place)).length, 2)
    t.match(
      await sentence(locateCheckpoint({ ...at, sha256: { "model.safetensors": sha256("") } }, place)),
      /states a digest of model\.safetensors, which is none of the files of the weights; they are model-00001/,
    )
    await writeFile(join(folder, INDEX), "{")
    t.match(await sentence(locateCheckpoint(at, place)), /it is not JSON; download it again/)
    await writeFile(join(folder, INDEX), JSON.stringify({ weight_map: { a: "../elsewhere" } }))
    t.match(
      await sentence(locateCheckpoint(at, place)),
      /it has no weight_map from names of tensors to files beside it/,
    )
  },
)
