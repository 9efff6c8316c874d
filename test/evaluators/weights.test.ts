import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { test } from "tap"
import { toBFloat16, writeSafetensors, type StoredTensor } from "../../src/files/safetensors.js"
import { parseNameMap, readCheckpoint, weightsOf, type Checkpoint } from "../../src/inference/weights.js"
import type { Network } from "../../src/model/network.js"

/** A network of two tensors, as far as loading goes: those of pytorch/make.py's linear layer. */
const network = {
  parameters: [
    { name: "weight", shape: [2, 3] },
    { name: "bias", shape: [2] },
  ],
} as unknown as Network

const f32 = (shape: readonly number[], ...values: readonly number[]): StoredTensor => ({
  dtype: "F32",
  shape,
  data: Float32Array.from(values),
})
const weight = f32([2, 3], 1, 2, 3, 4, 5, 6)
const bias = f32([2], -1, -2)

const checkpoint = (tensors: Readonly<Record<string, StoredTensor>>): Checkpoint => ({
  format: "safetensors",
  step: null,
  tensors: new Map(Object.entries(tensors)),
})

const values = (loaded: ReturnType<typeof weightsOf>): readonly (readonly number[])[] =>
  ["weight", "bias"].map((name) => Array.from(loaded.parameters[name]!.data))

const EXPECTED = [
  [1, 2, 3, 4, 5, 6],
  [-1, -2],
]

void test("by name, through wrappers, and through a name map", (t) => {
  const plain = weightsOf(checkpoint({ weight, bias, "rope.cos": bias, spare: bias }), network, "file")
  t.same(values(plain), EXPECTED)
  t.same(plain.unused, ["spare"], "buffers that are computed here are not worth a word")
  const wrapped = checkpoint({ "module._orig_mod.weight": weight, "module._orig_mod.bias": bias })
  t.same(values(weightsOf(wrapped, network, "file")), EXPECTED)
  const foreign = checkpoint({ "model.w": weight, "model.bias": bias, "old.bias": bias })
  t.same(
    values(
      weightsOf(foreign, network, "file", { names: { "model.": "", "model.w": "weight", "old.": null } }),
    ),
    EXPECTED,
  )
  const averaged = checkpoint({
    weight: f32([2, 3], 0, 0, 0, 0, 0, 0),
    "ema/weight": weight,
    bias,
    "ema/bias": bias,
  })
  t.same(values(weightsOf(averaged, network, "file", { ema: true })), EXPECTED)
  t.same(values(weightsOf(averaged, network, "file"))[0], [0, 0, 0, 0, 0, 0])
  t.end()
})

const attempt =
  (tensors: Readonly<Record<string, StoredTensor>>, names = {}) =>
  () =>
    weightsOf(checkpoint(tensors), network, "file.pt", { names })

void test("what does not fit is refused with the place and the cure", (t) => {
  t.throws(
    attempt({ wieght: weight, bias }),
    /file\.pt: it lacks 1 of the network's 2 tensors: weight; wieght is near.*--names/,
  )
  t.throws(
    attempt({ weight: f32([3, 2], 1, 2, 3, 4, 5, 6), bias }),
    /weight has shape \[3, 2\].* is \[2, 3\]/,
  )
  t.throws(attempt({ weight, bias, "module.bias": bias }), /both bias and module\.bias stand for bias/)
  t.throws(attempt({ weight, bias }, { "model.": "" }), /no tensor fits the entry "model\."/)
  t.throws(
    attempt({ weight, bias: { dtype: "I8", shape: [2], data: Int8Array.of(1, 2) } }),
    /bias is I8, not floating-point numbers/,
  )
  t.throws(() => parseNameMap("{", "names.json"), /names\.json: this is not JSON/)
  t.throws(() => parseNameMap("[]", "names.json"), /a name map is an object such as/)
  t.throws(() => parseNameMap('{"a": 1}', "names.json"), /a name map is an object such as/)
  t.same(parseNameMap('{"a": "b", "c": null}', "names.json"), { a: "b", c: null })
  t.end()
})

void test("files of both formats", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "repro-weights-"))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, "w.safetensors")
  const half = { dtype: "BF16" as const, shape: [2], data: toBFloat16(Float32Array.of(-1, -2)) }
  await writeSafetensors(path, { weight, bias: half }, { step: "40" })
  const safetensors = await readCheckpoint(path)
  t.equal(safetensors.format, "safetensors")
  t.equal(safetensors.step, 40)
  t.same(values(weightsOf(safetensors, network, path)), EXPECTED, "bfloat16 is widened exactly")
  const nested = fileURLToPath(new URL("../files/pytorch/nested.pt", import.meta.url))
  const pytorch = await readCheckpoint(nested)
  t.equal(pytorch.format, "pytorch")
  t.equal(pytorch.step, null)
  const loaded = weightsOf(pytorch, network, nested, { names: { "model.": "", "optimizer.": null } })
  t.same(loaded.parameters["weight"]!.data, Float32Array.of(1, 2, 3, 4, 5, 6))
  const none = join(folder, "none.pt")
  await t.rejects(readCheckpoint(none), /none\.pt: there is no such file/)
  await writeFile(none, "PK")
  await t.rejects(readCheckpoint(none), /not a ZIP file/)
  await writeFile(none, "text")
  await t.rejects(
    readCheckpoint(none),
    /none\.pt: it is no PyTorch checkpoint, which begins as a ZIP file .*, so it was read as safetensors: 4 bytes are too few/,
  )
})
