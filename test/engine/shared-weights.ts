/** A small network of frozen and trained weights, with blocks and dropout, for tests of every executor. */
import type { Draw } from "../../src/engine/draw.js"
import type { Feeds, HostTensors, TrainPrograms } from "../../src/engine/executor.js"
import type { Graph } from "../../src/engine/ir.js"
import { block, trace, type TraceInput } from "../../src/engine/trace/trace.js"
import type { WeightSpec } from "../../src/engine/weights.js"
import { dropout, layerNorm, silu } from "../../src/model/layers.js"
import * as tf from "../../src/model/tf.js"
import { numbers } from "./op-cases.js"

const [WIDTH, RANK, VOCABULARY, ROWS, LENGTH, LAYERS] = [8, 2, 11, 2, 5, 3]

/** Frozen: a table, a matrix of each layer, and a norm's weight kept as f32. */
export const frozen: readonly WeightSpec[] = [
  { name: "table", shape: [VOCABULARY, WIDTH], storage: "bf16" },
  ...Array.from({ length: LAYERS }, (_, i): WeightSpec[] => [
    { name: `layers.${i}.w`, shape: [WIDTH, WIDTH], storage: "bf16" },
    { name: `layers.${i}.norm`, shape: [WIDTH] },
  ]).flat(),
]
/** Trained: two thin matrices of each layer, and the head. */
const trained = [
  ...Array.from({ length: LAYERS }, (_, i) => [
    { name: `layers.${i}.a`, shape: [RANK, WIDTH] },
    { name: `layers.${i}.b`, shape: [WIDTH, RANK] },
  ]).flat(),
  { name: "head", shape: [VOCABULARY, WIDTH] },
]

export const drawOf = (salt: number): Draw => ({
  kind: "normal",
  key: [salt + 1, 77],
  site: [5],
  std: 0.5,
})
export const frozenValues: HostTensors = Object.fromEntries(
  frozen.map(({ name, shape }, i) => [
    name,
    {
      shape,
      data: numbers(
        shape.reduce((a, b) => a * b),
        50 + i,
      ),
    },
  ]),
)
export const initial: HostTensors = Object.fromEntries(
  trained.map(({ name, shape }, i) => [name, { shape, data: numbers(shape[0]! * shape[1]!, i).map((x) => x / 4) }]),
)

const P = 0.25
export const feeds: Feeds = {
  ids: {
    shape: [ROWS, LENGTH],
    data: Int32Array.from({ length: ROWS * LENGTH }, (_, i) => (i * 7) % VOCABULARY),
  },
  lengths: { shape: [ROWS], data: Int32Array.of(3, 5) },
  targets: {
    shape: [ROWS * LENGTH],
    data: Int32Array.from({ length: ROWS * LENGTH }, (_, i) => (i * 5) % VOCABULARY),
  },
  kept: {
    shape: [ROWS * LENGTH, WIDTH],
    draw: { kind: "bernoulli", key: [3, 4], site: [9, 1], probability: 1 - P },
  },
}

type Tensors = Readonly<Record<string, tf.Tensor>>

const layer = ({ x, w, norm, a, b, lengths, kept }: Tensors): tf.Tensor => {
  const h = tf.mul(layerNorm(x!, { eps: 1e-5 }), norm!)
  const low = tf.matMul(tf.matMul(h, a!, false, true), b!, false, true)
  const y = silu(tf.add(tf.matMul(h, w!, false, true), low))
  const heads = tf.reshape(y, [ROWS, LENGTH, 2, WIDTH / 2])
  const mixed = tf.attention(heads, heads, heads, { scale: 0.5, causal: false }, lengths!)
  return tf.add(x!, dropout(tf.reshape(mixed, [ROWS * LENGTH, WIDTH]), kept!, P))
}

const lossOf = (all: Tensors): tf.Scalar => {
  let x = tf.gather(all["table"]!, tf.reshape(all["ids"]!, [ROWS * LENGTH]))
  for (let i = 0; i < LAYERS; i++) {
    const own = Object.fromEntries(["w", "norm", "a", "b"].map((n) => [n, all[`layers.${i}.${n}`]!]))
    x = block("layer", layer, { x, lengths: all["lengths"]!, kept: all["kept"]!, ...own })
  }
  return tf.mean(tf.crossEntropy(tf.matMul(x, all["head"]!, false, true), all["targets"]!))
}

const frozenInputs: readonly TraceInput[] = frozen.map(({ name, shape, storage }) => ({
  name,
  kind: "frozen",
  dtype: "f32",
  shape,
  ...(storage === undefined ? {} : { storage }),
}))
const trainedInputs: readonly TraceInput[] = trained.map(({ name, shape }) => ({
  name,
  kind: "parameter",
  dtype: "f32",
  shape,
}))
const feedInputs = (suffix: string): readonly TraceInput[] =>
  Object.entries(feeds).map(([name, feed]) => ({
    name: `${name}${suffix}`,
    kind: "feed",
    dtype: "draw" in feed ? "bool" : "i32",
    shape: feed.shape,
  }))

export const forward = (): Graph =>
  trace("forward", [...frozenInputs, ...trainedInputs, ...feedInputs("")], (all) => ({ loss: lossOf(all) }))

const RATE = 0.02
const names = trained.map(({ name }) => name)

/** Gradient descent at a constant rate. */
export const programs = (): TrainPrograms => ({
  loss: trace("loss", [...frozenInputs, ...trainedInputs, ...feedInputs("")], (all) => ({
    loss: lossOf(all),
  })),
  step: () =>
    trace("step", [...frozenInputs, ...trainedInputs, ...feedInputs("@0")], (all) => {
      const own = Object.fromEntries(Object.keys(feeds).map((name) => [name, all[`${name}@0`]!]))
      const f = (...xs: tf.Tensor[]): tf.Scalar =>
        lossOf({ ...all, ...own, ...Object.fromEntries(xs.map((x, i) => [names[i]!, x])) })
      const { value, grads } = tf.valueAndGrads(f)(names.map((name) => all[name]!))
      return {
        loss: value,
        gradNorm: tf.scalar(0),
        ...Object.fromEntries(names.map((n, i) => [n, tf.sub(all[n]!, tf.mul(grads[i]!, RATE))])),
      }
    }),
  apply: () => {
    const gradients = trainedInputs.map((p): TraceInput => ({ ...p, name: `grad/${p.name}`, kind: "feed" }))
    return trace("apply", [...trainedInputs, ...gradients], (all) => ({
      gradNorm: tf.scalar(0),
      ...Object.fromEntries(names.map((n) => [n, tf.sub(all[n]!, tf.mul(all[`grad/${n}`]!, RATE))])),
    }))
  },
})
