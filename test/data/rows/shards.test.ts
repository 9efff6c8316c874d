import { appendFile, mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises"
import { readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import tap, { test } from "tap"
import { filesStore } from "../../../src/data/corpora/files/store.js"
import {
  checkVocabulary,
  inspectShard,
  inspectShardOf,
  readShard,
  readShardInto,
  writeShard,
} from "../../../src/data/rows/shards.js"

const folder = await mkdtemp(join(tmpdir(), "shards-"))
tap.teardown(() => rm(folder, { recursive: true }))
const path = join(folder, "x_train_000000.bin")
const tokens = Uint16Array.of(1, 500, 1023, 2, 1, 7)

const patch = async (offset: number, value: number): Promise<void> => {
  await writeShard(path, tokens)
  const handle = await open(path, "r+")
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  await handle.write(bytes, 0, 4, offset)
  await handle.close()
}

test("the published layout, byte by byte", async (t) => {
  await writeShard(path, tokens)
  const bytes = readFileSync(path)
  // Header of 256 int32: 20240520, 1, count, zeros; then uint16 tokens; all little-endian. Size 1024 + 2n.
  t.equal(bytes.length, 1024 + 2 * 6)
  t.equal(bytes.readInt32LE(0), 20240520)
  t.equal(bytes.readInt32LE(4), 1)
  t.equal(bytes.readInt32LE(8), 6)
  t.ok(bytes.subarray(12, 1024).every((byte) => byte === 0))
  t.equal(bytes.subarray(1024).toString("hex"), "0100f401ff03020001000700")
})

test("read back: whole, into a buffer, and refused when it does not fit", async (t) => {
  await writeShard(path, tokens)
  t.same(await readShard(path), tokens)
  t.same(await inspectShard(path), { path, tokens: 6, promised: 6 })
  const buffer = new Uint16Array(10).fill(9)
  t.equal(await readShardInto(path, buffer.subarray(2)), 6)
  t.same([...buffer], [9, 9, ...tokens, 9, 9])
  await t.rejects(readShardInto(path, new Uint16Array(5)), /6 tokens do not fit the 5/)
  await writeShard(path, new Uint16Array())
  t.equal((await readShard(path)).length, 0)
})

test("damaged files: what was found and what to do", async (t) => {
  await writeShard(path, tokens)
  await truncate(path, 1033)
  await t.rejects(
    inspectShard(path),
    /x_train_000000\.bin: 6 tokens need 1036 bytes but the file has 1033: 3 are missing/,
  )
  t.same(await readShard(path, { truncated: true }), tokens.subarray(0, 4), "a half token is dropped")
  t.same(await inspectShard(path, { truncated: true }), { path, tokens: 4, promised: 6 })
  await truncate(path, 1000)
  t.equal((await readShard(path, { truncated: true })).length, 0)
  await truncate(path, 5)
  await t.rejects(
    readShard(path, { truncated: true }),
    /only 5 bytes, less than a shard's header; write it again/,
  )
  await truncate(path, 0)
  await t.rejects(readShard(path), /it is empty/)
  await writeShard(path, tokens)
  await appendFile(path, "xy")
  await t.rejects(readShard(path), /2 too many; write it again/)
  await t.rejects(readShard(path, { truncated: true }), /2 too many/)
  await patch(0, 20240521)
  await t.rejects(readShard(path), /not a token shard: the first number is 20240521, not 20240520/)
  await patch(4, 2)
  await t.rejects(readShard(path), /version 2 is not supported/)
  await patch(8, -1)
  await t.rejects(readShard(path), /claims -1 tokens/)
  await writeFile(path, "version https://git-lfs.github.com/spec/v1\noid sha256:abc\n")
  await t.rejects(readShard(path), /Git LFS pointer instead/)
  await t.rejects(readShard(join(folder, "none.bin")), /none\.bin: there is no such file/)
})

test("ids outside the vocabulary are named", async (t) => {
  checkVocabulary(path, tokens, 1024)
  t.throws(() => checkVocabulary(path, tokens, 1023), /token 2 is 1023, outside the vocabulary of 1023/)
})

test("ids of more than 65 536: four bytes each, version 4", async (t) => {
  const wide = Uint32Array.of(1, 151_643, 70_000, 0)
  await writeShard(path, wide)
  const bytes = readFileSync(path)
  t.equal(bytes.length, 1024 + 4 * 4)
  t.equal(bytes.readInt32LE(4), 4)
  t.equal(bytes.readUInt32LE(1028), 151_643)
  t.same(await readShard(path), wide)
  t.same(await inspectShard(path), { path, tokens: 4, promised: 4, wide: true })
  await t.rejects(readShardInto(path, new Uint16Array(9)), /its tokens have 4 bytes and those .* beside it 2/)
  await truncate(path, 1024 + 4 * 4 - 1)
  await t.rejects(inspectShard(path), /4 tokens need 1040 bytes but the file has 1039/)
  t.throws(() => checkVocabulary(path, wide, 151_643), /token 1 is 151643, outside the vocabulary of 151643/)
})

test("integers that cannot hold the vocabulary's ids are refused before any token is used", async (t) => {
  // 65 536 is the first id that two bytes do not hold.
  await writeShard(path, tokens)
  t.equal((await inspectShardOf(65_536, path)).tokens, 6)
  const refused =
    /x_train_000000\.bin: its tokens have two bytes.*the vocabulary has 65537: larger ids were cut.*four bytes a token/
  await t.rejects(inspectShardOf(65_537, path), refused)
  const corpus = { kind: "files", train: [`file:${path}`], validation: [`file:${path}`] } as const
  const job = { corpus, tokenizer: { vocabSize: 65_537 } } as unknown as Parameters<
    typeof filesStore.locate
  >[0]
  const options = { cacheDir: folder, base: folder }
  await t.rejects(Promise.resolve(filesStore.locate(job, options)), refused, "wherever the corpus is used")
  await writeShard(path, Uint32Array.of(70_000, 1))
  t.equal((await inspectShardOf(151_670, path)).tokens, 2)
  t.same((await filesStore.locate(job, options)).train, [path])
})
