/** The published validation loss and its floor, from stored states. */
import { test } from "tap"
import { insertionNelbo } from "../../src/evaluators/insertion-nelbo/part.js"
import { isCodeLength } from "../../src/evaluators/summary.js"
import type { StoredTensor } from "../../src/files/safetensors.js"

const f64 = (values: readonly number[]): StoredTensor => ({
  dtype: "F64",
  shape: [2, 1, 2],
  data: Float64Array.from(values),
})
const i32 = (shape: readonly number[], values: readonly number[]): StoredTensor => ({
  dtype: "I32",
  shape,
  data: Int32Array.from(values),
})
const [PAD, MASK] = [5, 4]
const header = {
  format: "repro-evidence",
  version: 2,
  evaluation: {
    kind: "insertion-nelbo",
    id: "code-length",
    windows: { length: 4, count: 2, alignment: "documents" },
    strata: 2,
    draws: 1,
    seed: 1,
  },
  split: { name: "validation", tokens: 8, digests: [], available: 2, windows: 2 },
  tokenizer: {
    id: "t",
    digest: "",
    vocabSize: 4,
    boundaryId: 2,
    maskId: MASK,
    padId: PAD,
    pieces: ["(", ")", "<s>", "<sep>"].map((piece, id) => ({ piece, type: id < 2 ? "normal" : "control" })),
  },
  objective: { eps: null, boundary: "maskable" },
  step: 1,
  executor: { name: "t", version: "0", precision: "fp32" },
  forwards: 4,
  seconds: 1,
}
const file = {
  metadata: { evidence: JSON.stringify(header) },
  tensors: new Map<string, StoredTensor>([
    ["tokens", i32([2, 4], [0, 1, PAD, PAD, 0, 0, 1, PAD])],
    ["starts", i32([2], [1, 4])],
    ["previous", i32([2], [2, 2])],
    ["following", i32([2], [2, 2])],
    ["places", i32([2, 4], [1, 2, -1, -1, 4, 5, 6, -1])],
    ["scored", i32([5], [0, 1, 4, 5, 6])],
    ["insert", f64([0.1, 0.2, 0.3, 0.4])],
    ["unmask", f64([0, 0, 0, 0])],
    ["publishedInsert", f64([1, 2, 3, 4])],
    ["publishedUnmask", f64([0.5, 0.5, 1, 1])],
  ]),
}

test("nats over the canvas, with the floor of rows of these lengths, apart from the code length", async (t) => {
  const summaries = insertionNelbo.summarise(file as never, "evidence", "toy")
  t.same(summaries.map(isCodeLength), [true, false])
  const figures = "figures" in summaries[1]! ? summaries[1].figures : []
  const [loss, floor] = figures
  // Rows of (1.5 + 2.5) / 2 = 2 and (4 + 5) / 2 = 4.5 nats over 4 positions.
  t.ok(Math.abs(loss!.value! - (2 + 4.5) / 2 / 4) < 1e-12, `${loss!.value}`)
  // The floor of 2 equal tokens is ln 2, of 3 it is 1.560710 (an independent table, six decimals).
  t.ok(Math.abs(floor!.value! - (Math.LN2 + 1.56071) / 2 / 4) < 1e-6, `${floor!.value}`)
  for (const { contract, published } of figures) {
    t.equal(contract.quantity, "training-loss", "no code length")
    t.equal(published, true)
  }
  t.match(loss!.notes, [/no code length, no perplexity and no bits per byte/])
})
