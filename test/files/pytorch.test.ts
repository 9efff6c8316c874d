/** Checkpoints written by PyTorch 2.13.0 (pytorch/make.py), read without executing anything. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { test } from "tap"
import { readPickle } from "../../src/files/pickle.js"
import { readPytorch } from "../../src/files/pytorch.js"
import { toFloat32 } from "../../src/files/safetensors.js"

const file = (name: string): string => fileURLToPath(new URL(`pytorch/${name}`, import.meta.url))

void test("every dtype, layout and sharing of a state dict", async (t) => {
  const { tensors } = await readPytorch(file("state.pt"))
  const values = (name: string): readonly number[] => {
    const tensor = tensors.get(name)!
    return tensor.dtype === "I64"
      ? Array.from(tensor.data as BigInt64Array, Number)
      : tensor.dtype === "F64" || tensor.dtype === "BOOL"
        ? Array.from(tensor.data as Float64Array)
        : Array.from(toFloat32(tensor))
  }
  const base = Array.from({ length: 24 }, (_, i) => i / 8)
  t.same(values("plain"), base)
  t.same(tensors.get("plain")!.shape, [4, 6])
  t.same(values("shared"), base, "two names of one storage")
  t.same(tensors.get("scalar")!.shape, [])
  t.same(values("scalar"), [2.5])
  t.same(tensors.get("empty")!.shape, [0, 3])
  t.same(values("empty"), [])
  t.same(tensors.get("transposed")!.shape, [6, 4])
  t.same(
    values("transposed"),
    Array.from({ length: 24 }, (_, i) => base[(i % 4) * 6 + Math.floor(i / 4)]!),
    "strides are followed",
  )
  t.same(
    values("slice"),
    [8, 9, 10, 14, 15, 16].map((i) => i / 8),
    "rows 1 and 2, columns 2 to 4",
  )
  t.same(values("half"), [0.5, -1.25])
  t.same(values("bfloat16"), [0.5, -1.25, 3])
  t.same(values("long"), [1, -2, 3, 2 ** 40])
  t.same(values("bool"), [1, 0])
  t.same(values("double"), [1 / 3])
  t.same(values("parameter"), [1, 2])
  t.equal(tensors.size, 12)
})

void test("nested checkpoints give dotted names; other values are passed over", async (t) => {
  const { tensors } = await readPytorch(file("nested.pt"))
  t.same(Array.from(toFloat32(tensors.get("model.weight")!)), [1, 2, 3, 4, 5, 6])
  t.same(tensors.get("model.weight")!.shape, [2, 3])
  t.ok(tensors.has("optimizer.state.0.exp_avg"))
  t.notOk(tensors.has("step"))
  const { tensors: newer } = await readPytorch(file("protocol4.pt"))
  t.same([...newer.keys()], ["weight", "bias"], "pickle protocol 4")
})

void test("views of every kind are read right; other types and layouts are named and not read", async (t) => {
  // Values: pytorch/make.py, as torch.load gives them.
  const { tensors, unread } = await readPytorch(file("views.pt"))
  const numbers = (name: string): readonly number[] =>
    Array.from(tensors.get(name)!.data as ArrayLike<number | bigint>, Number)
  t.same(numbers("used"), [1, 2])
  t.same(numbers("negated"), [-2, 4], "the imaginary part of a conjugate")
  t.same(Array.from(toFloat32(tensors.get("negated_half")!)), [-1.5, 2])
  t.same(numbers("negated_int"), [-3, 4])
  t.same(numbers("expanded"), [1, 1, 1, 2, 2, 2])
  t.same(tensors.get("expanded")!.shape, [2, 3])
  t.same(numbers("expanded_scalar"), [7, 7, 7, 7])
  t.same(tensors.get("vast")!.shape, [2 ** 40], "an expanded tensor costs nothing before it is asked for")
  t.same(numbers("uint16"), [1, 65535])
  t.same(
    [...unread],
    [
      ["float8", { type: "float8_e4m3fn", shape: [2] }],
      ["complex", { type: "complex64", shape: [2] }],
      ["conjugated", { type: "complex64", shape: [2] }],
      ["quantised", { type: "a quantised tensor", shape: [2] }],
      ["sparse", { type: "a sparse tensor", shape: null }],
      ["meta", { type: "a tensor without data (on the meta device)", shape: [2] }],
    ],
  )
  await t.rejects(readPytorch(file("collide.pt")), /collide\.pt: two of its tensors are called a\.b, one by/)
})

void test("a complex table of rotations is read as pairs of real numbers", async (t) => {
  // exp(i m 10000^(-k/2)) for m < 3, k < 2: pytorch/make.py
  const { tensors, unread } = await readPytorch(file("rotations.pt"))
  const table = tensors.get("blocks.0.freqs_cis")!
  t.same(table.shape, [3, 2, 2])
  const expected = [0, 1, 2].flatMap((m) =>
    [1, 0.01].flatMap((rate) => [Math.cos(m * rate), Math.sin(m * rate)]),
  )
  const off = Math.max(...expected.map((x, i) => Math.abs(x - Number(table.data[i]))))
  t.ok(off < 1e-6, `fp32 of the same angles: ${off}`)
  t.same([...unread.keys()], ["other"], "any other complex tensor is named alone")
})

void test("anything but plain data is refused, and nothing is executed", async (t) => {
  await t.rejects(readPytorch(file("call.pt")), {
    _tag: "DataError",
    reason: "refused",
    message: /call\.pt: it refers to the Python object __builtin__\.print; only plain state dicts are read/,
  })
  await t.rejects(
    readPytorch(file("namespace.pt")),
    /argparse\.Namespace.*torch\.save\(model\.state_dict\(\)/,
  )
  await t.rejects(readPytorch(file("module.pt")), /torch\.nn\.modules\.linear\.Linear/)
  await t.rejects(readPytorch(file("legacy.pt")), /not a PyTorch checkpoint in ZIP form/)
  await t.rejects(readPytorch(file("none.pt")), {
    name: "DataError",
    message: /none\.pt: there is no such file/,
  })
})

void test("a damaged file is refused wherever the damage is", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "repro-pytorch-"))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const whole = new Uint8Array(await readFile(file("protocol4.pt")))
  const { tensors: good } = await readPytorch(file("protocol4.pt"))
  const path = join(folder, "damaged.pt")
  let refused = 0
  const attempt = async (bytes: Uint8Array): Promise<void> => {
    await writeFile(path, bytes)
    try {
      t.same((await readPytorch(path)).tensors.get("weight"), good.get("weight"), "what is read is right")
    } catch (error) {
      if ((error as { _tag?: string })._tag !== "DataError") t.fail(`not a DataError: ${String(error)}`)
      refused++
    }
  }
  for (let length = 0; length < whole.length; length += 37) await attempt(whole.slice(0, length))
  t.equal(refused, Math.ceil(whole.length / 37), "every truncated file")
  for (let at = 0; at < whole.length; at += 11) {
    const bytes = whole.slice()
    bytes[at]! ^= 0x41
    await attempt(bytes)
  }
  t.ok(refused > 60, `${refused} refusals`)
})

void test("hand-made pickles", (t) => {
  const none = { global: () => undefined, persistent: () => undefined }
  const read = (...bytes: readonly (number | string)[]): unknown =>
    readPickle(
      Uint8Array.from(bytes.flatMap((b) => (typeof b === "string" ? [...Buffer.from(b)] : [b]))),
      "test",
      none,
    )
  // pickle.dumps([1, (2.5, None), {"a": True}], 4), and integers of several widths.
  t.same(
    read(
      0x80,
      4,
      "]",
      "(",
      "K",
      1,
      "G",
      0x40,
      4,
      0,
      0,
      0,
      0,
      0,
      0,
      "N",
      0x86,
      "}",
      0x8c,
      1,
      "a",
      0x88,
      "s",
      "e",
      ".",
    ),
    [1, [2.5, null], new Map([["a", true]])],
  )
  t.equal(read("J", 0xff, 0xff, 0xff, 0xff, "."), -1)
  t.equal(read(0x8a, 2, 0, 0xff, "."), -256)
  t.equal(read(0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1, "."), 2n ** 64n, "exact beyond 53 bits")
  for (const [name, bytes] of Object.entries({
    "an empty file": [],
    "no STOP": ["K", 1],
    "a stack that is empty": ["."],
    "a mark that is taken": ["(", "."],
    "no mark": ["t", "."],
    "an unknown memo": ["h", 7, "."],
    "a string beyond the end": ["X", 0xff, 0xff, 0xff, 0x7f, "a", "."],
    "a call of no function": ["K", 1, ")", "R", "."],
    "attributes of a list": ["]", "}", "b", "."],
    INST: ["(ios\nsystem\n."],
    "an extension": [0x82, 1, "."],
    "items of a list": ["]", "K", 1, "K", 2, "s", "."],
  }))
    t.throws(() => read(...bytes), { name: "DataError" }, name)
  t.end()
})
