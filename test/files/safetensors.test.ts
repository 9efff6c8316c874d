import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fc, fuzz } from "../fuzz.js"
import { test } from "tap"
import { DataError } from "../../src/files/errors.js"
import {
  decodeSafetensors,
  encodeSafetensors,
  readSafetensors,
  toBFloat16,
  toFloat32,
  writeSafetensors,
  type StoredTensor,
} from "../../src/files/safetensors.js"

/** A file from a header as text and a body, to make foreign and damaged files. */
const raw = (header: string, body: number[] = [], claimed = header.length): Uint8Array => {
  const bytes = new Uint8Array(8 + header.length + body.length)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(claimed), true)
  bytes.set(new TextEncoder().encode(header), 8)
  bytes.set(body, 8 + header.length)
  return bytes
}
const refused = (bytes: Uint8Array) => {
  try {
    decodeSafetensors(bytes, "x.safetensors")
  } catch (error) {
    return error instanceof DataError ? error.message : `not a DataError: ${String(error)}`
  }
  return "accepted"
}

const header = (offsets: string, shape = "[4]") => `{"dtype":"U8","shape":${shape},"data_offsets":${offsets}}`

test("bytes follow the published layout", async (t) => {
  // Derived by hand from the format description: length 8n, JSON padded with spaces, larger elements first.
  const bytes = encodeSafetensors(
    {
      b: { dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 3) },
      a: { dtype: "F32", shape: [], data: Float32Array.of(1) },
    },
    { format: "pt" },
  )
  const json =
    '{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[3],"data_offsets":[4,7]}}'
  const padded = json.padEnd(Math.ceil(json.length / 8) * 8)
  t.same(bytes, raw(padded, [0, 0, 0x80, 0x3f, 1, 2, 3]))
})

test("equal content gives equal bytes in any order", async (t) => {
  const one: StoredTensor = { dtype: "F32", shape: [2], data: Float32Array.of(1, 2) }
  const two: StoredTensor = { dtype: "I64", shape: [1], data: BigInt64Array.of(-5n) }
  t.same(
    encodeSafetensors(
      new Map([
        ["10", one],
        ["9", two],
        ["z", one],
      ]),
      { a: "1", b: "2" },
    ),
    encodeSafetensors(
      new Map([
        ["z", one],
        ["9", two],
        ["10", one],
      ]),
      { b: "2", a: "1" },
    ),
  )
})

test("what is written is read back", async (t) => {
  const tensor = fc.oneof(
    fc.float32Array().map((x): StoredTensor => ({ dtype: "F32", shape: [x.length], data: x })),
    fc.float64Array().map((x): StoredTensor => ({ dtype: "F64", shape: [1, x.length], data: x })),
    fc.uint16Array().map((x): StoredTensor => ({ dtype: "BF16", shape: [x.length], data: x })),
    fc.int32Array().map((x): StoredTensor => ({ dtype: "I32", shape: [x.length, 1], data: x })),
    fc.bigInt64Array().map((x): StoredTensor => ({ dtype: "I64", shape: [x.length], data: x })),
    fc.uint8Array().map((x): StoredTensor => ({ dtype: "BOOL", shape: [x.length], data: x })),
  )
  const names = fc.string({ unit: "grapheme" }).filter((name) => name !== "__metadata__")
  fc.assert(
    fc.property(fc.array(fc.tuple(names, tensor)), fc.nat(7), (pairs, shift) => {
      const tensors = new Map(pairs)
      const bytes = encodeSafetensors(tensors)
      const moved = new Uint8Array(bytes.length + shift).subarray(shift)
      moved.set(bytes)
      const { tensors: read } = decodeSafetensors(moved)
      t.equal(read.size, tensors.size)
      for (const [name, expected] of tensors) t.same(read.get(name), expected)
    }),
    fuzz(60),
  )
})

test("files: atomic, replaceable, selectable", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "safetensors-"))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, "deep", "model.safetensors")
  const tensors = {
    w: { dtype: "F32", shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    step: { dtype: "I64", shape: [], data: BigInt64Array.of(7n) },
  } as const
  await writeSafetensors(path, tensors, { step: "7" })
  t.same(new Uint8Array(await readFile(path)), encodeSafetensors(tensors, { step: "7" }))
  const some = await readSafetensors(path, (name) => name === "w")
  t.same([...some.tensors.keys()], ["w"])
  t.same(some.metadata, { step: "7" })
  await t.rejects(
    writeSafetensors(path, { bad: { dtype: "F32", shape: [2], data: Float32Array.of(1) } }),
    /shape \[2\] but 1/,
  )
  t.same(
    (await readSafetensors(path)).tensors.get("w")?.data,
    tensors.w.data,
    "a failed write changes nothing",
  )
  t.same(await readdir(join(folder, "deep")), ["model.safetensors"], "no temporary file is left")
  const { length } = await readFile(path)
  for (const size of [0, 7, 8, 50, length - 1]) {
    await truncate(path, size)
    await t.rejects(
      readSafetensors(path),
      { name: "DataError", message: /model\.safetensors.*fetch it again/ },
      `${size} bytes`,
    )
    await writeSafetensors(path, tensors)
  }
  await t.rejects(readSafetensors(join(folder, "none")), {
    name: "DataError",
    message: /there is no such file/,
  })
  await writeFile(join(folder, "file"), "")
  await t.rejects(writeSafetensors(join(folder, "file", "x"), {}), { name: "DataError" })
})

test("damaged and foreign headers are refused with a sentence", async (t) => {
  t.match(refused(Uint8Array.of(1, 2)), /2 bytes are too few/)
  t.match(refused(raw("{}", [], 200_000_000)), /200000000 bytes, more than/)
  t.match(refused(raw("{}", [], 50)), /claims 50 bytes but the file has 10/)
  t.match(refused(raw("[1]")), /not a JSON object/)
  t.match(refused(raw("\u0001PK")), /not JSON/)
  t.match(
    refused(raw(`{"a":${header("[0,4]")},"b":${header("[2,6]")}}`, [1, 2, 3, 4, 5, 6])),
    /"b" overlaps "a"/,
  )
  t.match(refused(raw(`{"a":${header("[0,4]")},"b":${header("[5,9]")}}`, Array(9).fill(0))), /gap after "a"/)
  t.match(refused(raw(`{"a":${header("[0,4]")}}`, [1, 2, 3])), /promised but the file has/)
  t.match(refused(raw(`{"a":${header("[0,4]")}}`, [1, 2, 3, 4, 5])), /1 bytes follow/)
  t.match(refused(raw(`{"a":${header("[0,4]", "[5]")}}`, [1, 2, 3, 4])), /needs 5 bytes but has 4/)
  t.match(refused(raw(`{"a":${header("[4,0]")}}`, [1, 2, 3, 4])), /not a byte range/)
  t.match(refused(raw(`{"a":${header("[0,4]", "[-4]")}}`, [1, 2, 3, 4])), /not a list of sizes/)
  t.match(refused(raw('{"a":{"dtype":"F8","shape":[],"data_offsets":[0,1]}}', [1])), /unknown dtype "F8"/)
  t.match(refused(raw('{"a":null}')), /unknown dtype/)
})

test("tensors at odd offsets are readable", async (t) => {
  // A header of odd length, as other writers may produce.
  const file = raw('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', [0, 0, 0, 0x40])
  t.same([...(decodeSafetensors(file).tensors.get("a")?.data ?? [])], [2])
  t.same([...(decodeSafetensors(Buffer.from(file)).tensors.get("a")?.data ?? [])], [2], "in a Buffer too")
})

test("half precision", async (t) => {
  // IEEE 754 binary16 and bfloat16 bit patterns; exact.
  const half = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x8000, 0x3555)
  t.same(
    [...toFloat32({ dtype: "F16", shape: [7], data: half })],
    [1, -2, 2 ** -24, 65504, Infinity, -0, 0.333251953125],
  )
  t.ok(Number.isNaN(toFloat32({ dtype: "F16", shape: [1], data: Uint16Array.of(0x7e00) })[0]))
  t.same(
    [...toFloat32({ dtype: "BF16", shape: [4], data: Uint16Array.of(0x3f80, 0xc000, 0x3eab, 0xff80) })],
    [1, -2, 0.333984375, -Infinity],
  )
  // Rounding in bfloat16: 0.25 + 6e-4 -> 0.25; 0.2 (0.2001953125) + 6e-4 -> 0.201171875; 0.02 + 6e-5 -> 0.02001953125 (derived:
  // half a unit in the last place at 0.25 is 9.8e-4). 1 + 2^-8 is a tie and goes to the even 1.
  const rounded = toBFloat16(
    Float32Array.of(0.25 + 6e-4, 0.2001953125 + 6e-4, 0.02 + 6e-5, 1 + 2 ** -8, 1 + 3 * 2 ** -8, NaN),
  )
  const back = toFloat32({ dtype: "BF16", shape: [6], data: rounded })
  t.same([...back.subarray(0, 5)], [0.25, 0.201171875, 0.02001953125, 1, 1 + 2 ** -6])
  t.ok(Number.isNaN(back[5]))
  t.throws(() => toFloat32({ dtype: "I32", shape: [1], data: Int32Array.of(1) }), /no floating-point/)
})

test("element types that are not read do not stand in the way of the others", async (t) => {
  // One float8 and three float4 numbers (two bytes) before a float32; the format's names and widths.
  const file = raw(
    '{"q":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]},"r":{"dtype":"F4","shape":[3],"data_offsets":[1,3]},"a":{"dtype":"F32","shape":[1],"data_offsets":[3,7]}}',
    [0x38, 1, 2, 0, 0, 0, 0x40],
  )
  const { tensors, unread } = decodeSafetensors(file)
  t.same([...tensors.keys()], ["a"])
  t.same([...tensors.get("a")!.data], [2])
  t.same(
    [...unread!],
    [
      ["q", { type: "F8_E4M3", shape: [1] }],
      ["r", { type: "F4", shape: [3] }],
    ],
  )
  t.match(
    refused(raw('{"q":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,1]}}', [1])),
    /"q" \(F8_E4M3 \[2\]\) needs 2 bytes but has 1/,
  )
})
