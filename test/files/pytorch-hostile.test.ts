/**
 * Checkpoints made to take all time and memory: each is refused by name after work in proportion to the file, which
 * the limits of the reader state. Every pickle here is written by hand, opcode by opcode (CPython Lib/pickletools.py).
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { crc32 } from "node:zlib"
import tap, { test } from "tap"
import { readPickle } from "../../src/files/pickle.js"
import { readPytorch } from "../../src/files/pytorch.js"

const folder = await mkdtemp(join(tmpdir(), "repro-hostile-"))
tap.teardown(() => rm(folder, { recursive: true, force: true }))

interface Entry {
  readonly name: string
  readonly data: Buffer
  /** Where its local header lies instead, for entries that share their bytes. */
  readonly at?: number
}

/** A ZIP archive of stored entries (PKWARE APPNOTE 6.3.10, 4.3). */
const zip = (entries: readonly Entry[]): Buffer => {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const { name, data, at: shared } of entries) {
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50, 0)
    local.writeUInt16LE(name.length, 26)
    const central = Buffer.alloc(46)
    central.writeUInt32LE(0x02014b50, 0)
    central.writeUInt32LE(crc32(data), 16)
    central.writeUInt32LE(data.length, 20)
    central.writeUInt32LE(data.length, 24)
    central.writeUInt16LE(name.length, 28)
    central.writeUInt32LE(shared ?? at, 42)
    directory.push(central, Buffer.from(name))
    if (shared !== undefined) continue
    parts.push(local, Buffer.from(name), data)
    at += 30 + name.length + data.length
  }
  const listed = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(listed.length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...parts, listed, end])
}

let files = 0
const checkpoint = async (pickle: Buffer, others: readonly Entry[] = []): Promise<string> => {
  const path = join(folder, `${files++}.pt`)
  await writeFile(path, zip([{ name: "a/data.pkl", data: pickle }, ...others]))
  return path
}

const bytes = (...parts: readonly (number | string | Buffer)[]): Buffer =>
  Buffer.concat(
    parts.map((part) =>
      typeof part === "number" ? Buffer.from([part]) : typeof part === "string" ? Buffer.from(part) : part,
    ),
  )
const times = (count: number, part: Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, () => part))
const u32 = (value: number): Buffer => {
  const four = Buffer.alloc(4)
  four.writeUInt32LE(value)
  return four
}
const str = (value: string): Buffer => bytes("X", u32(value.length), value)
const int = (value: number): Buffer => bytes("J", u32(value))
const PROTO = bytes(0x80, 2)

/** A float32 tensor of `count` elements in the storage `key` of as many. */
const view = (key: string, count: number): Buffer =>
  bytes(
    "ctorch._utils\n_rebuild_tensor_v2\n(",
    bytes("(", str("storage"), "ctorch\nFloatStorage\n", str(key), str("cpu"), int(count), "tQ"),
    bytes(int(0), int(count), 0x85, int(1), 0x85, 0x89, "ccollections\nOrderedDict\n)R"),
    "tR",
  )

const floats = (count: number): Entry => ({ name: "a/data/0", data: Buffer.alloc(4 * count) })

const refuses = (message: RegExp) => ({ name: "DataError", reason: "refused", message }) as unknown as Error

test("containers that hold themselves are refused", async (t) => {
  const list = bytes(PROTO, "]q", 0, "h", 0, "a", ".")
  const dict = bytes(PROTO, "}q", 0, str("me"), "h", 0, "s", ".")
  const pair = bytes(PROTO, "}q", 0, str("a"), "]q", 1, "h", 0, "as.")
  for (const pickle of [list, dict, pair])
    await t.rejects(
      readPytorch(await checkpoint(pickle)),
      refuses(/\.pt: one of its dicts or lists holds itself/),
    )
})

/** Lists of lists, each of which holds the one before `width` times. */
const graph = (levels: number, width: number, leaf: Buffer): Buffer =>
  bytes(
    PROTO,
    leaf,
    "q",
    0,
    ...Array.from({ length: levels }, (_, i) => bytes("](", times(width, bytes("h", i)), "eq", i + 1)),
    ".",
  )

test("graphs that unroll to any number of values are refused", async (t) => {
  await t.rejects(
    readPytorch(await checkpoint(graph(7, 1000, bytes("]")))),
    refuses(/hold one another so often that they have no end/),
  )
  await t.rejects(
    readPytorch(await checkpoint(graph(6, 500, view("0", 4)), [floats(4)])),
    refuses(/so often that they have no end/),
    "with a tensor at the end",
  )
  const name = bytes(PROTO, graph(30, 30, str("x")).subarray(2, -1), "h", 0, 0x93, ".")
  await t.rejects(
    readPytorch(await checkpoint(name)),
    refuses(/it refers to the Python object \(no name\)\.x/),
    "as the name of a global",
  )
  const key = bytes(graph(30, 30, str("x")).subarray(0, -1), "q", 99, "0}", "h", 99, view("0", 4), "s.")
  await t.rejects(
    readPytorch(await checkpoint(key, [floats(4)])),
    refuses(/a tensor under a key that is neither text/),
    "as a key",
  )
})

test("containers that are met twice are read, as shared tensors are", async (t) => {
  const pickle = bytes(PROTO, "}(", str("a"), "}", str("w"), view("0", 4), "sq", 0, str("b"), "h", 0, "u.")
  const { tensors } = await readPytorch(await checkpoint(pickle, [floats(4)]))
  t.same([...tensors.keys()], ["a.w", "b.w"])
})

test("thousands of views on one storage cost no copy of it before they are asked for", async (t) => {
  const count = 1 << 20
  const many = 20_000
  const named = Array.from({ length: many }, (_, i) => bytes(str(`w${i}`), view("0", count), "s"))
  const path = await checkpoint(bytes(PROTO, "}", ...named, "."), [floats(count)])
  const before = process.memoryUsage().arrayBuffers
  const { tensors } = await readPytorch(path)
  t.equal(tensors.size, many)
  // One storage and the pickle, where a copy for each view were 80 GB.
  const grown = process.memoryUsage().arrayBuffers - before
  t.ok(grown < 64 * 2 ** 20, `${grown} bytes for ${many} views of ${4 * count}`)
  const one = tensors.get("w7")!
  t.equal(one.data.length, count)
})

test("entries of an archive that lie in one another are refused", async (t) => {
  const data = Buffer.alloc(4096)
  const pickle = bytes(PROTO, "}.")
  const first = 30 + "a/data.pkl".length + pickle.length
  const shared = Array.from({ length: 50 }, (_, i) => ({
    name: `a/data/${i}`,
    data,
    ...(i > 0 ? { at: first } : {}),
  }))
  await t.rejects(readPytorch(await checkpoint(pickle, shared)), /some lie in one another/)
})

const read = (pickle: Buffer): unknown =>
  readPickle(pickle, "x.pt", { global: () => (pairs: unknown) => pairs, persistent: () => null })

test("pickles that make more than any state dict holds are refused", (t) => {
  t.throws(
    () => read(bytes(PROTO, Buffer.alloc(2_000_001, "}"), ".")),
    refuses(/makes more than 2000000 containers/),
  )
  t.throws(
    () => read(bytes(PROTO, Buffer.alloc(8_000_001, "N"), ".")),
    refuses(/more than 8000000 instructions/),
  )
  t.throws(
    () => read(bytes(PROTO, "ca\nb\n(", Buffer.alloc(65, "N"), "tR.")),
    refuses(/calls with 65 arguments/),
  )
  t.end()
})

test("dicts that are copied from one list again and again are refused", async (t) => {
  const pairs = bytes("](", times(5000, bytes("NN", 0x86)), "eq", 0, "0")
  const copies = times(1000, bytes("ccollections\nOrderedDict\nh", 0, 0x85, "R0"))
  await t.rejects(
    readPytorch(await checkpoint(bytes(PROTO, pairs, copies, "}."))),
    refuses(/more than 1000000 pairs that lie in lists/),
  )
})

test("a name of a tensor is one that a person can read", async (t) => {
  const pickle = bytes(PROTO, "}", str("n".repeat(100_000)), view("0", 4), "s.")
  await t.rejects(
    readPytorch(await checkpoint(pickle, [floats(4)])),
    refuses(/names a tensor with 100000 characters/),
  )
})
