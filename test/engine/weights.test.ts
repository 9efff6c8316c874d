/** Weights that trainers and evaluators share: loaded, frozen, rounded, and the same on every executor. */
import { createHash } from "node:crypto"
import { readFile, truncate, writeFile } from "node:fs/promises"
import t, { type Test } from "tap"
import { encodeSafetensors, toBFloat16, toFloat32, type StoredTensor } from "../../src/files/safetensors.js"
import { stream } from "../../src/diffusion/philox.js"
import { startDraw, type Draw } from "../../src/engine/draw.js"
import type { Executor, HostTensors } from "../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../src/engine/onnxruntime/index.js"
import { makeTensorflowExecutor } from "../../src/engine/tensorflow/index.js"
import { makeTfjsExecutor } from "../../src/engine/tfjs/index.js"
import { shardsOf, type WeightSource } from "../../src/engine/weights.js"
import { initialise } from "../../src/model/parameters.js"
import * as tf from "../../src/model/tf.js"
import { relativeDifference } from "./parity.js"
import { drawOf, feeds, forward, frozen, frozenValues, initial, programs } from "./shared-weights.js"
import { testWithLibrary } from "./tensorflow/available.js"
import { openTorch, testWithTorch } from "./torch/available.js"

// Each worker loads PyTorch, which takes seconds on a busy machine.
t.setTimeout(540_000)
await tf.useCpuBackend()

const cpu = { precision: "fp32", device: "cpu", threads: 1 } as const
const names = frozen.map(({ name }) => name)
const source: WeightSource = { kind: "values", tensors: frozen, values: frozenValues }

interface Outcome {
  readonly losses: readonly number[]
  readonly state: HostTensors
  readonly evaluated: number
  readonly before: HostTensors
  readonly after: HostTensors
}

/** Three steps and an evaluation on one handle of weights. */
const outcome = async (on: Executor, from: WeightSource = source): Promise<Outcome> => {
  const weights = await on.weights(from)
  const before = await weights.read(names)
  const trainer = await on.trainer(programs(), initial, weights)
  const losses: number[] = []
  for (let i = 0; i < 3; i++) losses.push((await trainer.step([feeds], {})).loss)
  const state = await trainer.readState()
  const evaluator = await on.evaluator(forward(), state, weights)
  const evaluated = (await evaluator.run(feeds))["loss"]!.data[0]!
  await trainer.dispose()
  const again = (await evaluator.run(feeds))["loss"]!.data[0]!
  if (again !== evaluated) throw new Error("the weights went with the trainer")
  const after = await weights.read(names)
  await weights.dispose()
  await weights.dispose()
  const last = (await evaluator.run(feeds))["loss"]!.data[0]!
  if (last !== evaluated) throw new Error("a program lost weights that were given back before it ended")
  await evaluator.dispose()
  const late = await Promise.allSettled([
    weights.read(names),
    Promise.resolve().then(() => on.trainer(programs(), initial, weights)),
  ])
  for (const each of late)
    if (each.status === "fulfilled" || !/were disposed of; load them again/.test(String(each.reason)))
      throw new Error("weights that were given back are refused")
  return { losses, state, evaluated, before, after }
}

const oracle = outcome(await makeTfjsExecutor(cpu))

const check = async (test: Test, on: Executor): Promise<void> => {
  const [expected, ours] = [await oracle, await outcome(on)]
  expected.losses.forEach((loss, i) =>
    // fp32 sums of at most 80 terms in another order.
    test.ok(Math.abs(ours.losses[i]! / loss - 1) < 1e-5, `${on.name}: loss of step ${i + 1}`),
  )
  test.ok(ours.losses[2]! < ours.losses[0]!, "the loss falls")
  test.same(
    Object.keys(ours.state).sort(),
    Object.keys(initial).sort(),
    `${on.name}: frozen weights are no state`,
  )
  for (const [name, { data }] of Object.entries(expected.state)) {
    const difference = relativeDifference(data, ours.state[name]!.data)
    test.ok(difference < 1e-5, `${on.name}: ${name} differs by ${difference} after three steps`)
  }
  test.ok(
    Math.abs(ours.evaluated / expected.evaluated - 1) < 1e-5,
    `${on.name}: the evaluator shares the weights`,
  )
  for (const { name, storage, shape } of frozen) {
    const given = frozenValues[name]!.data as Float32Array
    const kept = storage === "bf16" ? toFloat32({ dtype: "BF16", shape, data: toBFloat16(given) }) : given
    test.same(ours.before[name]!.data, kept, `${on.name}: ${name} is rounded once, bit for bit`)
    test.same(ours.after[name]!.data, ours.before[name]!.data, `${on.name}: ${name} is unchanged by training`)
  }
}

void t.test("tfjs", async (t) => check(t, await makeTfjsExecutor(cpu)))
void t.test("onnxruntime", async (t) => check(t, await makeOnnxruntimeExecutor(cpu)))
testWithLibrary("tensorflow", async (t) => {
  const executor = await makeTensorflowExecutor(cpu)
  await check(t as never, executor)
  await executor.dispose()
})
testWithTorch("torch", async (t) => check(t, await openTorch(t)))
testWithTorch("torch, activations of blocks computed again", async (t) => {
  const executor = await openTorch(t, { recompute: true })
  await check(t, executor)
})
testWithTorch("torch, two processes", async (t) => {
  const executor = await openTorch(t, { processes: 2 })
  const weights = await executor.weights(source)
  const trainer = await executor.trainer(programs(), initial, weights)
  // The mean over two equal micro-batches is that of one.
  const { loss } = await trainer.step([feeds, feeds], {})
  t.ok(Math.abs(loss / (await oracle).losses[0]! - 1) < 1e-5, `loss ${loss}`)
})
testWithTorch("torch under bf16 computes with the narrow weights", async (t) => {
  const [expected, ours] = [await oracle, await outcome(await openTorch(t, { precision: "bf16" }))]
  // Products of operands with 8 bits: 2^-8 each, and the loss is a mean over ten positions.
  ours.losses.forEach((loss, i) =>
    t.ok(Math.abs(loss / expected.losses[i]! - 1) < 2e-2, `loss of step ${i + 1}`),
  )
  t.same(ours.after["table"]!.data, expected.before["table"]!.data, "unchanged")
})

const parameters = [
  { name: "a", shape: [37, 11], init: { kind: "normal", std: 0.02 }, group: "matrix" },
  { name: "b", shape: [41], init: { kind: "uniform", bound: 0.3 }, group: "rest" },
  { name: "c", shape: [3], init: { kind: "constant", value: 1 }, group: "rest" },
  { name: "d", shape: [2, 4], init: { kind: "rows", values: [1, -2] }, group: "rest" },
] as const
const drawn: WeightSource = {
  kind: "drawn",
  tensors: parameters.map(({ name, shape, init }) => ({
    name,
    shape,
    draw: startDraw(name, init, 2 ** 40 + 7),
  })),
}

void t.test("what is drawn here is what initialise gives", async (t) => {
  const weights = await (await makeTfjsExecutor(cpu)).weights(drawn)
  const values = await weights.read(["a", "b", "c", "d"])
  for (const [name, { data }] of Object.entries(initialise(parameters, 2 ** 40 + 7)))
    t.same(values[name]!.data, data, name)
})

testWithTorch("the worker draws the host's numbers", async (t) => {
  const executor = await openTorch(t)
  const values = await (await executor.weights(drawn)).read(["a", "b", "c", "d"])
  const host = initialise(parameters, 2 ** 40 + 7)
  for (const name of ["b", "c", "d"]) t.same(values[name]!.data, host[name]!.data, `${name}, bit for bit`)
  // Two libraries' logarithm and cosine differ by a unit of float64, so a float32 by one unit at most.
  host["a"]!.data.forEach((z, i) => t.ok(Math.abs(values["a"]!.data[i]! - z) <= 2 ** -23 * Math.abs(z)))
  // Longer than a chunk of the worker's, and of a size that fills no last block.
  const { key0, key1 } = stream(3, "mask")
  const long = 2 ** 22 + 5
  const draw: Draw = { kind: "uniform", key: [key0, key1], site: [1, 2, 3], bound: 1 }
  const tensors = [{ name: "u", shape: [long], draw }]
  const [ours, theirs] = await Promise.all(
    [executor, await makeTfjsExecutor(cpu)].map(
      async (on) => (await (await on.weights({ kind: "drawn", tensors })).read(["u"]))["u"]!.data,
    ),
  )
  t.ok(Buffer.from(ours!.buffer).equals(Buffer.from(theirs!.buffer)), "four million uniforms, bit for bit")
})

testWithTorch("weights drawn in bf16 start a trainer without passing through this process", async (t) => {
  const executor = await openTorch(t)
  const tensors = [
    ...frozen.map((spec, i) => ({ ...spec, draw: drawOf(i) })),
    ...Object.entries(initial).map(([name, { shape }], i) => ({ name, shape, draw: drawOf(20 + i) })),
  ]
  const both = await Promise.all(
    [executor, await makeOnnxruntimeExecutor(cpu)].map(async (on) => {
      const weights = await on.weights({ kind: "drawn", tensors })
      const trainer = await on.trainer(programs(), {}, weights)
      return [(await trainer.step([feeds], {})).loss, (await trainer.step([feeds], {})).loss] as const
    }),
  )
  both[0]!.forEach((loss, i) => t.ok(Math.abs(loss / both[1]![i]! - 1) < 1e-5, `step ${i + 1}`))
})

const storedAs = (name: string): string => `model.${name}.weight`
/** The frozen weights in two shards with an index, as they lie on a hub. */
const shards = async (
  dir: string,
): Promise<{ readonly files: readonly string[]; readonly index: string }> => {
  const parts = [frozen.slice(0, 3), frozen.slice(3)]
  const map: Record<string, string> = {}
  const files: string[] = []
  for (const [i, part] of parts.entries()) {
    const file = `model-0000${i + 1}-of-00002.safetensors`
    const tensors = part.map(({ name, shape, storage }): [string, StoredTensor] => {
      map[storedAs(name)] = file
      const data = frozenValues[name]!.data as Float32Array
      return [
        storedAs(name),
        storage === "bf16" ? { dtype: "BF16", shape, data: toBFloat16(data) } : { dtype: "F32", shape, data },
      ]
    })
    await writeFile(`${dir}/${file}`, encodeSafetensors(Object.fromEntries(tensors)))
    files.push(`${dir}/${file}`)
  }
  await writeFile(`${dir}/model.safetensors.index.json`, JSON.stringify({ metadata: {}, weight_map: map }))
  return { files, index: `${dir}/model.safetensors.index.json` }
}

const fromFiles = async (t: Test, on: Executor): Promise<void> => {
  const dir = t.testdir({})
  const { files, index } = await shards(dir)
  t.same(await shardsOf(index), files, "the index lists the shards")
  const sha256 = createHash("sha256")
    .update(await readFile(files[0]!))
    .digest("hex")
  const given = {
    kind: "files",
    tensors: frozen.map((spec) => ({ ...spec, stored: storedAs(spec.name) })),
    files: files.map((path, i) => (i === 0 ? { path, sha256 } : { path })),
  } as const
  const [expected, ours] = [await oracle, await outcome(on, given)]
  for (const name of names)
    t.same(ours.before[name]!.data, expected.before[name]!.data, `${name} from its shard`)
  ours.losses.forEach((loss, i) =>
    t.ok(Math.abs(loss / expected.losses[i]! - 1) < 1e-5, `loss of step ${i + 1}`),
  )

  const refused = (change: Partial<Extract<WeightSource, { kind: "files" }>>, message: RegExp) =>
    t.rejects(on.weights({ ...given, ...change }), { name: "ExecutorError", message })
  await refused(
    { files: given.files.slice(0, 1) },
    /the files hold no tensor model\.layers\.1\.w\.weight, .* and 1 more; name the files/,
  )
  await refused(
    { tensors: given.tensors.slice(1) },
    /the files hold tensors that nothing takes: model\.table\.weight;/,
  )
  await refused(
    { tensors: given.tensors.map((s) => (s.name === "table" ? { ...s, shape: [8, 11] } : s)) },
    /00001-of-00002\.safetensors: the tensor model\.table\.weight is \[11,8\], not the \[8,11\] of table;/,
  )
  await refused({ files: [...given.files, given.files[1]!] }, /the tensor model\.\S+ stands in two files/)
  await refused(
    { files: [{ path: files[0]!, sha256: "0".repeat(64) }, given.files[1]!] },
    /00001-of-00002\.safetensors has the SHA-256 [0-9a-f]{64}, not 0{64};/,
  )
  await refused({ files: [{ path: `${dir}/none.safetensors` }] }, /none\.safetensors/)
  const unused = await on.weights({ ...given, tensors: given.tensors.slice(1), unused: [storedAs("table")] })
  await unused.dispose()
  await truncate(files[1]!, 200)
  await refused({}, /00002-of-00002\.safetensors/)
}

void t.test("onnxruntime reads shards", async (t) => fromFiles(t, await makeOnnxruntimeExecutor(cpu)))
testWithTorch("the torch worker reads shards itself", async (t) => fromFiles(t, await openTorch(t)))

void t.test("what lacks its weights is refused by name", async (t) => {
  const first = await makeOnnxruntimeExecutor(cpu)
  await t.rejects(first.trainer(programs(), initial), {
    name: "ExecutorError",
    message: /the weights hold no table/,
  })
  const foreign = { tensors: [], read: () => Promise.resolve({}), dispose: () => Promise.resolve() }
  await t.rejects(first.evaluator(forward(), initial, foreign), { message: /belong to another executor/ })
  const weights = await first.weights(source)
  await t.rejects(weights.read(["nothing"]), { message: /the weights hold no nothing;/ })
  await t.rejects(first.weights({ ...source, values: {} }), { message: /no value for the weights table/ })
})

testWithTorch("torch names the weights that are missing", async (t) => {
  const executor = await openTorch(t)
  await t.rejects(executor.trainer(programs(), initial), {
    name: "ExecutorError",
    message: /the weights hold no table/,
  })
})

/** Values over weights that the executor holds: nothing of those passes through this process again. */
const checkOver = async (test: Test, on: Executor): Promise<void> => {
  const changed: HostTensors = {
    "layers.1.norm": {
      shape: frozenValues["layers.1.norm"]!.shape,
      data: Float32Array.from({ length: 8 }, (_, i) => 1 + i / 8),
    },
  }
  const whole = await on.weights({ ...source, values: { ...frozenValues, ...changed } } as WeightSource)
  const expected = await (await on.evaluator(forward(), initial, whole)).run(feeds)
  const under = await on.weights(source)
  const over = await on.weights({
    kind: "values",
    tensors: [
      { name: "layers.1.norm", shape: [8] },
      ...Object.entries(initial).map(([name, { shape }]) => ({ name, shape })),
    ],
    values: { ...initial, ...changed },
    over: under,
  })
  test.same(
    over.tensors.map(({ name }) => name).sort(),
    [...names, ...Object.keys(initial)].sort(),
    `${on.name}: each tensor once`,
  )
  await under.dispose()
  const found = await (await on.evaluator(forward(), {}, over)).run(feeds)
  test.same(found["loss"]!.data, expected["loss"]!.data, `${on.name}: bit for bit`)
  const { table } = await over.read(["table"])
  test.same(
    table!.data,
    (await whole.read(["table"]))["table"]!.data,
    `${on.name}: what lies under is read too`,
  )
}

void t.test("values over weights, tfjs", async (t) => checkOver(t, await makeTfjsExecutor(cpu)))
void t.test("values over weights, onnxruntime", async (t) => checkOver(t, await makeOnnxruntimeExecutor(cpu)))
testWithLibrary("values over weights, tensorflow", async (t) => {
  const executor = await makeTensorflowExecutor(cpu)
  await checkOver(t as never, executor)
  await executor.dispose()
})
testWithTorch("values over weights, torch", async (t) => checkOver(t, await openTorch(t)))
