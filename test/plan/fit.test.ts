/** What a run that ran out of memory is told. */
import { test } from "tap"
import { GraphBuilder } from "../../src/engine/builder.js"
import { openExecutor, type EngineName } from "../../src/engine/choose.js"
import { asOutOfMemory, ExecutorError, OutOfMemoryError } from "../../src/engine/errors.js"
import { findPython } from "../../src/engine/torch/find-torch.js"
import { findLibrary } from "../../src/engine/tensorflow/find-library.js"
import { memoryEstimate } from "../../src/plan/cost.js"
import { explainMemory, smallerBatch } from "../../src/plan/fit.js"
import { locateSpec } from "../../src/app/locate.js"
import { loadSpec } from "../../src/spec/spec-file.js"
import type { Experiment } from "../../src/spec/experiment.js"

const GIB = 2 ** 30

const published = async (training: Partial<Experiment["training"]> = {}): Promise<Experiment> => {
  const { experiment } = await loadSpec(await locateSpec("mdlm_eos"), "paper")
  return { ...experiment, training: { ...experiment.training, ...training } }
}

const estimated = (experiment: Experiment, microBatch: number): number =>
  memoryEstimate({ ...experiment, training: { ...experiment.training, microBatch } }).total

test("the largest divisor of the micro-batch that fits, at the same global batch", async (t) => {
  const experiment = await published({ microBatch: 12, accumulation: 3 })
  for (const microBatch of [6, 4, 3, 2, 1]) {
    const bytes = estimated(experiment, microBatch)
    const split = { microBatch, accumulation: 36 / microBatch, bytes }
    t.same(smallerBatch(experiment, bytes, false), split, `exactly enough for ${microBatch}`)
  }
  t.equal(smallerBatch(experiment, Infinity, false)?.microBatch, 6, "what failed is not proposed again")
  t.equal(smallerBatch(experiment, estimated(experiment, 1) - 1, false), undefined)
  t.equal(smallerBatch(await published({ microBatch: 1 }), Infinity, false), undefined)
})

test("the estimate, the memory there is and the setting that fits are in one sentence", async (t) => {
  const experiment = await published({ microBatch: 8, accumulation: 4 })
  const machineBytes = estimated(experiment, 2)
  const place = { executor: "onnxruntime", device: "cpu", machineBytes } as const
  const gib = (bytes: number): string => `${(bytes / GIB).toFixed(1)} GiB`
  const told = explainMemory(
    new Error("Failed to allocate memory for requested buffer of size 4294967296"),
    experiment,
    place,
  )
  t.ok(told instanceof OutOfMemoryError)
  t.equal(
    (told as Error).message,
    `onnxruntime: out of memory: 4.0 GiB more were needed; the plan estimates ${gib(estimated(experiment, 8))} for micro-batches of 8 and this machine has ${gib(machineBytes)}; set /training/microBatch to 2 and /training/accumulation to 16 (about ${gib(machineBytes)}), which keeps the batch of 32 sequences`,
  )
  t.match(
    (explainMemory(new Error("bad allocation"), experiment, { ...place, machineBytes: GIB }) as Error)
      .message,
    /no smaller micro-batch fits either: use a machine with more memory/,
  )
  const other = new ExecutorError("onnxruntime", "the program was not accepted", "report it")
  t.equal(explainMemory(other, experiment, place), other, "any other failure stays as it is")
  t.equal(explainMemory("text", experiment, place), "text")
})

test("on a GPU its own memory counts, without the program and the shards", async (t) => {
  const experiment = await published({ microBatch: 8, accumulation: 4 })
  const { total, program, shards } = memoryEstimate(experiment)
  t.ok(shards > 0)
  const gpuBytes = total - program - shards
  const error = new OutOfMemoryError("torch", "out of the GPU's memory", "cure", { gpuBytes })
  const place = { executor: "torch", device: "gpu", machineBytes: 1 } as const
  const size = `${(gpuBytes / GIB).toFixed(1)} GiB`
  t.match(
    (explainMemory(error, experiment, place) as Error).message,
    `torch: out of the GPU's memory; the plan estimates ${size} for micro-batches of 8 and this GPU has ${size}; set /training/microBatch to 4 and /training/accumulation to 8`,
  )
  t.match(
    (
      explainMemory(new OutOfMemoryError("tensorflow", "out of memory", ""), experiment, {
        ...place,
        executor: "tensorflow",
      }) as Error
    ).message,
    /for micro-batches of 8; set \/training\/microBatch to 4/,
    "a GPU of unknown size",
  )
})

const SIDE = 2 ** 20

/** A table of 2^40 numbers, 4096 GiB: more than any machine of today gives. */
const outer = () => {
  const g = new GraphBuilder()
  const x = g.input("x", "feed", { dtype: "f32", shape: [SIDE, 1] })
  const y = g.input("y", "feed", { dtype: "f32", shape: [1, SIDE] })
  const table = g.op("mul", [x, y], {})
  return g.build("table", [
    { name: "z", value: g.op("reduceMax", [table], { axes: [0, 1], keepDims: false }) },
  ])
}

const installed: Readonly<Record<EngineName, boolean>> = {
  onnxruntime: true,
  tfjs: true,
  tensorflow: (await findLibrary()).kind === "found",
  torch: (await findPython()) !== undefined,
}

for (const [engine, there] of Object.entries(installed) as [EngineName, boolean][]) {
  const skip = !there && `skipped: ${engine} executor not installed`
  test(
    `${engine}: running out of memory is recognised in its own words`,
    { skip, timeout: 540_000 },
    async (t) => {
      const options = { precision: "fp32", device: "cpu", threads: 1 } as const
      const executor = await openExecutor({ engine, reason: "", options })
      const evaluator = await executor.evaluator(outer(), {})
      const feeds = {
        x: { shape: [SIDE, 1], data: new Float32Array(SIDE) },
        y: { shape: [1, SIDE], data: new Float32Array(SIDE) },
      }
      const error: unknown = await evaluator.run(feeds).then(
        () => undefined,
        (failure: unknown) => failure,
      )
      t.ok(error instanceof Error, "it fails")
      t.match(asOutOfMemory(engine, error)?.message, new RegExp(`^${engine}: .*out of memory`))
      await executor.dispose()
    },
  )
}
