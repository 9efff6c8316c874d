/** Runs a graph eagerly, node by node, on the current TensorFlow.js backend. The slow oracle of the other executors. */
import * as tf from "@tensorflow/tfjs-core"
import { inlineCalls } from "../passes/inline.js"
import type { DType, Graph, Node, Op, Value } from "../ir.js"

const TFJS = { f32: "float32", i32: "int32", bool: "bool" } as const

type T = tf.Tensor
type Rules = {
  readonly [K in Op]: (node: Extract<Node, { op: K }>, inputs: readonly T[]) => T | readonly T[]
}

const unary =
  (f: (x: T) => T) =>
  (_: unknown, [x]: readonly T[]): T =>
    f(x!)
const binary =
  (f: (a: T, b: T) => T) =>
  (_: unknown, [a, b]: readonly T[]): T =>
    f(a!, b!)
const reduce =
  (f: (x: T, axes: number[], keepDims: boolean) => T) =>
  (node: { attrs: { axes: readonly number[]; keepDims: boolean } }, [x]: readonly T[]): T =>
    node.attrs.axes.length === 0 ? tf.clone(x!) : f(x!, [...node.attrs.axes], node.attrs.keepDims)
const kernel =
  (name: string, inputs: readonly string[]) =>
  (node: { attrs: object }, values: readonly T[]): T | readonly T[] =>
    tf.engine().runKernel(name, Object.fromEntries(inputs.map((key, i) => [key, values[i]!])), {
      ...node.attrs,
    } as never) as unknown as T | T[]

const RULES: Rules = {
  input: () => {
    throw new Error("graph: an input was not supplied")
  },
  constant: (node) => {
    const { dtype, shape } = node.outputs[0]!
    const { data } = node.attrs
    return data.kind === "splat"
      ? tf.fill([...shape], data.value, TFJS[dtype])
      : hostToTensor(dtype, shape, data.values)
  },
  neg: unary(tf.neg),
  abs: unary(tf.abs),
  exp: unary(tf.exp),
  log: unary(tf.log),
  log1p: unary(tf.log1p),
  sqrt: unary(tf.sqrt),
  rsqrt: unary(tf.rsqrt),
  reciprocal: unary(tf.reciprocal),
  square: unary(tf.square),
  relu: unary(tf.relu),
  step: unary((x) => tf.step(x)),
  sigmoid: unary(tf.sigmoid),
  tanh: unary(tf.tanh),
  erf: unary(tf.erf),
  softplus: unary(tf.softplus),
  sin: unary(tf.sin),
  cos: unary(tf.cos),
  floor: unary(tf.floor),
  sign: unary(tf.sign),
  logicalNot: unary(tf.logicalNot),
  add: binary(tf.add),
  sub: binary(tf.sub),
  mul: binary(tf.mul),
  div: binary((a, b) => tf.engine().runKernel("RealDiv", { a, b }) as unknown as T),
  floorDiv: binary(tf.floorDiv),
  mod: binary(tf.mod),
  pow: binary(tf.pow),
  maximum: binary(tf.maximum),
  minimum: binary(tf.minimum),
  squaredDifference: binary(tf.squaredDifference),
  equal: binary(tf.equal),
  notEqual: binary(tf.notEqual),
  less: binary(tf.less),
  lessEqual: binary(tf.lessEqual),
  greater: binary(tf.greater),
  greaterEqual: binary(tf.greaterEqual),
  logicalAnd: binary(tf.logicalAnd),
  logicalOr: binary(tf.logicalOr),
  reduceSum: reduce((x, axes, keep) => tf.sum(x, axes, keep)),
  reduceMean: reduce((x, axes, keep) => tf.mean(x, axes, keep)),
  reduceMax: reduce((x, axes, keep) => tf.max(x, axes, keep)),
  reduceMin: reduce((x, axes, keep) => tf.min(x, axes, keep)),
  reduceProd: reduce((x, axes, keep) => tf.prod(x, axes, keep)),
  cast: (node, [x]) => tf.cast(x!, TFJS[node.attrs.to]),
  select: (_, [condition, a, b]) => tf.where(condition!, a!, b!),
  reshape: (node, [x]) => tf.reshape(x!, [...node.attrs.shape]),
  transpose: (node, [x]) => tf.transpose(x!, [...node.attrs.perm]),
  broadcastTo: (node, [x]) => tf.broadcastTo(x!, [...node.attrs.shape]),
  concat: (node, xs) => tf.concat([...xs], node.attrs.axis),
  slice: (node, [x]) => tf.slice(x!, [...node.attrs.begin], [...node.attrs.size]),
  pad: (node, [x]) =>
    tf.pad(
      x!,
      node.attrs.paddings.map(([b, a]) => [b, a] as [number, number]),
      node.attrs.value,
    ),
  tile: (node, [x]) => tf.tile(x!, [...node.attrs.reps]),
  reverse: (node, [x]) => tf.reverse(x!, [...node.attrs.axes]),
  matMul: (node, [a, b]) => tf.matMul(a!, b!, node.attrs.transposeA, node.attrs.transposeB),
  softmax: unary((x) => tf.softmax(x)),
  logSoftmax: unary((x) => tf.logSoftmax(x)),
  gather: (node, [x, indices]) => tf.gather(x!, indices!, node.attrs.axis),
  oneHot: (node, [indices]) =>
    tf.oneHot(indices!, node.attrs.depth, node.attrs.on, node.attrs.off, "float32"),
  segmentSum: (node, [x, ids]) => tf.unsortedSegmentSum(x!, ids! as tf.Tensor1D, node.attrs.segments),
  cumsum: (node, [x]) => tf.cumsum(x!, node.attrs.axis, node.attrs.exclusive, node.attrs.reverse),
  argMax: (node, [x]) => tf.argMax(x!, node.attrs.axis),
  topK: (node, [x]) => {
    const { values, indices } = tf.topk(x!, node.attrs.k, true)
    return [values, indices]
  },
  attention: (node, inputs) =>
    inputs.length === 3
      ? kernel("ReproAttention", ["q", "k", "v"])(node, inputs)
      : kernel("ReproAttentionOfLengths", ["q", "k", "v", "lengths"])(node, inputs),
  attentionGrad: (node, inputs) =>
    inputs.length === 4
      ? kernel("ReproAttentionGrad", ["q", "k", "v", "dy"])(node, inputs)
      : kernel("ReproAttentionOfLengthsGrad", ["q", "k", "v", "dy", "lengths"])(node, inputs),
  rotary: kernel("ReproRotary", ["x", "cos", "sin"]),
  rmsNorm: kernel("ReproRmsNorm", ["x"]),
  rmsNormGrad: kernel("ReproRmsNormGrad", ["x", "dy"]),
  crossEntropy: kernel("ReproCrossEntropy", ["logits", "targets"]),
  call: () => {
    throw new Error("graph: calls are written out before a graph is run")
  },
  crossEntropyGrad: kernel("ReproCrossEntropyGrad", ["logits", "targets", "dy"]),
}

/** A tensor that holds a copy of host data. */
export const hostToTensor = (dtype: DType, shape: readonly number[], data: ArrayLike<number>): T => {
  const values =
    dtype === "f32"
      ? Float32Array.from(data)
      : dtype === "i32"
        ? Int32Array.from(data)
        : Uint8Array.from(data)
  return tf.tensor(values, [...shape], TFJS[dtype])
}

const key = (v: Value): string => `${v.node}.${v.output}`

/** Evaluates the graph's outputs from its inputs. Intermediate tensors are disposed of when no longer needed. */
export const interpret = (given: Graph, inputs: Readonly<Record<string, T>>): Record<string, T> => {
  const graph = inlineCalls(given)
  const lastUse = new Map<string, number>()
  for (const node of graph.nodes) for (const v of node.inputs) lastUse.set(key(v), node.id)
  for (const { value } of graph.outputs) lastUse.set(key(value), Infinity)
  const values = new Map<string, T>()
  for (const node of graph.nodes) {
    if (node.op === "input") {
      const tensor = inputs[node.attrs.name]
      if (tensor === undefined)
        throw new Error(`graph ${graph.name}: the input ${node.attrs.name} was not supplied`)
      values.set(key({ node: node.id, output: 0 }), tf.clone(tensor))
      continue
    }
    const rule = RULES[node.op] as (node: Node, inputs: readonly T[]) => T | readonly T[]
    const result = rule(
      node,
      node.inputs.map((v) => values.get(key(v))!),
    )
    const list = Array.isArray(result) ? (result as readonly T[]) : [result as T]
    list.forEach((tensor, output) => values.set(key({ node: node.id, output }), tensor))
    for (const v of node.inputs) {
      if (lastUse.get(key(v)) === node.id) values.get(key(v))?.dispose()
    }
  }
  return Object.fromEntries(graph.outputs.map(({ name, value }) => [name, values.get(key(value))!]))
}
