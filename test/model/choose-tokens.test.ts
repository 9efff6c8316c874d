/**
 * Tokens and confidences chosen inside a program, on every executor, against float64 arithmetic on the host
 * (src/diffusion/categorical.ts), with the same uniforms.
 */
import t, { type Test } from "tap"
import { drawToken } from "../../src/diffusion/categorical.js"
import { stream, uniformsFloat32 } from "../../src/diffusion/philox.js"
import type { Executor, HostTensors } from "../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../src/engine/onnxruntime/index.js"
import { makeTensorflowExecutor } from "../../src/engine/tensorflow/index.js"
import { makeTfjsExecutor } from "../../src/engine/tfjs/index.js"
import { trace } from "../../src/engine/trace/trace.js"
import {
  banTokens,
  confidence,
  drawTokens,
  largestTokens,
  tokenLogProbs,
  topTokens,
} from "../../src/model/choose-tokens.js"
import * as tf from "../../src/model/tf.js"
import { numbers } from "../engine/op-cases.js"
import { testWithLibrary } from "../engine/tensorflow/available.js"
import { openTorch, testWithTorch } from "../engine/torch/available.js"

// Each worker loads PyTorch, which takes seconds on a busy machine.
t.setTimeout(540_000)

const cpu = { precision: "fp32", device: "cpu", threads: 2 } as const
/** Rules on trial; their names are those of the outputs. */
const RULES = {
  plain: {},
  warm: { temperature: 1.7 },
  cold: { temperature: 0.3 },
  nucleus: { topP: 0.6 },
  both: { temperature: 0.7, topP: 0.8 },
  narrow: { topP: 1e-6 },
} as const

const choose = async (
  on: Executor,
  rows: number,
  classes: number,
  feeds: HostTensors,
): Promise<HostTensors> => {
  const graph = trace(
    "choose",
    [
      { name: "logits", kind: "feed", dtype: "f32", shape: [rows, classes] },
      { name: "uniforms", kind: "feed", dtype: "f32", shape: [rows] },
      { name: "banned", kind: "feed", dtype: "bool", shape: [classes] },
    ],
    (all) => {
      const logits = banTokens(all["logits"]!, all["banned"]!)
      const largest = largestTokens(logits)
      const { ids, logProbs } = topTokens(logits, 3)
      return {
        largest,
        ids,
        logProbs,
        logProb: tokenLogProbs(logits, largest),
        top_prob: confidence(logits, "top_prob"),
        prob_diff: confidence(logits, "prob_diff"),
        entropy: confidence(logits, "entropy"),
        ...Object.fromEntries(
          Object.entries(RULES).map(([name, rule]) => [name, drawTokens(logits, all["uniforms"]!, rule)]),
        ),
      }
    },
  )
  const evaluator = await on.evaluator(graph, {})
  try {
    return await evaluator.run(feeds)
  } finally {
    await evaluator.dispose()
  }
}

const check = async (test: Test, on: Executor, rows: number, classes: number): Promise<void> => {
  const data = numbers(rows * classes, 3).map((x) => 3 * x)
  // A row of equal logits, where order alone decides, and one that is nearly certain.
  data.fill(0.5, 0, classes)
  data[classes + 7] = 40
  const banned = Uint8Array.from({ length: classes }, (_, i) => (i === 0 || i === classes - 1 ? 1 : 0))
  const uniforms = uniformsFloat32(stream(5, "sample"), [1], rows)
  uniforms[2] = 0
  uniforms[3] = 1 - 2 ** -24
  const ours = await choose(on, rows, classes, {
    logits: { shape: [rows, classes], data },
    uniforms: { shape: [rows], data: uniforms },
    banned: { shape: [classes], data: banned },
  })
  const bans = [0, classes - 1]
  for (let r = 0; r < rows; r++) {
    const row = Float64Array.from(data.subarray(r * classes, (r + 1) * classes))
    for (const id of bans) row[id] = -Infinity
    const top = row.reduce((a, b) => Math.max(a, b))
    const total = row.reduce((sum, x) => sum + Math.exp(x - top), 0)
    const p = row.map((x) => Math.exp(x - top) / total)
    const order = Array.from(p.keys()).sort((a, b) => p[b]! - p[a]! || a - b)
    const at = (name: string, i = r): number => ours[name]!.data[i]!
    test.equal(at("largest"), order[0], `row ${r}: largest`)
    for (const [name, rule] of Object.entries(RULES)) {
      const expected = drawToken(row, { temperature: 1, topP: 1, ...rule, banned: bans }, uniforms[r]!)
      test.equal(at(name), expected, `row ${r}: ${name}`)
    }
    // float32 sums of `classes` terms.
    const close = (name: string, actual: number, expected: number): void =>
      void test.ok(Math.abs(actual - expected) <= 2e-5 * Math.max(1, Math.abs(expected)), `row ${r}: ${name} is ${actual}, not ${expected}`) // prettier-ignore
    for (let k = 0; k < 3; k++) {
      test.equal(at("ids", 3 * r + k), order[k], `row ${r}: number ${k} of the largest`)
      close(`its log-probability`, at("logProbs", 3 * r + k), Math.log(p[order[k]!]!))
    }
    close("logProb", at("logProb"), Math.log(p[order[0]!]!))
    close("top_prob", at("top_prob"), p[order[0]!]!)
    close("prob_diff", at("prob_diff"), p[order[0]!]! - p[order[1]!]!)
    close(
      "entropy",
      at("entropy"),
      p.reduce((sum, x) => sum + x * Math.log(x + 1e-10), 0),
    )
  }
}

const both = async (test: Test, on: Executor): Promise<void> => {
  await check(test, on, 40, 301)
  await check(test, on, 5, 20_011)
}

void t.test("tfjs", async (t) => {
  await tf.useCpuBackend()
  await check(t, await makeTfjsExecutor(cpu), 40, 301)
})
void t.test("onnxruntime", async (t) => both(t, await makeOnnxruntimeExecutor(cpu)))
testWithLibrary("tensorflow", async (t) => {
  const executor = await makeTensorflowExecutor(cpu)
  await both(t as never, executor)
  await executor.dispose()
})
testWithTorch("torch", async (t) => both(t, await openTorch(t)))
