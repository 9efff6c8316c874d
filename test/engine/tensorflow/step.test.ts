/** The whole optimiser step of the masked diffusion network of parameter-golf PR #1241, small, against other executors. */
import type { Executor, HostTensors } from "../../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../../src/engine/onnxruntime/index.js"
import { makeTensorflowExecutor } from "../../../src/engine/tensorflow/index.js"
import { makeTfjsExecutor } from "../../../src/engine/tfjs/index.js"
import { networkOf } from "../../../src/families/traced.js"
import type { NetworkSource } from "../../../src/model/network.js"
import type { Training } from "../../../src/spec/training.js"
import { tracePrograms } from "../../../src/train/programs.js"
import { initialState, stepScalars } from "../../../src/train/state.js"
import { numbers } from "../op-cases.js"
import { relativeDifference } from "../parity.js"
import { testWithLibrary } from "./available.js"

const [rows, length, capacity, vocabulary] = [2, 8, 12, 30]
const source: NetworkSource = {
  model: {
    kind: "mdlm",
    layers: 2,
    width: 16,
    heads: 2,
    mlpRatio: 3,
    tableRows: 32,
    attention: "bidirectional",
    conditioning: { kind: "sigma", frequencies: 8, hidden: 16 },
    ropeBase: 10000,
    init: "published",
  } as NetworkSource["model"],
  objective: { kind: "masked-diffusion" },
  data: { tokenizer: { vocabSize: vocabulary } },
}
const training = {
  seed: 42,
  accumulation: 2,
  microBatch: rows,
  clipNorm: 1,
  optimizer: { kind: "adamw", learningRate: 1e-3, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0.1 },
} as unknown as Training

/** A micro-batch whose first ten even positions are masked; two slots of the capacity stay empty. */
const microBatch = (salt: number): HostTensors => {
  const total = rows * length
  const draw = numbers(total, salt)
  const inputIds = Int32Array.from(draw, (x) => Math.floor(((x + 2) / 4) * vocabulary))
  const [positions, targets] = [new Int32Array(capacity), new Int32Array(capacity)]
  const weights = new Float32Array(capacity)
  const slots = new Int32Array(total).fill(capacity)
  for (let i = 0; i < 10; i++) {
    const at = Math.floor((i * total) / 10)
    positions[i] = at
    slots[at] = i
    targets[i] = inputIds[at]!
    weights[i] = 0.1 + 0.01 * i
    inputIds[at] = vocabulary
  }
  return {
    inputIds: { shape: [rows, length], data: inputIds },
    sigma: { shape: [rows], data: Float32Array.of(0.3, 1.7) },
    positions: { shape: [capacity], data: positions },
    targets: { shape: [capacity], data: targets },
    weights: { shape: [capacity], data: weights },
    slots: { shape: [total], data: slots },
  }
}

const network = networkOf(source)

const train = async (executor: Executor, steps: number) => {
  const programs = tracePrograms({
    network,
    training,
    feeds: [network.feeds("loss", { rows, length, capacity })],
  })
  const trainer = await executor.trainer(programs, initialState(network, training))
  const losses: number[] = []
  let first: HostTensors = {}
  for (let s = 0; s < steps; s++) {
    const { loss, gradNorm } = await trainer.step(
      [microBatch(2 * s), microBatch(2 * s + 1)],
      stepScalars(training, s, 1),
    )
    losses.push(loss, gradNorm)
    if (s === 0) first = await trainer.readState()
  }
  const state = await trainer.readState()
  await trainer.dispose()
  await executor.dispose()
  return { losses, first, state }
}

const base = { precision: "fp32", device: "cpu", threads: 2 } as const

const worstOf = (a: HostTensors, b: HostTensors, names: readonly string[]): readonly [number, string] => {
  let worst: readonly [number, string] = [0, ""]
  for (const name of names) {
    const difference = relativeDifference(a[name]!.data, b[name]!.data)
    if (difference > worst[0]) worst = [difference, name]
  }
  return worst
}

const names = network.parameters.map((p) => p.name)
/** After one step Adam's first moment is 0.1 times the clipped gradient. */
const gradients = names.map((name) => `adam.m/${name}`)

testWithLibrary("values, gradients and three steps equal those of tfjs and onnxruntime", async (t) => {
  const ours = await train(await makeTensorflowExecutor(base), 3)
  for (const [steps, other] of [
    [1, await makeTfjsExecutor(base)],
    [3, await makeOnnxruntimeExecutor(base)],
  ] as const) {
    const theirs = await train(other, steps)
    // fp32 rounding of sums of at most some hundred terms: 1e-5; Adam divides small gradients by their size: 1e-4.
    const worst = worstOf(theirs.first, ours.first, gradients)
    t.ok(worst[0] < 1e-5, `${other.name}: gradient ${worst.join(" of ")}`)
    theirs.losses.forEach((x, i) =>
      t.ok(Math.abs(x - ours.losses[i]!) < 1e-5 * Math.abs(x), `${other.name}: ${x}`),
    )
    if (steps < 3) continue
    const end = worstOf(theirs.state, ours.state, [...names, ...gradients])
    t.ok(end[0] < 1e-4, `${other.name}: after three steps ${end.join(" of ")}`)
  }
})

testWithLibrary("bf16 stays within its bounds of fp32", async (t) => {
  const exact = await train(await makeTensorflowExecutor(base), 3)
  for (const bf16Products of ["bf16", "fp32"] as const) {
    const executor = await makeTensorflowExecutor({ ...base, precision: "bf16", bf16Products })
    const rounded = await train(executor, 3)
    // Each product rounds to 2^-9 relative; the loss averages many such errors, a gradient entry chains about thirty.
    exact.losses.forEach((x, i) =>
      t.ok(Math.abs(x - rounded.losses[i]!) < 0.01 * Math.abs(x), `${x} and ${rounded.losses[i]}`),
    )
    const worst = worstOf(exact.first, rounded.first, gradients)
    t.ok(worst[0] < 0.05, `gradient ${worst.join(" of ")}`)
    t.ok(worst[0] > 1e-4, "the products really are rounded")
  }
})
