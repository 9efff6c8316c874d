/** The fetched library: kept where it was put, found again, never half there. */
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import t from "tap"
import { fetchedBefore, fetchOnnxruntime, requireFetched } from "../../../src/engine/onnxruntime/fetched.js"

const scratch = await mkdtemp(join(tmpdir(), "repro-engine-"))
const saved = { ...process.env }
t.afterEach(() => {
  process.env = { ...saved }
})
t.teardown(() => rm(scratch, { recursive: true }))

/** An `npm` that unpacks a package of the given integrity, or fails. */
const fakeNpm = async (name: string, integrity: string | undefined): Promise<void> => {
  const bin = join(scratch, name, "bin")
  await mkdir(bin, { recursive: true })
  const here = `${process.platform}/${process.arch}`
  const unpack = [
    `mkdir -p node_modules/onnxruntime-node/bin/napi-v6/${here} node_modules/onnxruntime-node/bin/napi-v6/other/cpu`,
    `echo '{"name":"onnxruntime-node","main":"main.js"}' > node_modules/onnxruntime-node/package.json`,
    `echo 'module.exports = { here: true }' > node_modules/onnxruntime-node/main.js`,
    `echo '{"packages":{"node_modules/onnxruntime-node":{"integrity":"${integrity}"}}}' > node_modules/.package-lock.json`,
  ]
  const script = integrity === undefined ? ["echo 'no such host' >&2", "exit 1"] : unpack
  await writeFile(join(bin, "npm"), ["#!/bin/sh", ...script].join("\n"))
  await chmod(join(bin, "npm"), 0o755)
  process.env["PATH"] = `${bin}${delimiter}${saved["PATH"] ?? ""}`
  process.env["REPRO_ENGINES"] = join(scratch, name, "engines")
  // The usual cache may hold the real library.
  process.env["XDG_CACHE_HOME"] = join(scratch, name, "cache")
}

const GOOD = "sha512-twhs1C2C/BFkz1yc5OY0KIU2GUq6DURO7hD4bx5Q2Qy3nAMJwRXW8xU3NVczE29VA9lolLOYepoD8fjTGOfIqw=="

t.test("two that start at once both have it, and it is kept for this platform alone", async (t) => {
  await fakeNpm("good", GOOD)
  t.equal(await fetchedBefore(), undefined)
  const said: string[] = []
  const say = (line: string): void => void said.push(line)
  const [a, b] = await Promise.all([fetchOnnxruntime(say), fetchOnnxruntime(say)])
  t.equal(a, b)
  t.equal(await fetchedBefore(), a)
  t.same(requireFetched(a), { here: true })
  t.same(await readdir(join(a, "node_modules/onnxruntime-node/bin/napi-v6", process.platform)), [
    process.arch,
  ])
  t.same(await readdir(process.env["REPRO_ENGINES"]!), [a.split("/").at(-1)], "nothing half-written stays")
  t.match(said[0], /not installed; npm fetches it once into .*110 MB/)
  said.length = 0
  t.equal(await fetchOnnxruntime(say), a)
  t.same(said, [], "the second use fetches nothing")
})

const quiet = (): void => undefined

t.test("another package, or none, is refused and leaves nothing", async (t) => {
  await fakeNpm("other", "sha512-AAAA")
  await t.rejects(fetchOnnxruntime(quiet), /another package \(sha512-AAAA/)
  t.same(await readdir(process.env["REPRO_ENGINES"]!), [])
  await fakeNpm("none", undefined)
  await t.rejects(fetchOnnxruntime(quiet), /npm could not fetch it: no such host/)
  t.same(await readdir(process.env["REPRO_ENGINES"]!), [])
})
