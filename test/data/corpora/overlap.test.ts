import { join } from "node:path"
import t from "tap"
import { measureOverlap } from "../../../src/data/corpora/overlap.js"
import { writeShard } from "../../../src/data/rows/shards.js"
import { integersBelow, stream } from "../../../src/diffusion/philox.js"

const folder = t.testdir()
const random = (count: number, seed: number): Uint16Array =>
  Uint16Array.from(integersBelow(stream(seed, "data"), [0], 1000, count))
const shard = async (name: string, tokens: Uint16Array): Promise<string> => {
  await writeShard(join(folder, name), tokens)
  return join(folder, name)
}

void t.test("counts the blocks that were copied, wherever they stand", async (test) => {
  const validation = random(640, 1) // ten blocks of 64
  const clean = await shard("clean.bin", random(5000, 2))
  test.match(await measureOverlap([clean], validation), { block: 64, blocks: 10, shared: 0, looked: 5000 })
  const copied = random(5000, 3)
  copied.set(validation.subarray(64, 64 + 128), 1001) // blocks 1 and 2 at an odd place
  copied.set(validation.subarray(576 + 1), 3000) // block 9 without its first token
  const dirty = await shard("dirty.bin", copied)
  test.match(await measureOverlap([clean, dirty], validation), {
    shared: 2,
    looked: 10_000,
    trainTokens: 10_000,
  })
  test.match(await measureOverlap([clean, dirty], validation, 6000), { shared: 0, looked: 6000 })
  test.match(await measureOverlap([await shard("all.bin", validation)], validation), { shared: 10 })
})

void t.test("equal blocks count each time, and long runs of one token end", async (test) => {
  const same = new Uint16Array(640_000).fill(7)
  const path = await shard("same.bin", same)
  test.match(await measureOverlap([path], same), { blocks: 10_000, shared: 10_000 })
  test.match(await measureOverlap([path], random(10, 4)), { block: 10, blocks: 1, shared: 0 })
  test.match(await measureOverlap([path], new Uint16Array(0)), { blocks: 0, shared: 0 })
})
