/** From the graph IR to an ONNX model: one rule per operation. */
import { sizeOf, type Graph, type Node, type Op } from "../ir.js"
import { attentionGradRule, attentionRule } from "./lower-attention.js"
import {
  crossEntropyGradRule,
  crossEntropyRule,
  rmsNormGradRule,
  rmsNormRule,
  rotaryRule,
} from "./lower-composites.js"
import { inlineCalls } from "../passes/inline.js"
import { Lowering, type LowerOptions } from "./lowering.js"
import type { OnnxModel } from "./onnx.js"

type Rules = {
  readonly [K in Op]: (
    l: Lowering,
    node: Extract<Node, { op: K }>,
    inputs: readonly string[],
  ) => string | readonly string[]
}

const plain =
  (op: string) =>
  (l: Lowering, _: unknown, inputs: readonly string[]): string =>
    l.add(op, inputs)

const reduce =
  (op: string) =>
  (
    l: Lowering,
    node: { attrs: { axes: readonly number[]; keepDims: boolean } },
    [x]: readonly string[],
  ): string =>
    node.attrs.axes.length === 0
      ? l.add("Identity", [x!])
      : l.add(op, [x!, l.ints(node.attrs.axes)], { keepdims: node.attrs.keepDims ? 1 : 0 })

/** Sums of at least this many rows are products with a row of ones: several times the speed of ReduceSum. */
const ONES_PRODUCT_ROWS = 16

/** A sum over neighbouring axes before the last, [outer, R, inner] -> [outer, inner], as ones [1, R] times it. */
const reduceSumRule = (
  l: Lowering,
  node: Extract<Node, { op: "reduceSum" }>,
  inputs: readonly string[],
): string => {
  const { shape, dtype } = l.type(node.inputs[0]!)
  const axes = [...node.attrs.axes].sort((a, b) => a - b)
  const [first, last] = [axes[0] ?? 0, axes.at(-1) ?? 0]
  const rows = sizeOf(shape.slice(first, last + 1))
  const neighbours = last - first + 1 === axes.length
  const inner = sizeOf(shape.slice(last + 1))
  if (dtype !== "f32" || !neighbours || rows < ONES_PRODUCT_ROWS || inner < ONES_PRODUCT_ROWS)
    return reduce("ReduceSum")(l, node, inputs)
  const ones = l.once(`ones|${rows}`, () => l.constant("f32", [1, rows], Array<number>(rows).fill(1)))
  const flat = l.reshape(inputs[0]!, [sizeOf(shape.slice(0, first)), rows, inner])
  return l.reshape(l.add("MatMul", [ones, flat]), node.outputs[0]!.shape)
}

/** A one-element constant in an operand's own type. */
const like = (l: Lowering, node: Node, value: number): string =>
  l.scalar(value, l.type(node.inputs[0]!).dtype)

const RULES: Rules = {
  input: (_, node) => `in/${node.attrs.name}`,
  constant: (l, node) => {
    const { dtype, shape } = node.outputs[0]!
    const { data } = node.attrs
    if (data.kind === "dense") return l.constant(dtype, shape, data.values)
    if (sizeOf(shape) <= 1) return l.constant(dtype, shape, [data.value])
    return l.add("Expand", [l.scalar(data.value, dtype), l.ints(shape)])
  },
  neg: plain("Neg"),
  abs: plain("Abs"),
  exp: plain("Exp"),
  log: plain("Log"),
  log1p: (l, _, [x]) => {
    // log(u) x / (u - 1) with u = fl(1 + x): accurate for small x (Kahan).
    const one = l.scalar(1)
    const u = l.add("Add", [x!, one])
    const d = l.add("Sub", [u, one])
    const exact = l.add("Equal", [d, l.scalar(0)])
    const safe = l.add("Where", [exact, one, d])
    const y = l.add("Div", [l.add("Mul", [l.add("Log", [u]), x!]), safe])
    return l.add("Where", [exact, x!, y])
  },
  sqrt: plain("Sqrt"),
  rsqrt: (l, _, [x]) => l.add("Reciprocal", [l.add("Sqrt", [x!])]),
  reciprocal: plain("Reciprocal"),
  square: (l, _, [x]) => l.add("Mul", [x!, x!]),
  relu: plain("Relu"),
  step: (l, node, [x]) =>
    l.add("Cast", [l.add("Greater", [x!, like(l, node, 0)])], {
      to: node.outputs[0]!.dtype === "f32" ? 1 : 6,
    }),
  sigmoid: plain("Sigmoid"),
  tanh: plain("Tanh"),
  erf: plain("Erf"),
  softplus: plain("Softplus"),
  sin: plain("Sin"),
  cos: plain("Cos"),
  floor: plain("Floor"),
  sign: plain("Sign"),
  logicalNot: plain("Not"),
  add: plain("Add"),
  sub: plain("Sub"),
  mul: plain("Mul"),
  div: plain("Div"),
  floorDiv: (l, node, [a, b]) => {
    if (node.outputs[0]!.dtype === "f32") return l.add("Floor", [l.add("Div", [a!, b!])])
    return l.add("Div", [l.add("Sub", [a!, l.add("Mod", [a!, b!])]), b!])
  },
  mod: (l, node, [a, b]) => {
    if (node.outputs[0]!.dtype !== "f32") return l.add("Mod", [a!, b!])
    return l.add("Sub", [a!, l.add("Mul", [l.add("Floor", [l.add("Div", [a!, b!])]), b!])])
  },
  pow: plain("Pow"),
  maximum: plain("Max"),
  minimum: plain("Min"),
  squaredDifference: (l, _, [a, b]) => {
    const d = l.add("Sub", [a!, b!])
    return l.add("Mul", [d, d])
  },
  equal: plain("Equal"),
  notEqual: (l, _, [a, b]) => l.add("Not", [l.add("Equal", [a!, b!])]),
  less: plain("Less"),
  lessEqual: plain("LessOrEqual"),
  greater: plain("Greater"),
  greaterEqual: plain("GreaterOrEqual"),
  logicalAnd: plain("And"),
  logicalOr: plain("Or"),
  reduceSum: reduceSumRule,
  reduceMean: reduce("ReduceMean"),
  reduceMax: reduce("ReduceMax"),
  reduceMin: reduce("ReduceMin"),
  reduceProd: reduce("ReduceProd"),
  cast: (l, node, [x]) => l.add("Cast", [x!], { to: { f32: 1, i32: 6, bool: 9 }[node.attrs.to] }),
  select: plain("Where"),
  reshape: (l, node, [x]) => l.reshape(x!, node.attrs.shape),
  transpose: (l, node, [x]) => l.add("Transpose", [x!], { perm: node.attrs.perm }),
  broadcastTo: (l, node, [x]) => l.add("Expand", [x!, l.ints(node.attrs.shape)]),
  concat: (l, node, inputs) => l.add("Concat", inputs, { axis: node.attrs.axis }),
  slice: (l, node, [x]) => {
    const { begin, size } = node.attrs
    const { shape } = l.type(node.inputs[0]!)
    const axes = shape.map((_, i) => i).filter((i) => size[i] !== shape[i])
    return l.add("Slice", [
      x!,
      l.ints(axes.map((i) => begin[i]!)),
      l.ints(axes.map((i) => begin[i]! + size[i]!)),
      l.ints(axes),
    ])
  },
  pad: (l, node, [x]) => {
    const { paddings, value } = node.attrs
    const pads = [...paddings.map((p) => p[0]), ...paddings.map((p) => p[1])]
    return l.add("Pad", [x!, l.ints(pads), l.scalar(value, node.outputs[0]!.dtype)])
  },
  tile: (l, node, [x]) => l.add("Tile", [x!, l.ints(node.attrs.reps)]),
  reverse: (l, node, [x]) => {
    const { axes } = node.attrs
    const minus = l.ints(axes.map(() => -1))
    return l.add("Slice", [x!, minus, l.ints(axes.map(() => Number.MIN_SAFE_INTEGER)), l.ints(axes), minus])
  },
  matMul: (l, node, [a, b]) => {
    const { transposeA, transposeB } = node.attrs
    const rank2 = node.inputs.every((v) => l.type(v).shape.length === 2)
    if (!transposeA && !transposeB) return l.add("MatMul", [a!, b!])
    const flags = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 }
    return rank2 ? l.add("Gemm", [a!, b!], flags) : l.add("FusedMatMul", [a!, b!], flags, "com.microsoft")
  },
  softmax: (l, _, [x]) => l.add("Softmax", [x!], { axis: -1 }),
  logSoftmax: (l, _, [x]) => l.add("LogSoftmax", [x!], { axis: -1 }),
  gather: (l, node, [x, indices]) => l.add("Gather", [x!, indices!], { axis: node.attrs.axis }),
  oneHot: (l, node, [indices]) => {
    const { depth, on, off } = node.attrs
    const { shape } = l.type(node.inputs[0]!)
    const hot = l.add("Equal", [l.reshape(indices!, [...shape, 1]), l.constant("i32", [depth], range(depth))])
    if (on === 1 && off === 0) return l.add("Cast", [hot], { to: 1 })
    return l.add("Where", [hot, l.scalar(on), l.scalar(off)])
  },
  segmentSum: (l, node, [x, ids]) => {
    // ORT's ScatterND loses updates on two threads when indices repeat. Small tables: a one-hot product, exact
    // and independent of threads. Large tables: ScatterElements, whose CPU kernel runs on one thread.
    const { shape, dtype } = l.type(node.inputs[0]!)
    const { segments } = node.attrs
    const [n, width] = [shape[0]!, sizeOf(shape.slice(1))]
    const flat = l.reshape(x!, [n, width])
    let sum: string
    if (segments <= ONE_HOT_SEGMENTS && dtype === "f32") {
      const hot = l.add("Equal", [l.constant("i32", [segments, 1], range(segments)), l.reshape(ids!, [1, n])])
      sum = l.add("MatMul", [l.add("Cast", [hot], { to: 1 }), flat])
    } else {
      const zeros = l.add("Expand", [l.scalar(0, dtype), l.ints([segments, width])])
      const indices = l.add("Expand", [l.reshape(ids!, [n, 1]), l.ints([n, width])])
      sum = l.add("ScatterElements", [zeros, indices, flat], { axis: 0, reduction: "add" })
    }
    return l.reshape(sum, node.outputs[0]!.shape)
  },
  cumsum: (l, node, [x]) => {
    const { axis, exclusive, reverse } = node.attrs
    return l.add("CumSum", [x!, l.scalar(axis, "i32")], {
      exclusive: exclusive ? 1 : 0,
      reverse: reverse ? 1 : 0,
    })
  },
  argMax: (l, node, [x]) =>
    l.add("Cast", [l.add("ArgMax", [x!], { axis: node.attrs.axis, keepdims: 0 })], { to: 6 }),
  topK: (l, node, [x]) => {
    const [values, indices] = l.addMany("TopK", [x!, l.ints([node.attrs.k])], 2, {
      axis: -1,
      largest: 1,
      sorted: 1,
    })
    return [values!, l.add("Cast", [indices!], { to: 6 })]
  },
  attention: attentionRule,
  attentionGrad: attentionGradRule,
  rotary: rotaryRule,
  rmsNorm: rmsNormRule,
  rmsNormGrad: rmsNormGradRule,
  crossEntropy: crossEntropyRule,
  crossEntropyGrad: crossEntropyGradRule,
  call: () => {
    throw new Error("onnxruntime: calls are written out before a graph is lowered")
  },
}

/** Tables up to this many rows take their gradient as a one-hot product. */
const ONE_HOT_SEGMENTS = 4096

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

/** Lowers a whole graph. Inputs are named `in/<name>` and outputs `out/<name>`. */
export const lowerToOnnx = (given: Graph, options: LowerOptions): OnnxModel => {
  const graph = inlineCalls(given)
  const l = new Lowering(graph, options)
  for (const node of graph.nodes) {
    const rule = RULES[node.op] as
      ((l: Lowering, node: Node, inputs: readonly string[]) => string | readonly string[]) | undefined
    if (rule === undefined) throw new Error(`onnxruntime: no lowering for the operation ${node.op}`)
    const result = rule(
      l,
      node,
      node.inputs.map((v) => l.name(v)),
    )
    const names = typeof result === "string" ? [result] : result
    names.forEach((name, output) => l.bind({ node: node.id, output }, name))
  }
  // A node's result takes the output's name and is not copied; an input, a constant or a second name needs a copy.
  const made = new Set(l.nodes.flatMap((node) => node.outputs))
  const renamed = new Map<string, string>()
  const outputs = graph.outputs.map(({ name, value }) => {
    const { dtype, shape } = l.type(value)
    const [source, target] = [l.name(value), `out/${name}`]
    if (made.has(source) && !renamed.has(source)) renamed.set(source, target)
    else l.nodes.push({ op: "Identity", domain: "", inputs: [source], outputs: [target], attributes: [] })
    return { name: target, element: dtype, shape }
  })
  const named = (names: readonly string[]): readonly string[] =>
    names.map((name) => renamed.get(name) ?? name)
  const nodes = l.nodes.map((node) => ({ ...node, inputs: named(node.inputs), outputs: named(node.outputs) }))
  const inputs = graph.inputs.map(({ name, value }) => {
    const { dtype, shape } = l.type(value)
    return { name: `in/${name}`, element: dtype, shape }
  })
  return { name: graph.name, nodes, inputs, outputs, initializers: l.initializers }
}
