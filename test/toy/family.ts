/** A family that stands in this file alone: a network of two tables, and denoising at one fixed noise level. */
import * as Schema from "effect/Schema"
import { gatherFeeds } from "../../src/diffusion/batch.js"
import { stream, uniforms32 } from "../../src/diffusion/philox.js"
import { problem, type NetworkPart, type ObjectivePart } from "../../src/families/part.js"
import { weightedCrossEntropy, type TracedFamily } from "../../src/families/traced.js"
import { get } from "../../src/model/layers.js"
import type { NetworkProgram } from "../../src/model/network.js"
import { ones, type ParameterSpec } from "../../src/model/parameters.js"
import * as tf from "../../src/model/tf.js"
import { Count, Proportion } from "../../src/spec/common.js"

const TwoTables = Schema.Struct({ kind: Schema.Literal("two-tables"), width: Count, tableRows: Count })
type TwoTables = typeof TwoTables.Type
const Denoise = Schema.Struct({ kind: Schema.Literal("denoise"), rate: Proportion })
type Denoise = typeof Denoise.Type

const table = (name: string, { tableRows, width }: TwoTables): ParameterSpec => ({
  name,
  shape: [tableRows, width],
  init: { kind: "normal", std: 0.1 },
  group: "embedding",
})

const network: NetworkPart<TwoTables> = {
  kind: "two-tables",
  schema: TwoTables,
  rules: [({ model: { width } }) => width % 2 === 1 && problem("/model/width", "an even width", width)],
  sections: [
    ["tables", /^table\./],
    ["frozen", /^scale$/],
  ],
  tokenRows: ({ tableRows }) => tableRows,
  attention: () => "bidirectional",
  takes: () => [],
  parameters: (model) => [
    table("table.in", model),
    { name: "scale", shape: [model.width], init: ones, group: "rest", frozen: true },
    table("table.out", model),
  ],
  flops: ({ width, tableRows }) => 2 * width * tableRows,
  activationBytes: ({ width, tableRows }, _vocabSize, rows, length) =>
    4 * rows * length * (width + tableRows),
}

const program: NetworkProgram<TwoTables> = {
  heads: (parameters, feeds, _model, classes, { select }) => {
    const ids = get(feeds, "inputIds")
    const [rows, length] = ids.shape as [number, number]
    const x = tf.gather(get(parameters, "table.in"), tf.reshape(ids, [rows * length]))
    // The mean of the row, so that a masked position sees its neighbours.
    const mean = tf.mean(tf.reshape(x, [rows, length, x.shape[1]!]), 1, true)
    const seen = tf.reshape(tf.add(tf.reshape(x, [rows, length, x.shape[1]!]), mean), x.shape)
    const out = get(parameters, "table.out")
    const hidden = tf.mul(select(seen), get(parameters, "scale"))
    return { tokens: tf.matMul(hidden, tf.slice(out, [0, 0], [classes, out.shape[1]!]), false, true) }
  },
}

const objective: ObjectivePart<Denoise> = {
  kind: "denoise",
  schema: Denoise,
  rules: [],
  scored: "masked",
  streams: [{ name: "mask", used: "which tokens are replaced" }],
  ids: (_objective, { maskId }) => [maskId],
  boundary: () => "free",
  eps: () => undefined,
  // Sampling unmasks all times alike, from nothing to everything.
  fixedRows: () => ({ kind: "masked", schedule: { kind: "log-linear", eps: 0 } }),
  layout: (_objective, { microBatch, length }) => ({
    slices: 1,
    rows: microBatch,
    programs: [
      [
        { name: "inputIds", dtype: "i32", shape: [microBatch, length] },
        { name: "positions", dtype: "i32", shape: [microBatch * length] },
        { name: "targets", dtype: "i32", shape: [microBatch * length] },
        { name: "weights", dtype: "f32", shape: [microBatch * length] },
        { name: "slots", dtype: "i32", shape: [microBatch * length] },
      ],
    ],
  }),
  feeds: ({ rate }, { seed, length, microBatch, accumulation, tokenizer: { maskId, padId, boundaryId } }) => {
    const masks = stream(seed, "mask")
    const size = microBatch * length
    return (step, { tokens }) => ({
      program: 0,
      micro: Array.from({ length: accumulation }, (_, micro) => {
        const own = tokens.slice(micro * size, (micro + 1) * size)
        const draws = uniforms32(masks, [step, micro], size)
        const chosen = Int32Array.from(own.keys()).filter(
          (i) => own[i] !== padId && own[i] !== boundaryId && draws[i]! < rate,
        )
        const padded = { targets: new Int32Array(size), weights: new Float32Array(size) }
        chosen.forEach((position, j) => {
          padded.targets[j] = own[position]!
          padded.weights[j] = 1 / chosen.length
          own[position] = maskId
        })
        return {
          inputIds: { shape: [microBatch, length], data: own },
          ...gatherFeeds(chosen, size, size),
          targets: { shape: [size], data: padded.targets },
          weights: { shape: [size], data: padded.weights },
        }
      }),
    })
  },
}

export const toy: TracedFamily = {
  name: "toy",
  systems: ["toy"],
  networks: [network],
  objectives: [objective],
  networkPrograms: { "two-tables": program },
  objectivePrograms: { denoise: weightedCrossEntropy },
}
