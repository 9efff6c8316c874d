/** Dropout on the inputs of adapters: one training on every executor, in slices, and where layers are computed again. */
import t, { type Test } from "tap"
import { openSpec } from "../../src/app/open-spec.js"
import { normals, stream } from "../../src/diffusion/philox.js"
import type { Executor, HostTensors } from "../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../src/engine/onnxruntime/index.js"
import { makeTensorflowExecutor } from "../../src/engine/tensorflow/index.js"
import type { LladaModel } from "../../src/families/llada/schema.js"
import { networkOf } from "../../src/families/traced.js"
import type { ParameterSpec } from "../../src/model/parameters.js"
import type { Experiment } from "../../src/spec/experiment.js"
import { train } from "../../src/train/loop.js"
import { testWithLibrary } from "../engine/tensorflow/available.js"
import { openTorch, testWithTorch } from "../engine/torch/available.js"

t.setTimeout(540_000)
const options = { precision: "fp32", device: "cpu", threads: 1 } as const
const [RATE, STEPS, LENGTH] = [0.3, 3, 12]

const experiments = Object.fromEntries(
  await Promise.all(
    ["flexmdm_8b_math", "llada_8b_math"].map(async (id): Promise<[string, Experiment]> => {
      const { experiment } = await openSpec(id, "ci")
      return [id, experiment]
    }),
  ),
)

const experimentOf = (id: string, rate: number): Experiment => {
  const { model, training, data, ...rest } = experiments[id]!
  const own = model as LladaModel
  return {
    ...rest,
    data: { ...data, batching: { ...data.batching, length: LENGTH } },
    model: { ...own, width: 16, mlpWidth: 24, lora: { rank: 4, alpha: 8, dropout: rate } },
    training: { ...training, stepsPerGroup: STEPS, microBatch: 8, accumulation: 2, checkpointEvery: STEPS },
  } as Experiment
}

/** Rows of 4 to 12 tokens, whose first two are given. */
const rowsOf = (step: number, count: number) => {
  const lengths = Int32Array.from({ length: count }, (_, r) => 4 + ((5 * (r + step)) % 9))
  return {
    tokens: Int32Array.from({ length: count * LENGTH }, (_, i) =>
      i % LENGTH < lengths[Math.floor(i / LENGTH)]! ? (7 * i + step) % 53 : 56,
    ),
    fixed: Uint8Array.from({ length: count * LENGTH }, (_, i) => (i % LENGTH < 2 ? 1 : 0)),
    lengths,
    length: LENGTH,
  }
}

/** Away from the published start, where B is zero and nothing that is dropped shows. */
const values = (specs: readonly ParameterSpec[]): HostTensors =>
  Object.fromEntries(
    specs.map(({ name, shape }, i) => {
      const size = shape.reduce((a, b) => a * b, 1)
      return [name, { shape, data: Float32Array.from(normals(stream(3, "init"), [i], size), (z) => 0.2 * z) }]
    }),
  )

const losses = async (executor: Executor, id: string, rate: number): Promise<readonly number[]> => {
  const experiment = experimentOf(id, rate)
  const { parameters } = networkOf(experiment)
  const all = values(parameters)
  const frozen = parameters.filter((spec) => spec.frozen === true)
  const weights = await executor.weights({ kind: "values", tensors: frozen, values: all })
  const found: number[] = []
  await train({
    experiment,
    executor,
    begun: all,
    weights,
    rows: { groups: 1, rows: async (step, count) => rowsOf(step, count), close: async () => undefined },
    onStep: ({ loss }) => void found.push(loss),
    onCheckpoint: async () => undefined,
    shouldStop: () => false,
  })
  await weights.dispose()
  return found
}

const trainedHere = async (id: string, rate: number, layout?: Executor["layout"]) => {
  const executor = await makeOnnxruntimeExecutor(options)
  const found = await losses(layout === undefined ? executor : { ...executor, layout }, id, rate)
  await executor.dispose()
  return found
}

const same = (t: Pick<Test, "ok">, ours: readonly number[], others: readonly number[]): void =>
  ours.forEach((loss, i) =>
    // fp32 sums in another order, grown over the steps.
    t.ok(Math.abs(others[i]! / loss - 1) < 1e-4, `loss of step ${i + 1}: ${others[i]}, ${loss}`),
  )

for (const id of Object.keys(experiments)) {
  /** What the other executors are compared with, trained once. */
  const reference = trainedHere(id, RATE)

  void t.test(`${id}: slices change nothing; the rate does`, async (t) => {
    const dropped = await reference
    t.equal(dropped.length, STEPS)
    same(t, dropped, await trainedHere(id, RATE, { slices: 4, sizes: "many" }))
    t.same(await trainedHere(id, RATE), dropped, "bit for bit when nothing differs")
    const whole = await trainedHere(id, 0)
    t.ok(
      dropped.some((loss, i) => Math.abs(loss / whole[i]! - 1) > 1e-3),
      "another training than without dropout",
    )
  })

  testWithLibrary(`${id}: tensorflow drops the same inputs`, async (t) => {
    const executor = await makeTensorflowExecutor({ ...options, threads: 2 })
    same(t, await reference, await losses(executor, id, RATE))
    await executor.dispose()
  })

  testWithTorch(`${id}: the worker drops the same inputs, kept or computed again`, async (t) => {
    const ours = await reference
    const kept = await losses(await openTorch(t), id, RATE)
    same(t, ours, kept)
    t.same(await losses(await openTorch(t, { recompute: true }), id, RATE), kept, "recomputed, bit for bit")
  })
}
