/** Reading a file part by part holds one part of it. */
import { createHash } from "node:crypto"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { execa } from "execa"
import t from "tap"
import { fileDigest } from "../../src/files/digest.js"
import { readParts } from "../../src/files/parts.js"

const MEBIBYTE = 1 << 20

const pattern = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff)

t.test("spans are read byte for byte, across the ends of parts and of the file", async (t) => {
  const path = join(t.testdir(), "file")
  // Parts have 2^18 bytes.
  const bytes = pattern((1 << 18) * 2 + 11)
  await writeFile(path, bytes)
  for (const [start, end] of [
    [0, undefined],
    [0, 0],
    [0, 1],
    [5, (1 << 18) + 6],
    [(1 << 18) - 1, (1 << 18) * 2 + 1],
    [bytes.length - 1, undefined],
    [bytes.length, undefined],
    [3, bytes.length + 99],
  ] as const) {
    const parts: number[] = []
    await readParts(path, (part) => void parts.push(...part.subarray(0, 4), ...part.subarray(-4)), {
      start,
      ...(end === undefined ? {} : { end }),
    })
    const hash = createHash("sha256")
    await readParts(path, (part) => hash.update(part), { start, ...(end === undefined ? {} : { end }) })
    const wanted = createHash("sha256").update(bytes.subarray(start, end)).digest("hex")
    t.equal(hash.digest("hex"), wanted, `[${start}, ${end ?? "end"})`)
    t.equal(parts.length > 0, start < Math.min(end ?? Infinity, bytes.length))
  }
})

t.test("several files at once do not share a buffer", async (t) => {
  const folder = t.testdir()
  const wanted = await Promise.all(
    Array.from({ length: 8 }, async (_, i) => {
      const bytes = pattern(MEBIBYTE + i).fill(i, 0, 1000 * (i + 1))
      await writeFile(join(folder, String(i)), bytes)
      return createHash("sha256").update(bytes).digest("hex")
    }),
  )
  t.same(await Promise.all(wanted.map((_, i) => fileDigest(join(folder, String(i))))), wanted)
})

t.test(
  "a pipe has a digest as well",
  { skip: process.platform === "win32" && "no named pipes" },
  async (t) => {
    const path = join(t.testdir(), "pipe")
    await execa("mkfifo", [path])
    const [found] = await Promise.all([fileDigest(path), writeFile(path, "what came")])
    t.equal(found, createHash("sha256").update("what came").digest("hex"))
  },
)

t.test("the memory that a digest takes does not grow with the file", async (t) => {
  setFlagsFromString("--expose-gc")
  const collect = runInNewContext("gc") as () => void
  const path = join(t.testdir(), "large")
  await writeFile(path, new Uint8Array(48 * MEBIBYTE))
  await fileDigest(path)
  collect()
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  // Without a collection in between, what was made is what is counted.
  await readParts(path, () => (most = Math.max(most, process.memoryUsage().arrayBuffers)))
  t.ok(most - before < MEBIBYTE, `${most - before} bytes of buffers for 48 MiB`)
})
