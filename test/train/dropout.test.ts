/** Dropout in training: the same masks on every executor, however rows share slices; none outside training. */
import t, { type Test } from "tap"
import { drawTensor } from "../../src/engine/draw.js"
import { normals, stream } from "../../src/diffusion/philox.js"
import type { Executor, HostTensors } from "../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../src/engine/onnxruntime/index.js"
import { makeTensorflowExecutor } from "../../src/engine/tensorflow/index.js"
import { networkOf } from "../../src/families/traced.js"
import { dropoutMasks } from "../../src/train/dropout.js"
import { layoutFor } from "../../src/train/layout.js"
import { train } from "../../src/train/loop.js"
import { testWithLibrary } from "../engine/tensorflow/available.js"
import { openTorch, testWithTorch } from "../engine/torch/available.js"
import { paddedRows, tinyFlexmdm } from "../families/flexmdm/tiny.js"

t.setTimeout(540_000)
const options = { precision: "fp32", device: "cpu", threads: 1 } as const
const RATE = 0.3
const LENGTH = 12
const STEPS = 4

const experimentWith = (dropout: number) =>
  tinyFlexmdm({
    length: LENGTH,
    model: { dropout },
    objective: { weightCap: 20 },
    training: { microBatch: 8, accumulation: 2, stepsPerGroup: STEPS },
  })

/** Rows of 0 to 12 tokens. */
const rowsOf = (step: number, count: number) => ({
  tokens: paddedRows(
    Array.from({ length: count }, (_, r) =>
      Array.from({ length: (5 * (r + step)) % 13 }, (_, j) => 1 + ((r + j) % 7)),
    ),
    LENGTH,
  ),
  length: LENGTH,
})

/** Away from the published start, where gates are zero and nothing that is dropped shows. */
const weights = (dropout: number): HostTensors =>
  Object.fromEntries(
    networkOf(experimentWith(dropout)).parameters.map(({ name, shape }, i) => {
      const size = shape.reduce((a, b) => a * b, 1)
      return [name, { shape, data: Float32Array.from(normals(stream(3, "init"), [i], size), (z) => 0.3 * z) }]
    }),
  )

const losses = async (executor: Executor, dropout: number): Promise<readonly number[]> => {
  const found: number[] = []
  await train({
    experiment: experimentWith(dropout),
    executor,
    begun: weights(dropout),
    rows: { groups: 1, rows: async (step, count) => rowsOf(step, count), close: async () => undefined },
    onStep: ({ loss }) => void found.push(loss),
    onCheckpoint: async () => undefined,
    shouldStop: () => false,
  })
  return found
}

const trainedHere = async (dropout: number, layout?: Executor["layout"]): Promise<readonly number[]> => {
  const executor = await makeOnnxruntimeExecutor(options)
  const found = await losses(layout === undefined ? executor : { ...executor, layout }, dropout)
  await executor.dispose()
  return found
}

const same = (t: Pick<Test, "ok">, ours: readonly number[], others: readonly number[]): void =>
  ours.forEach((loss, i) =>
    // fp32 sums in another order, grown over the steps.
    t.ok(Math.abs(others[i]! / loss - 1) < 1e-4, `loss of step ${i + 1}: ${others[i]}, ${loss}`),
  )

/** What the other executors are compared with, trained once. */
const reference = trainedHere(RATE)

void t.test("slices change nothing; the rate does", async (t) => {
  const dropped = await reference
  same(t, dropped, await trainedHere(RATE, { slices: 8, sizes: "many" }))
  t.same(await trainedHere(RATE), dropped, "bit for bit when nothing differs")
  const whole = await trainedHere(0)
  t.ok(
    dropped.some((loss, i) => Math.abs(loss / whole[i]! - 1) > 1e-3),
    "another training than without dropout",
  )
})

testWithLibrary("tensorflow drops the same activations", async (t) => {
  const executor = await makeTensorflowExecutor({ ...options, threads: 2 })
  same(t, await reference, await losses(executor, RATE))
  await executor.dispose()
})

testWithTorch("the worker drops the same activations", async (t) => {
  const executor = await openTorch(t)
  same(t, await reference, await losses(executor, RATE))
})

void t.test("a mask is a function of step, row and place; evaluation has none", (t) => {
  const experiment = experimentWith(RATE)
  const layout = layoutFor(experiment, { slices: 1, sizes: "few" })
  const program = layout.programs.length - 1
  const rows = Array.from({ length: layout.slices }, (_, k) =>
    Array.from({ length: layout.rows }, (_, r) => k * layout.rows + r),
  )
  const micro = rows.map(() => ({}))
  const masks = dropoutMasks(experiment, layout)
  const bits = (step: number, slice: number, place: string): string => {
    const feed = masks(step, { micro, program, rows }).micro[slice]![`kept/blocks.${place}`]!
    return "draw" in feed ? Buffer.from(drawTensor(feed).data.buffer).toString("hex") : ""
  }
  const all = [bits(0, 0, "0.mlp"), bits(1, 0, "0.mlp"), bits(0, 1, "0.mlp"), bits(0, 0, "1.mlp"), bits(0, 0, "0.attention")] // prettier-ignore
  t.equal(new Set(all).size, all.length)
  t.equal(bits(1, 0, "0.mlp"), all[1])
  const kept = all.join("").replaceAll("00", "").length / all.join("").length
  // 5 masks of 2 rows of 13 positions of width 16: 2080 draws, standard error 0.010; five of them.
  t.ok(Math.abs(kept - (1 - RATE)) < 0.05, `${kept} kept`)
  const network = networkOf(experiment)
  t.notOk(
    network
      .feeds("logProbs", { rows: 1, length: 4, capacity: 4 })
      .some(({ name }) => name.startsWith("kept/")),
  )
  t.throws(() => masks(0, { micro, program }), /does not say which rows/)
  t.end()
})
