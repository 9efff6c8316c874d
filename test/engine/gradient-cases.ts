/**
 * Functions of TensorFlow.js operations whose gradients every executor is held to, parameter by parameter.
 *
 * The loss is the sum over cases of sum(weights * f), with other weights for each entry, so that no error of an entry
 * can hide in another's. Every parameter belongs to one case, whose name it carries.
 */
import type { HostTensor, HostTensors, TrainPrograms } from "../../src/engine/executor.js"
import { sizeOf, type Graph } from "../../src/engine/ir.js"
import { trace, type TraceInput } from "../../src/engine/trace/trace.js"
import { gelu, geluTanh, layerNorm, rmsNorm, silu } from "../../src/model/layers.js"
import * as tf from "../../src/model/tf.js"
import { numbers } from "./op-cases.js"

interface Case {
  /** Shapes of the parameters. */
  readonly shapes: readonly (readonly number[])[]
  readonly f: (...xs: tf.Tensor[]) => tf.Tensor
}

const one = (f: (x: tf.Tensor) => tf.Tensor, shape: readonly number[] = [3, 4]): Case => ({
  shapes: [shape],
  f: (x) => f(x!),
})
const two = (f: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): Case => ({
  shapes: [
    [3, 4],
    [3, 1],
  ],
  f: (a, b) => f(a!, b!),
})
const positive = (x: tf.Tensor): tf.Tensor => tf.add(tf.abs(x), 0.5)

const attention = (causal: boolean, queries: number, lengths?: readonly number[]): Case => ({
  shapes: [
    [3, queries, 2, 4],
    [3, 5, 2, 4],
    [3, 5, 2, 4],
  ],
  f: (q, k, v) =>
    tf.attention(q!, k!, v!, { scale: 0.5, causal }, lengths && tf.tensor([...lengths], [3], "int32")),
})

const CASES: Readonly<Record<string, Case>> = {
  "attention": attention(false, 4),
  "attention, causal": attention(true, 5),
  "attention of lengths": attention(false, 4, [2, 0, 9]),
  "attention of lengths, causal": attention(true, 5, [2, 0, 9]),
  "rotary, inverse": one((x) => tf.rotary(x, tf.cos(tf.ones([5, 2])), tf.sin(tf.ones([5, 2])), { inverse: true }), [2, 5, 3, 4]),
  "erf": one(tf.erf),
  "softplus": one(tf.softplus),
  "softplus of large numbers": one((x) => tf.softplus(tf.mul(x, 40))),
  "log1p": one((x) => tf.log1p(tf.square(x))),
  "sigmoid": one(tf.sigmoid),
  "tanh": one(tf.tanh),
  "elu": one(tf.elu),
  "sin": one(tf.sin),
  "cos": one(tf.cos),
  "exp": one(tf.exp),
  "log": one((x) => tf.log(positive(x))),
  "pow": two((a, b) => tf.pow(positive(a), b)),
  "select by a comparison": two((a, b) => tf.where(tf.greater(a, b), tf.square(a), tf.mul(b, 3))),
  "select by a logical": two((a, b) =>
    tf.where(tf.logicalAnd(tf.lessEqual(a, 1), tf.logicalOr(tf.greaterEqual(a, b), tf.logicalNot(tf.less(b, 0)))), a, tf.square(b))),
  "maximum": two(tf.maximum),
  "minimum": two(tf.minimum),
  "clipByValue": one((x) => tf.clipByValue(x, -0.7, 0.9)),
  "slice": one((x) => tf.slice(x, [1, 1], [2, 2])),
  "pad": one((x) => tf.pad(x, [[1, 0], [0, 2]], 0.5)),
  "tile": one((x) => tf.tile(x, [2, 3])),
  "cumsum": one((x) => tf.cumsum(x, 1)),
  "cumsum, exclusive and reverse": one((x) => tf.cumsum(x, 0, true, true)),
  "max": one((x) => tf.max(x, 1)),
  "gather": one((x) => tf.gather(x, tf.tensor([2, 0, 2, 2], [2, 2], "int32"))),
  "softmax": one(tf.softmax),
  "logSoftmax": one(tf.logSoftmax),
  "crossEntropy": one((x) => tf.crossEntropy(x, tf.tensor([3, 0, 2], [3], "int32"))),
  "silu": one(silu),
  "gelu": one(gelu),
  "geluTanh": one(geluTanh),
  "rmsNorm": one(rmsNorm),
  "layerNorm": one((x) => layerNorm(x, { eps: 1e-5 })),
  "layerNorm with weight and bias": { shapes: [[3, 4], [4], [4]], f: (x, w, b) => tf.add(tf.mul(layerNorm(x!, { eps: 1e-5 }), w!), b!) },
  "a row of projections": { shapes: [[3, 4], [5, 4], [5]], f: (x, w, b) => silu(tf.add(tf.matMul(x!, w!, false, true), b!)) },
} // prettier-ignore

const nameOf = (name: string, i: number): string => `${name} #${i}`

export const gradientParameters: HostTensors = Object.fromEntries(
  Object.entries(CASES).flatMap(([name, { shapes }], c) =>
    shapes.map((shape, i): [string, HostTensor] => [
      nameOf(name, i),
      { shape, data: numbers(sizeOf(shape), 10 * c + i) },
    ]),
  ),
)

type Tensors = Readonly<Record<string, tf.Tensor>>

/** The loss of all cases, or of one alone. */
export const gradientLoss = (parameters: Tensors, alone?: string): tf.Scalar =>
  Object.entries(CASES)
    .filter(([name]) => alone === undefined || name === alone)
    .map(([name, { shapes, f }]) => {
      const y = f(...shapes.map((_, i) => parameters[nameOf(name, i)]!))
      return tf.sum(tf.mul(y, tf.tensor(numbers(y.size, 1000 + shapes.length), y.shape)))
    })
    .reduce((a, b) => tf.add(a, b)) as tf.Scalar

const held: readonly TraceInput[] = Object.entries(gradientParameters).map(([name, { shape }]) => ({
  name,
  kind: "parameter",
  dtype: "f32",
  shape,
}))
const names = held.map(({ name }) => name)

/** The loss and its gradients, which take the parameters' places. */
const lossAndGradients = (all: Tensors): Record<string, tf.Tensor> => {
  const f = (...xs: tf.Tensor[]): tf.Scalar =>
    gradientLoss(Object.fromEntries(xs.map((x, i) => [names[i]!, x])))
  const { value, grads } = tf.valueAndGrads(f)(names.map((name) => all[name]!))
  return { loss: value, gradNorm: tf.scalar(0), ...Object.fromEntries(grads.map((g, i) => [names[i]!, g])) }
}

/** The gradients by autodiff on the current eager backend. */
export const eagerGradients = (): HostTensors => {
  const tensors = Object.fromEntries(
    Object.entries(gradientParameters).map(([name, { shape, data }]) => [name, tf.tensor(data, [...shape])]),
  )
  return Object.fromEntries(
    Object.entries(lossAndGradients(tensors)).map(([name, x]) => [
      name,
      { shape: x.shape, data: x.dataSync() as Float32Array },
    ]),
  )
}

/** A job whose step replaces every parameter by its gradient. */
export const gradientPrograms = (): TrainPrograms => ({
  loss: trace("loss", held, (all) => ({ loss: gradientLoss(all) })),
  step: (): Graph => trace("step", held, lossAndGradients),
  apply: (): Graph => {
    const gradients: readonly TraceInput[] = held.map((h) => ({ ...h, name: `grad/${h.name}`, kind: "feed" }))
    return trace("apply", [...held, ...gradients], (all) => ({
      ...Object.fromEntries(names.map((name) => [name, all[`grad/${name}`]!])),
      gradNorm: tf.scalar(0),
    }))
  },
})
