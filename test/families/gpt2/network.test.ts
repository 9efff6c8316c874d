/** GPT-2 against the implementation of Hugging Face (make.py): logits, loss, every gradient; on the graph as eagerly. */
import { readFileSync } from "node:fs"
import { test } from "tap"
import { hostFeeds } from "../../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../../src/engine/onnxruntime/index.js"
import { gpt2Parameters, gpt2Name } from "../../../src/families/gpt2/parameters.js"
import type { Gpt2Model } from "../../../src/families/gpt2/schema.js"
import { networkOf } from "../../../src/families/traced.js"
import { traceGradients } from "../../../src/train/programs.js"
import { relativeDifference } from "../../engine/parity.js"
import { tensors, unpack, type Packed } from "../../model/golden.js"
import * as tf from "../../../src/model/tf.js"
import { tinyExperiment } from "../../train/tiny.js"

interface Golden {
  readonly ids: readonly (readonly number[])[]
  readonly loss: number
  readonly logits: Packed
  readonly parameters: Readonly<Record<string, Packed>>
  readonly gradients: Readonly<Record<string, Packed>>
}

const golden = JSON.parse(readFileSync(new URL("golden.json", import.meta.url), "utf8")) as Golden
const model: Gpt2Model = {
  kind: "gpt2",
  layers: 2,
  width: 12,
  heads: 3,
  positions: 8,
  tableRows: 13,
  normEps: 1e-5,
}
const [ROWS, LENGTH, VOCABULARY] = [3, 8, 13]

const base = tinyExperiment()
const network = networkOf({
  model,
  objective: { kind: "autoregressive" },
  data: { ...base.data, tokenizer: { ...base.data.tokenizer, vocabSize: VOCABULARY } },
})
const ours = (pack: Readonly<Record<string, Packed>>): Record<string, Packed> =>
  Object.fromEntries(Object.entries(pack).map(([name, value]) => [gpt2Name(name)!, value]))

/** Each position's successor; the last one of a row has none, and weight 0. */
const flat = golden.ids.flat()
const last = (i: number): boolean => (i + 1) % LENGTH === 0
const feeds = {
  inputIds: { shape: [ROWS, LENGTH], data: Int32Array.from(flat) },
  targets: {
    shape: [ROWS * LENGTH],
    data: Int32Array.from(flat, (_, i) => (last(i) ? 0 : flat[i + 1]!)),
  },
  weights: {
    shape: [ROWS * LENGTH],
    data: Float32Array.from(flat, (_, i) => (last(i) ? 0 : 1 / (ROWS * (LENGTH - 1)))),
  },
}

test("names and shapes are those of the published file", (t) => {
  const named = Object.fromEntries(
    Object.entries(ours(golden.parameters)).map(([name, { shape }]) => [name, shape]),
  )
  t.same(Object.fromEntries(gpt2Parameters(model).map(({ name, shape }) => [name, shape])), named)
  t.equal(gpt2Name("transformer.h.3.attn.bias"), null)
  t.equal(gpt2Name("h.3.attn.masked_bias"), null)
  t.equal(gpt2Name("lm_head.weight"), null)
  t.equal(gpt2Name("h.3.attn.c_attn.bias"), "h.3.attn.c_attn.bias")
  // 124 439 808 parameters of gpt2, as published.
  const sizes = gpt2Parameters({
    ...model,
    layers: 12,
    width: 768,
    heads: 12,
    positions: 1024,
    tableRows: 50257,
  })
  t.equal(
    sizes.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
    124_439_808,
  )
  t.end()
})

test("log-probabilities are the reference's", async (t) => {
  await tf.useCpuBackend()
  const parameters = tensors(ours(golden.parameters))
  const found = network.heads(parameters, {
    inputIds: tf.tensor(feeds.inputIds.data, [ROWS, LENGTH], "int32"),
  })
  // fp32 with sums in another order.
  t.ok(relativeDifference(unpack(golden.logits), found.tokens.dataSync() as Float32Array) < 1e-5)
})

test("loss and every gradient are the reference's, by onnxruntime", async (t) => {
  const executor = await makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads: 1 })
  const parameters = Object.fromEntries(
    Object.entries(ours(golden.parameters)).map(([name, p]) => [name, { shape: p.shape, data: unpack(p) }]),
  )
  const specs = network.feeds("loss", { rows: ROWS, length: LENGTH, capacity: ROWS * LENGTH })
  const evaluator = await executor.evaluator(traceGradients(network, specs), parameters)
  const result = await evaluator.run(hostFeeds(feeds))
  t.ok(Math.abs(result["loss"]!.data[0]! / golden.loss - 1) < 1e-5, `${result["loss"]!.data[0]}`)
  for (const [name, packed] of Object.entries(ours(golden.gradients))) {
    const difference = relativeDifference(unpack(packed), result[`grad/${name}`]!.data as Float32Array)
    t.ok(difference < 3e-5, `${name} ${difference.toExponential(1)}`)
  }
  await evaluator.dispose()
  await executor.dispose()
})
