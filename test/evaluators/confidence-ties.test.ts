/** The confidence order is one order on every executor: what rounding would decide is a tie, and the leftmost wins. */
import t, { type Test } from "tap"
import type { Executor } from "../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../src/engine/onnxruntime/index.js"
import { makeTensorflowExecutor } from "../../src/engine/tensorflow/index.js"
import { makeTfjsExecutor } from "../../src/engine/tfjs/index.js"
import { makePredictor } from "../../src/inference/predictor.js"
import { measureConfidence, mostConfident, TIE_NATS } from "../../src/evaluators/confidence.js"
import type { OrderEvidence } from "../../src/evaluators/orders.js"
import { networkOf } from "../../src/families/traced.js"
import { testWithLibrary } from "../engine/tensorflow/available.js"
import { openTorch, testWithTorch } from "../engine/torch/available.js"
import { LENGTH } from "../train/tiny.js"
import { masked, measure, sharp, SPLIT } from "./harness.js"

/** Rows of two classes; the larger entry is the row's confidence. */
const rows = (...tops: readonly number[]): Float32Array =>
  Float32Array.from(tops.flatMap((top) => [top - 3, top]))

const choose = (...tops: readonly number[]) => mostConfident(rows(...tops), tops.length, 2)

void t.test("a lead of at most the threshold is a tie, and the leftmost of the tied is chosen", (t) => {
  t.equal(choose(-1, -0.5, -2).row, 1, "a clear lead")
  t.equal(choose(-0.5 - TIE_NATS / 2, -0.5, -2).row, 0, "within the threshold, the leftmost")
  t.equal(choose(-2, -0.5 - TIE_NATS / 2, -0.5).row, 1, "not a row that is out of it")
  t.equal(choose(-0.5 - 3 * TIE_NATS, -0.5).row, 1, "beyond the threshold, the largest")
  t.equal(choose(-0.5, -0.5, -0.5).row, 0)
  t.equal(choose(-7).margin, Number.POSITIVE_INFINITY, "one row leads by infinity")
  // Leads are of the largest over the second, whichever is chosen. float32 spacing at 1: 6e-8.
  t.ok(Math.abs(choose(-1 - TIE_NATS / 2, -1).margin - TIE_NATS / 2) < 1e-7)
  t.end()
})

const experiment = masked("maskable")
const windows = {
  tokens: Int32Array.from(SPLIT.subarray(0, 3 * LENGTH)),
  count: 3,
  length: LENGTH,
  starts: Int32Array.of(0, 16, 32),
  available: 3,
}
const { data, objective } = experiment
const options = {
  schedule:
    objective.kind === "masked-diffusion" ? objective.schedule : ({ kind: "log-linear", eps: 1e-3 } as const),
  rule: { ...data.tokenizer, boundary: "maskable" as const },
}

const measured = async (executor: Executor): Promise<OrderEvidence> => {
  const predictor = await makePredictor(executor, networkOf(experiment), sharp(experiment, 2), {
    length: LENGTH,
    batch: 2,
  })
  try {
    return await measureConfidence(predictor, windows, options)
  } finally {
    await predictor.dispose()
  }
}

let reference: Promise<OrderEvidence> | undefined
const onnxruntime = async (): Promise<OrderEvidence> => {
  const executor = await makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads: 1 })
  try {
    return await measured(executor)
  } finally {
    await executor.dispose()
  }
}

/** One order, and code lengths apart by rounding alone: fp32 log-probabilities of about seven nats, 1e-5. */
const agrees = async (t: Test, executor: Executor): Promise<void> => {
  const [ours, theirs] = [await (reference ??= onnxruntime()), await measured(executor)]
  t.same([...theirs.rank], [...ours.rank], "one order")
  const apart = ours.nats.reduce((most, nats, i) => Math.max(most, Math.abs(nats - theirs.nats[i]!)), 0)
  t.ok(apart < 1e-5, `nats apart by ${apart}`)
  const ties = (leads: Float64Array) =>
    leads.filter((lead, i) => ours.rank[i]! >= 0 && lead <= TIE_NATS).length
  t.equal(ties(theirs.margin!), ties(ours.margin!), "as many ties")
}

void t.test("a wholly masked window is a tie of every position", async (t) => {
  const { rank, margin } = await (reference ??= onnxruntime())
  for (let w = 0; w < windows.count; w++) {
    t.equal(rank[w * LENGTH], 0, "the leftmost position is revealed first")
    t.ok(margin![w * LENGTH]! <= TIE_NATS)
  }
  t.ok(new Set(rank).size === LENGTH, "every position once")
})

void t.test("tfjs", async (t) => {
  const executor = await makeTfjsExecutor({ precision: "fp32", device: "cpu", threads: 1 })
  t.teardown(() => executor.dispose())
  await agrees(t, executor)
})

testWithLibrary("tensorflow", async (t) => {
  const executor = await makeTensorflowExecutor({ precision: "fp32", device: "cpu", threads: 1 })
  t.teardown(() => executor.dispose())
  await agrees(t, executor)
})

// PyTorch takes long to load on a busy machine.
t.setTimeout(600_000)

testWithTorch("torch", async (t) => {
  t.setTimeout(600_000)
  await agrees(t, await openTorch(t))
})

void t.test("the ties are counted in the evidence and its summary", async (t) => {
  const { summary, tensors } = await measure(experiment, sharp(experiment, 2), {
    kind: "chain-rule",
    order: "confidence",
    seed: 1,
  })
  const leads = tensors["margin"]!.data as Float64Array
  const rank = tensors["rank"]!.data as Int32Array
  const count = leads.filter((lead, i) => rank[i]! >= 0 && lead <= TIE_NATS).length
  t.ok(count >= 6, "a tie at the start of each of six windows at least")
  t.same(summary.ties, { count, choices: 6 * (LENGTH - 1), nats: TIE_NATS })
})
