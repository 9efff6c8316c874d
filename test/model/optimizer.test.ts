/**
 * Optimiser against torch.optim.AdamW, clip_grad_norm_ and a float64 Muon (test/model/oracle/generate.py).
 *
 * Tolerance after three whole steps in float32: parameters within 2e-5 of the tensor's largest entry, apart from
 * entries whose gradient is so small that Adam's division by its size amplifies rounding.
 */
import { test, type Test } from "tap"
import { learningRateFactor } from "../../src/model/learning-rate.js"
import {
  applyUpdate,
  momentumAt,
  optimizerScalars,
  optimizerState,
  orthogonalise,
  scalarValues,
} from "../../src/model/optimizer.js"
import * as tf from "../../src/model/tf.js"
import type {
  AdamWOptimizer,
  LearningRateSchedule,
  MuonOptimizer,
  Training,
} from "../../src/spec/training.js"
import {
  close,
  differentiate,
  golden,
  maskedFeeds,
  MDLM,
  networkFor,
  read,
  tensors,
  unpack,
} from "./golden.js"

await tf.useCpuBackend()

const adamw: AdamWOptimizer = {
  kind: "adamw",
  learningRate: 3e-3,
  betas: [0.9, 0.95],
  eps: 1e-8,
  weightDecay: 0.1,
}
const muon: MuonOptimizer = {
  kind: "muon",
  learningRate: 0.02,
  embeddingLearningRate: 5e-3,
  momentum: 0.9,
  newtonSchulzSteps: 5,
  weightDecay: 0.05,
  rest: { ...adamw, weightDecay: 0 },
}
type Job = Pick<Training, "optimizer" | "clipNorm" | "emaDecay">

const threeSteps = (t: Test, job: Job, kind: "adamw" | "muon"): void => {
  const g = golden("mdlm")
  const network = networkFor(MDLM)
  const feeds = maskedFeeds(g)
  let parameters: Readonly<Record<string, tf.Tensor>> = tensors(g.parameters)
  const specs = optimizerState(network.parameters, job)
  let state: Readonly<Record<string, tf.Tensor>> = Object.fromEntries(
    specs.map(({ name, shape, init }) => [
      name,
      init.kind === "parameter" ? parameters[init.name]! : tf.zeros([...shape]),
    ]),
  )
  let gradNorm = 0
  for (let step = 0; step < 3; step++) {
    const { gradients } = differentiate(network, parameters, feeds)
    const values = scalarValues(job.optimizer, step, 1)
    const scalars = Object.fromEntries(Object.entries(values).map(([name, v]) => [name, tf.scalar(v)]))
    const next = applyUpdate(network.parameters, job, { parameters, gradients, state, scalars })
    t.same(
      Object.keys(next.state).sort(),
      specs.map((s) => s.name).sort(),
      "every state tensor has a next value",
    )
    parameters = next.parameters
    state = next.state
    gradNorm = read(next.gradNorm)[0]!
  }
  const expected = g[kind]
  close(t, [gradNorm], [expected.gradNorm], 1e-4, "norm before clipping")
  t.ok(expected.gradNorm > 1, "clipping is at work")
  for (const [name, packed] of Object.entries(expected.parameters))
    close(t, read(parameters[name]!), unpack(packed), 2e-5, `${kind}: ${name}`)
  for (const [name, packed] of Object.entries(expected.average))
    close(t, read(state[`ema/${name}`]!), unpack(packed), 2e-5, `average: ${name}`)
}

test("three clipped AdamW steps equal PyTorch's", async (t) => {
  threeSteps(t, { optimizer: adamw, clipNorm: 1, emaDecay: 0.9 }, "adamw")
})

test("three clipped Muon steps equal the oracle's", async (t) => {
  threeSteps(t, { optimizer: muon, clipNorm: 1, emaDecay: 0.9 }, "muon")
})

test("state and scalars are those that the rule needs", async (t) => {
  const specs = networkFor(MDLM).parameters
  const names = (job: Pick<Training, "optimizer" | "emaDecay">): readonly string[] =>
    optimizerState(specs, job).map((s) => s.name)
  t.equal(names({ optimizer: adamw }).length, 2 * specs.length)
  t.ok(names({ optimizer: muon }).includes("muon.m/blocks.0.attn.c_q.weight"))
  t.ok(names({ optimizer: muon }).includes("adam.v/wte.weight"))
  t.notOk(names({ optimizer: muon }).includes("adam.v/blocks.0.attn.c_q.weight"))
  t.equal(
    names({ optimizer: adamw, emaDecay: 0.999 }).filter((n) => n.startsWith("ema/")).length,
    specs.length,
  )
  t.same(optimizerScalars(adamw), ["rate/adamw", "keep/adamw", "inverseSqrtCorrection2"])
})

test("without clipping the gradient is used as it is", async (t) => {
  const specs = [{ name: "w", shape: [2], init: { kind: "constant", value: 0 }, group: "rest" }] as const
  const optimizer: AdamWOptimizer = { ...adamw, learningRate: 0.1, weightDecay: 0, eps: 1e-12 }
  const zero = { "adam.m/w": tf.zeros([2]), "adam.v/w": tf.zeros([2]) }
  const scalars = Object.fromEntries(
    Object.entries(scalarValues(optimizer, 0, 0.5)).map(([n, v]) => [n, tf.scalar(v)]),
  )
  const inputs = {
    parameters: { w: tf.zeros([2]) },
    gradients: { w: tf.tensor1d([300, -400]) },
    state: zero,
    scalars,
  }
  const next = applyUpdate(specs, { optimizer, clipNorm: 0 }, inputs)
  // Adam's first step is -rate * sign(g); the rate is 0.1 times the schedule's factor 0.5.
  close(t, read(next.parameters["w"]!), [-0.05, 0.05], 1e-5, "first step")
  close(t, read(next.state["adam.m/w"]!), [30, -40], 1e-6, "first moment of the unclipped gradient")
  close(t, read(next.gradNorm), [500], 1e-6, "norm")
})

test("the Newton-Schulz iteration makes singular values about one", async (t) => {
  for (const shape of [
    [6, 10],
    [10, 6],
  ] as const) {
    const g = tf.tensor(
      Float32Array.from({ length: 60 }, (_, i) => Math.sin(i * i + 1)),
      [...shape],
    )
    const x = orthogonalise(g, 5)
    t.same(x.shape, shape)
    const gram = read(shape[0] < shape[1] ? tf.matMul(x, x, false, true) : tf.matMul(x, x, true, false))
    // Five steps of these coefficients put singular values in about [0.68, 1.14], squares in [0.46, 1.3].
    const trace = [0, 1, 2, 3, 4, 5].reduce((s, i) => s + gram[i * 7]!, 0)
    t.ok(trace > 6 * 0.4 && trace < 6 * 1.35, `trace ${trace}`)
  }
})

test("momentum warms up linearly", async (t) => {
  // parameter-golf train_gpt.py: 0.85 to 0.95 over 500 steps.
  const warm: MuonOptimizer = { ...muon, momentum: 0.95, momentumWarmup: { from: 0.85, steps: 500 } }
  t.equal(momentumAt(warm, 0), 0.85)
  t.ok(Math.abs(momentumAt(warm, 250) - 0.9) < 1e-15)
  t.equal(momentumAt(warm, 500), 0.95)
  t.equal(momentumAt(warm, 9000), 0.95)
})

const schedule: LearningRateSchedule = {
  warmup: 300,
  warmdown: 1500,
  shape: "cosine",
  floor: 0.1,
  restart: true,
}

// parameter-golf PR #1241, get_lr with LR 6e-4, 6000 steps, warm-up 300, warm-down 1500.
const lr = (step: number): number => 6e-4 * learningRateFactor({ schedule, stepsPerGroup: 6000 }, step, 16)

test("the published schedule restarts with each shard group", async (t) => {
  const near = (actual: number, expected: number, what: string) =>
    t.ok(Math.abs(actual - expected) <= 1e-12 * 6e-4, `${what}: ${actual}`)
  near(lr(0), 2e-6, "first step")
  near(lr(4), 1e-5, "fifth step")
  near(lr(299), 6e-4, "end of warm-up")
  near(lr(4499), 6e-4, "last constant step")
  near(lr(4500), 6e-4, "first warm-down step")
  near(lr(5250), 6e-4 * 0.55, "half way: 0.1 + 0.9 / 2")
  near(lr(5999), 6e-4 * (0.1 + 0.9 * 0.5 * (1 + Math.cos(Math.PI * (1 - 1 / 1500)))), "last step")
  near(lr(6000), 2e-6, "restart")
  near(lr(12_299), 6e-4, "end of the third warm-up")
})

test("without restart the decay comes once, at the end of the run", async (t) => {
  const linear = { ...schedule, warmup: 0, warmdown: 100, shape: "linear", floor: 0, restart: false } as const
  const at = (step: number): number => learningRateFactor({ schedule: linear, stepsPerGroup: 200 }, step, 3)
  t.equal(at(0), 1)
  t.equal(at(199), 1)
  t.equal(at(500), 1)
  t.equal(at(550), 0.5)
  t.ok(Math.abs(at(599) - 0.01) < 1e-15)
})
