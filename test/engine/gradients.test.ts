/** Gradients of every function that networks are made of, on every executor, against the eager oracle. */
import t, { type Test } from "tap"
import type { Executor } from "../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../src/engine/onnxruntime/index.js"
import { makeTensorflowExecutor } from "../../src/engine/tensorflow/index.js"
import { makeTfjsExecutor } from "../../src/engine/tfjs/index.js"
import * as tf from "../../src/model/tf.js"
import { eagerGradients, gradientLoss, gradientParameters, gradientPrograms } from "./gradient-cases.js"
import { relativeDifference } from "./parity.js"
import { testWithLibrary } from "./tensorflow/available.js"
import { openTorch, testWithTorch } from "./torch/available.js"

// Each worker loads PyTorch, which takes seconds on a busy machine.
t.setTimeout(540_000)
await tf.useCpuBackend()

const check = async (test: Test, executor: Executor): Promise<void> => {
  const expected = eagerGradients()
  const trainer = await executor.trainer(gradientPrograms(), gradientParameters)
  const { loss } = await trainer.step([{}], {})
  const state = await trainer.readState()
  await trainer.dispose()
  // fp32 sums of some hundred terms in another order.
  const eager = expected["loss"]!.data[0]!
  test.ok(Math.abs(loss / eager - 1) < 1e-5, `${executor.name}: the loss ${loss}, not ${eager}`)
  for (const name of Object.keys(gradientParameters)) {
    const difference = relativeDifference(expected[name]!.data, state[name]!.data)
    // fp32 rounding through at most three chained operations: 2e-5 of the parameter's largest entry.
    test.ok(difference <= 2e-5, `${executor.name}: ${name}: the gradient differs by ${difference}`)
  }
}

/** Central differences of the loss, in float32 sums: step 1e-2, which leaves 5e-3 of the largest entry. */
void t.test("the oracle's gradients are those of central differences", async (t) => {
  const expected = eagerGradients()
  const tensors = Object.fromEntries(
    Object.entries(gradientParameters).map(([name, { shape, data }]) => [name, tf.tensor(data, [...shape])]),
  )
  for (const [name, { shape, data }] of Object.entries(gradientParameters)) {
    const alone = name.replace(/ #\d+$/, "")
    const at = (i: number, delta: number): number => {
      const moved = Float32Array.from(data)
      moved[i]! += delta
      return tf.tidy(
        () => gradientLoss({ ...tensors, [name]: tf.tensor(moved, [...shape]) }, alone).dataSync()[0]!,
      )
    }
    const differences = Float32Array.from(data, (_, i) => (at(i, 1e-2) - at(i, -1e-2)) / 2e-2)
    const difference = relativeDifference(expected[name]!.data, differences)
    t.ok(difference <= 5e-3, `${name}: differs by ${difference}`)
  }
})

void t.test("tfjs", async (t) =>
  check(t, await makeTfjsExecutor({ precision: "fp32", device: "cpu", threads: 1 })),
)

void t.test("onnxruntime", async (t) => {
  await check(t, await makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads: 2 }))
  const blocks = { attentionBlockBytes: 20, keepAttentionBytes: 0 }
  await check(t, await makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads: 2, ...blocks }))
})

testWithLibrary("tensorflow", async (t) => {
  const executor = await makeTensorflowExecutor({ precision: "fp32", device: "cpu", threads: 2 })
  await check(t as never, executor)
  await executor.dispose()
})

testWithTorch("torch, by its own autograd", async (t) => check(t, await openTorch(t)))
