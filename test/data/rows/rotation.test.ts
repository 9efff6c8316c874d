import { appendFile, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import tap, { test } from "tap"
import { openRotation } from "../../../src/data/rows/rotation.js"
import { writeShard } from "../../../src/data/rows/shards.js"

const folder = await mkdtemp(join(tmpdir(), "rotation-"))
tap.teardown(() => rm(folder, { recursive: true }))

/** Shards whose tokens are all their own number. */
const shards = async (name: string, sizes: readonly number[]): Promise<string[]> => {
  const paths = sizes.map((_, i) => join(folder, `${name}_train_${String(i).padStart(6, "0")}.bin`))
  for (const [i, path] of paths.entries()) await writeShard(path, new Uint16Array(sizes[i]!).fill(i))
  return paths
}

test("groups of shards in the order given, whatever their names, ceil(n / size) of them", async (t) => {
  const paths = await shards("a", [3, 1, 4, 1, 5])
  const shuffled = [3, 0, 4, 2, 1].map((i) => paths[i]!)
  const rotation = await openRotation({ shards: shuffled, shardsInMemory: 2, rotation: true })
  t.equal(rotation.groups, 3)
  t.same(rotation.groupTokens, [4, 9, 1])
  const seen: unknown[] = []
  for await (const { tokens, index, shards: names } of rotation) seen.push([[...tokens], index, names])
  t.same(seen, [
    [[3, 0, 0, 0], 0, shuffled.slice(0, 2)],
    [[4, 4, 4, 4, 4, 2, 2, 2, 2], 1, shuffled.slice(2, 4)],
    [[1], 2, shuffled.slice(4)],
  ])
  await rotation.close()
  const still = await openRotation({ shards: paths, shardsInMemory: 2, rotation: false })
  t.equal(still.groups, 1)
  t.same([...(await still.group(0)).tokens], [0, 0, 0, 1])
  await t.rejects(still.group(1), RangeError)
})

test("any group can be the first, and groups can be asked for again", async (t) => {
  const paths = await shards("b", [2, 2, 2, 2, 2])
  const rotation = await openRotation({ shards: paths, shardsInMemory: 1, rotation: true })
  for (const index of [3, 4, 0, 1, 1, 4, 2, 3]) {
    const group = await rotation.group(index)
    t.same([group.index, ...group.tokens], [index, index, index])
  }
  await rotation.close()
})

test("a group stays unchanged while the next one is read", async (t) => {
  const paths = await shards("c", [500_000, 500_000, 500_000])
  const rotation = await openRotation({ shards: paths, shardsInMemory: 1, rotation: true })
  for (let index = 0; index < 3; index++) {
    const { tokens } = await rotation.group(index)
    await new Promise((resolve) => setTimeout(resolve, 30))
    t.ok(tokens.every((id) => id === index))
  }
})

test("memory: two groups, whatever the number of groups", async (t) => {
  const size = 1_000_000
  const measure = async (count: number): Promise<number> => {
    const paths = await shards(`m${count}`, Array<number>(count).fill(size))
    const before = process.memoryUsage().arrayBuffers
    const rotation = await openRotation({ shards: paths, shardsInMemory: 2, rotation: true })
    let peak = 0
    for await (const { tokens } of rotation) {
      t.equal(tokens.length, 2 * size)
      peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)
    }
    await rotation.close()
    return peak
  }
  // One group is 4 MB: two buffers are 8 MB; the margin is for headers and Node's own buffers.
  const few = await measure(4)
  const many = await measure(40)
  t.ok(few < 9e6, `2 groups: ${few} bytes`)
  t.ok(many < 9e6, `20 groups: ${many} bytes`)
})

test("bad shards are refused before training, changed ones when their turn comes", async (t) => {
  const paths = await shards("d", [2, 2, 2])
  const options = { shards: paths, shardsInMemory: 1, rotation: true }
  await t.rejects(openRotation({ ...options, shards: [] }), /has none/)
  await t.rejects(openRotation({ ...options, shards: [join(folder, "none.bin")] }), /no such file/)
  const narrow = await openRotation({ ...options, vocabSize: 2 })
  t.ok(await narrow.group(1))
  await t.rejects(narrow.group(2), /d_train_000002\.bin: token 0 is 2, outside the vocabulary of 2/)
  t.ok(await narrow.group(0), "and the others can still be read")
  const rotation = await openRotation(options)
  await appendFile(paths[2]!, "xx")
  t.ok(await rotation.group(1))
  await t.rejects(rotation.group(2), /2 too many/)
  await t.rejects(openRotation(options), /d_train_000002\.bin.*2 too many/)
})

test("shards of wide ids rotate like others, and are not mixed with narrow ones", async (t) => {
  const ids = [Uint32Array.of(151_643, 5), Uint32Array.of(7, 151_645)]
  const paths = await Promise.all(
    ids.map(async (tokens, i) => {
      const path = join(folder, `wide_${i}.bin`)
      await writeShard(path, tokens)
      return path
    }),
  )
  const rotation = await openRotation({
    shards: paths,
    shardsInMemory: 1,
    rotation: true,
    vocabSize: 151_646,
  })
  for (const [i, tokens] of ids.entries()) t.same([...(await rotation.group(i)).tokens], [...tokens])
  await rotation.close()
  const mixed = await openRotation({
    shards: [...(await shards("n", [2])), paths[0]!],
    shardsInMemory: 2,
    rotation: true,
  })
  await t.rejects(mixed.group(0), /4 bytes and those of the shards beside it 2/)
})
