import { test } from "tap"
import { batchFeeds, corruptBatch, corruptionStreams } from "../../src/diffusion/batch.js"
import type { HostTensors } from "../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../src/engine/onnxruntime/index.js"
import { networkOf } from "../../src/families/traced.js"
import { initialise } from "../../src/model/parameters.js"
import * as tf from "../../src/model/tf.js"
import type { MaskedDiffusionObjective } from "../../src/spec/objective.js"
import { traceGradients } from "../../src/train/programs.js"
import { relativeDifference } from "../engine/parity.js"
import { LENGTH, syntheticTokens, tinyExperiment } from "./tiny.js"

const experiment = tinyExperiment()
const network = networkOf(experiment)
const parameters = initialise(network.parameters, 11)
const rows = 4
const capacity = rows * LENGTH
const tokens = Int32Array.from(syntheticTokens(rows * LENGTH, 5))
// The last rows end in PAD, as document chunks do.
for (let i = 0; i < 5; i++) tokens[rows * LENGTH - 1 - i] = 1025
const batch = corruptBatch(
  tokens,
  LENGTH,
  experiment.objective as MaskedDiffusionObjective,
  experiment.data.tokenizer,
  corruptionStreams(2),
  { step: 3, micro: 0 },
)
const feeds = batchFeeds(batch, capacity)
const specs = network.feeds("loss", { rows, length: LENGTH, capacity })

/** Loss and gradients by the eager `cpu` backend, straight from the network: no trace, no graph. */
const eager = async (at: HostTensors): Promise<{ loss: number; gradients: Record<string, Float32Array> }> => {
  await tf.useCpuBackend()
  const names = network.parameters.map((p) => p.name)
  const host = (name: string) => tf.tensor(at[name]!.data as Float32Array, [...at[name]!.shape])
  const fed = Object.fromEntries(
    specs.map(({ name, dtype, shape }) => [
      name,
      tf.tensor(feeds[name]!.data, [...shape], dtype === "i32" ? "int32" : "float32"),
    ]),
  )
  const f = (...values: tf.Tensor[]) =>
    network.loss(Object.fromEntries(values.map((v, i) => [names[i]!, v])), fed) as tf.Scalar
  const { value, grads } = tf.valueAndGrads(f)(names.map(host))
  return {
    loss: value.dataSync()[0]!,
    gradients: Object.fromEntries(grads.map((g, i) => [names[i]!, g.dataSync() as Float32Array])),
  }
}

void test("onnxruntime's gradient of every parameter equals the eager oracle's, on one and two threads", async (t) => {
  const oracle = await eager(parameters)
  t.ok(oracle.loss > 1, "there are masked tokens under the loss")
  for (const threads of [1, 2]) {
    const executor = await makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads })
    const evaluator = await executor.evaluator(traceGradients(network, specs), parameters)
    const result = await evaluator.run(feeds)
    t.ok(Math.abs(result["loss"]!.data[0]! / oracle.loss - 1) < 1e-5, "loss, 1e-5 relative")
    for (const [name, gradient] of Object.entries(oracle.gradients)) {
      // fp32 sums over at most 64 positions in another order: 1e-5 of the largest entry.
      const difference = relativeDifference(gradient, result[`grad/${name}`]!.data)
      t.ok(difference < 1e-5, `${threads} threads, ${name}: ${difference}`)
    }
    await evaluator.dispose()
  }
})

void test("onnxruntime's gradients equal central differences of its own loss", async (t) => {
  const executor = await makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads: 1 })
  const evaluator = await executor.evaluator(traceGradients(network, specs), parameters)
  const { gradients } = await eager(parameters)
  await evaluator.dispose()
  const lossAt = async (name: string, index: number, delta: number): Promise<number> => {
    const data = parameters[name]!.data.slice()
    data[index]! += delta
    const moved = await executor.evaluator(traceGradients(network, specs), {
      ...parameters,
      [name]: { shape: parameters[name]!.shape, data },
    })
    const result = await moved.run(feeds)
    await moved.dispose()
    return result["loss"]!.data[0]!
  }
  for (const { name } of network.parameters) {
    const gradient = gradients[name]!
    // The entry with the largest gradient: differences of an fp32 loss resolve it best.
    const index = gradient.reduce((best, g, i) => (Math.abs(g) > Math.abs(gradient[best]!) ? i : best), 0)
    const h = 2e-2
    const difference = (await lossAt(name, index, h)) - (await lossAt(name, index, -h))
    // The loss is about 40 with fp32 noise of about 1e-5, so a slope over 4e-2 is known to about 1e-3; curvature adds a few per cent.
    const slope = difference / (2 * h)
    t.ok(
      Math.abs(slope - gradient[index]!) < 2e-3 + 0.05 * Math.abs(gradient[index]!),
      `${name}[${index}]: ${slope} and ${gradient[index]}`,
    )
  }
})
