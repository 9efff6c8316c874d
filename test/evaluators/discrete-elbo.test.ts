import { test } from "tap"
import type { HostTensors } from "../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../src/engine/onnxruntime/index.js"
import { measureDiscreteElbo } from "../../src/evaluators/discrete-elbo/measure.js"
import { packRows } from "../../src/inference/packing.js"
import { makeScorer } from "../../src/inference/scorer.js"
import { cutWindows } from "../../src/inference/windows.js"
import { networkOf } from "../../src/families/traced.js"
import * as tf from "../../src/model/tf.js"
import { initialState } from "../../src/train/state.js"
import { LENGTH, syntheticTokens, tinyExperiment } from "../train/tiny.js"

const experiment = tinyExperiment()
const network = networkOf(experiment)
const { tokenizer } = experiment.data
const rule = {
  maskId: tokenizer.maskId,
  padId: tokenizer.padId,
  boundaryId: tokenizer.boundaryId,
  boundary: "free",
} as const
const schedule = { kind: "log-linear", eps: 1e-3 } as const
const split = syntheticTokens(200, 9)
const windows = cutWindows(
  split,
  { length: LENGTH, count: 6, alignment: "raw-stream" },
  { tokenizer, batching: {} },
  "test split",
)
const options = { schedule, rule, steps: 8, draws: 2, seed: 3 }
const executor = () => makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads: 1 })

const measure = async (parameters: HostTensors, batch?: number) => {
  const scorer = await makeScorer(await executor(), network, parameters, { length: LENGTH, batch })
  try {
    return await measureDiscreteElbo(scorer, windows, options)
  } finally {
    await scorer.dispose()
  }
}

void test("a uniform model pays exactly log2(1024) = 10 bits for each masked token", async (t) => {
  const state = initialState(network, experiment.training)
  const head = state["head.weight"]!
  const uniform = { ...state, "head.weight": { shape: head.shape, data: new Float32Array(head.data.length) } }
  const evidence = await measure(uniform)
  const boundaries = windows.tokens.filter((token) => token === tokenizer.boundaryId).length
  t.ok(boundaries > 0, "the windows hold boundary tokens")
  evidence.nats.forEach((nats, i) => {
    // log-sum-exp of equal logits in fp32: 1e-6 relative.
    const expected = evidence.masked[i]! * Math.log(1024)
    if (Math.abs(nats - expected) > 1e-5 * Math.max(1, expected))
      t.fail(`sum ${i}: ${nats}, expected ${expected}`)
  })
  const boundaryShare = windows.tokens.reduce(
    (sum, token, i) => sum + (token === tokenizer.boundaryId ? evidence.tokenNats[i]! : 0),
    0,
  )
  t.equal(boundaryShare, 0, "boundary tokens are never charged")
  // With expected counts (1 - alpha_k) per maskable token the bound is sum_k r_k (1 - alpha_k) + alpha_T = 1 token's worth: 10 bits.
  const { alphas } = evidence
  let expected = alphas[options.steps]! * 10
  for (let k = 1; k <= options.steps; k++)
    expected += ((alphas[k - 1]! - alphas[k]!) / (1 - alphas[k]!)) * (1 - alphas[k]!) * 10
  t.ok(Math.abs(expected - 10) < 1e-12, "10 bits per maskable token in expectation")
})

void test("evidence does not depend on how sequences are packed into passes", async (t) => {
  const state = initialState(network, experiment.training)
  const [small, large] = [await measure(state, 2), await measure(state, 32)]
  t.same(small.masked, large.masked, "same seed, same masks")
  small.nats.forEach((value, i) => {
    // The same sums in kernels of other shapes: fp32 rounding over 16 positions, 1e-5 relative.
    if (Math.abs(value - large.nats[i]!) > 1e-5 * Math.max(1, value))
      t.fail(`sum ${i}: ${value} and ${large.nats[i]}`)
  })
  t.equal(small.nats.length, 6 * 8 * 2)
  const weighted = small.nats.reduce((sum, value, i) => sum + value / (Math.floor((i % 16) / 2) + 1) / 2, 0)
  const byToken = small.tokenNats.reduce((a, b) => a + b, 0)
  // Reveal probability of step k is 1/k for the log-linear schedule (derived: alpha is linear in t).
  t.ok(Math.abs(weighted / byToken - 1) < 1e-9, "tokens' shares add up to the weighted sums")
})

void test("nats equal the network run eagerly on dense logits", async (t) => {
  await tf.useCpuBackend()
  const state = initialState(network, experiment.training)
  const scorer = await makeScorer(await executor(), network, state, { length: LENGTH, batch: 2 })
  const row = windows.tokens.slice(0, LENGTH)
  const inputIds = row.slice()
  const columns = Int32Array.of(2, 5, 11)
  for (const column of columns) inputIds[column] = tokenizer.maskId
  const [nats] = await scorer.score([{ inputIds, sigma: 0.4, columns, targets: columns.map((c) => row[c]!) }])
  await scorer.dispose()
  const parameters = Object.fromEntries(
    Object.entries(state).map(([name, { shape, data }]) => [
      name,
      tf.tensor(data as Float32Array, [...shape]),
    ]),
  )
  const eager = network.logProbs(parameters, {
    inputIds: tf.tensor(inputIds, [1, LENGTH], "int32"),
    sigma: tf.tensor([0.4]),
    positions: tf.tensor(columns, [3], "int32"),
  })
  const logProbs = eager.dataSync()
  columns.forEach((column, j) => {
    // Two fp32 evaluations of the same network: 1e-5 absolute on about 7 nats.
    t.ok(Math.abs(nats![j]! + logProbs[j * 1024 + row[column]!]!) < 1e-5, `column ${column}`)
  })
})

void test("packing fills passes and never overflows", (t) => {
  const rows = Array.from({ length: 101 }, (_, index) => ({ index, masked: (index * 37) % 65 }))
  const passes = packRows(rows, { rows: 8, capacity: 8 * 64 * 0.53 })
  t.same(
    passes
      .flat()
      .map((r) => r.index)
      .sort((a, b) => a - b),
    rows.map((r) => r.index),
    "every row once",
  )
  for (const pass of passes) {
    t.ok(pass.length <= 8)
    t.ok(pass.reduce((n, r) => n + r.masked, 0) <= 8 * 64 * 0.53)
  }
  t.ok(passes.length <= 15, `${passes.length} passes; 13 are needed at least`)
  t.throws(() => packRows([{ index: 0, masked: 9 }], { rows: 2, capacity: 8 }), /exceeds the capacity/)
  t.end()
})
