/** One small graph for every operation of the IR, with host inputs. The parity matrix of all executors. */
import { GraphBuilder } from "../../src/engine/builder.js"
import type { HostTensor, HostTensors } from "../../src/engine/executor.js"
import {
  sizeOf,
  type BinaryOp,
  type DType,
  type Graph,
  type Op,
  type ReduceOp,
  type TensorType,
  type UnaryOp,
  type Value,
} from "../../src/engine/ir.js"

export interface OpCase {
  readonly name: string
  readonly op: Op
  readonly graph: Graph
  readonly feeds: HostTensors
}

/** Deterministic numbers in (-2, 2) that avoid ties and kinks. */
export const numbers = (n: number, salt = 0): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => {
    const x = Math.sin((i + 1) * 12.9898 + salt * 78.233) * 43758.5453
    return (x - Math.floor(x)) * 4 - 2 || 0.1
  })

const f32 = (shape: readonly number[], salt = 0): HostTensor => ({
  shape,
  data: numbers(sizeOf(shape), salt),
})
const positive = (shape: readonly number[], salt = 0): HostTensor => ({
  shape,
  data: numbers(sizeOf(shape), salt).map((x) => Math.abs(x) + 0.05),
})
const i32 = (shape: readonly number[], values: readonly number[]): HostTensor => ({
  shape,
  data: Int32Array.from(values),
})
const bool = (shape: readonly number[], values: readonly number[]): HostTensor => ({
  shape,
  data: Uint8Array.from(values),
})
const dtypeOf = (t: HostTensor): DType =>
  t.data instanceof Float32Array ? "f32" : t.data instanceof Int32Array ? "i32" : "bool"

const make = (
  name: string,
  op: Op,
  feeds: Readonly<Record<string, HostTensor>>,
  build: (g: GraphBuilder, v: Readonly<Record<string, Value>>) => Value | readonly Value[],
): OpCase => {
  const g = new GraphBuilder()
  const values = Object.fromEntries(
    Object.entries(feeds).map(([key, t]) => [
      key,
      g.input(key, "feed", { dtype: dtypeOf(t), shape: t.shape } satisfies TensorType),
    ]),
  )
  const result = build(g, values)
  const outputs = (Array.isArray(result) ? (result as readonly Value[]) : [result as Value]).map(
    (value, i) => ({ name: `y${i}`, value }),
  )
  return { name, op, graph: g.build(name, outputs), feeds }
}

const UNARY: readonly UnaryOp[] = [
  "neg",
  "abs",
  "exp",
  "square",
  "relu",
  "step",
  "sigmoid",
  "tanh",
  "erf",
  "softplus",
  "sin",
  "cos",
  "floor",
  "sign",
]
const UNARY_POSITIVE: readonly UnaryOp[] = ["log", "log1p", "sqrt", "rsqrt", "reciprocal"]
const BINARY: readonly BinaryOp[] = [
  "add",
  "sub",
  "mul",
  "div",
  "floorDiv",
  "mod",
  "maximum",
  "minimum",
  "squaredDifference",
  "equal",
  "notEqual",
  "less",
  "lessEqual",
  "greater",
  "greaterEqual",
]
const REDUCE: readonly ReduceOp[] = ["reduceSum", "reduceMean", "reduceMax", "reduceMin", "reduceProd"]

const matrix = (rows: number, columns: number, transposed: boolean): number[] =>
  transposed ? [columns, rows] : [rows, columns]

const heads = [2, 5, 3, 4] as const
const attrs = { scale: 0.5, causal: false }
/** Queries and keys of two lengths, in three rows of which one sees no key and one sees all. */
const rowsOf = (length: number, salt: number): HostTensor => f32([3, length, 2, 4], salt)
const lengths = i32([3], [2, 0, 9])

export const opCases = (): readonly OpCase[] => [
  ...UNARY.map((op) => make(op, op, { x: f32([3, 7]) }, (g, v) => g.op(op, [v["x"]!], {}))),
  ...UNARY_POSITIVE.map((op) => make(op, op, { x: positive([3, 7]) }, (g, v) => g.op(op, [v["x"]!], {}))),
  make("log1p of small numbers", "log1p", { x: { shape: [4], data: Float32Array.from([1e-8, -1e-7, 3e-5, -0.5]) } }, (g, v) => g.op("log1p", [v["x"]!], {})),
  make("logicalNot", "logicalNot", { x: bool([4], [0, 1, 1, 0]) }, (g, v) => g.op("logicalNot", [v["x"]!], {})),
  ...BINARY.map((op) => make(op, op, { a: f32([2, 3, 4]), b: f32([3, 1], 1) }, (g, v) => g.op(op, [v["a"]!, v["b"]!], {}))),
  make("equal, equal entries", "equal", { a: i32([4], [1, 2, 3, 4]), b: i32([4], [1, 0, 3, 0]) }, (g, v) => g.op("equal", [v["a"]!, v["b"]!], {})),
  ...(["add", "sub", "mul", "floorDiv", "mod"] as const).map((op) =>
    make(`${op} of integers`, op, { a: i32([4], [7, 8, 9, -7]), b: i32([4], [2, 3, 4, 3]) }, (g, v) => g.op(op, [v["a"]!, v["b"]!], {})),
  ),
  make("pow", "pow", { a: positive([3, 4]), b: f32([4], 1) }, (g, v) => g.op("pow", [v["a"]!, v["b"]!], {})),
  ...(["logicalAnd", "logicalOr"] as const).map((op) =>
    make(op, op, { a: bool([4], [0, 1, 0, 1]), b: bool([4], [0, 0, 1, 1]) }, (g, v) => g.op(op, [v["a"]!, v["b"]!], {})),
  ),
  ...REDUCE.flatMap((op) => [
    make(`${op} keeping dimensions`, op, { x: f32([2, 3, 4]) }, (g, v) => g.op(op, [v["x"]!], { axes: [1], keepDims: true })),
    make(`${op} of two axes`, op, { x: f32([2, 3, 4]) }, (g, v) => g.op(op, [v["x"]!], { axes: [0, 2], keepDims: false })),
  ]),
  make("cast f32 to i32", "cast", { x: f32([9]) }, (g, v) => g.op("cast", [v["x"]!], { to: "i32" })),
  make("cast bool to f32", "cast", { x: bool([3], [0, 1, 1]) }, (g, v) => g.op("cast", [v["x"]!], { to: "f32" })),
  make("cast f32 to bool", "cast", { x: { shape: [3], data: Float32Array.from([0, -2, 0.5]) } }, (g, v) => g.op("cast", [v["x"]!], { to: "bool" })),
  make("select", "select", { c: bool([3, 1], [0, 1, 1]), a: f32([3, 4]), b: f32([3, 4], 1) }, (g, v) => g.op("select", [v["c"]!, v["a"]!, v["b"]!], {})),
  make("constant", "constant", { x: f32([3]) }, (g, v) => g.op("add", [v["x"]!, g.constant([0.5, -1, 2], { dtype: "f32", shape: [3] })], {})),
  make("splat constant", "constant", { x: f32([3]) }, (g, v) => [g.op("add", [v["x"]!, g.scalar(0.25)], {}), g.splat(3, { dtype: "f32", shape: [2, 2] })]),
  make("reshape", "reshape", { x: f32([2, 6]) }, (g, v) => g.op("reshape", [v["x"]!], { shape: [3, 4] })),
  make("transpose", "transpose", { x: f32([2, 3, 4]) }, (g, v) => g.op("transpose", [v["x"]!], { perm: [2, 0, 1] })),
  make("broadcastTo", "broadcastTo", { x: f32([3, 1]) }, (g, v) => g.op("broadcastTo", [v["x"]!], { shape: [2, 3, 4] })),
  make("concat", "concat", { a: f32([2, 3]), b: f32([2, 2], 1) }, (g, v) => g.op("concat", [v["a"]!, v["b"]!], { axis: 1 })),
  make("slice", "slice", { x: f32([4, 5]) }, (g, v) => g.op("slice", [v["x"]!], { begin: [1, 2], size: [2, 3] })),
  make("pad", "pad", { x: f32([2, 3]) }, (g, v) => g.op("pad", [v["x"]!], { paddings: [[1, 0], [0, 2]], value: -3 })),
  make("tile", "tile", { x: f32([2, 3]) }, (g, v) => g.op("tile", [v["x"]!], { reps: [2, 2] })),
  make("reverse", "reverse", { x: f32([2, 3, 2]) }, (g, v) => g.op("reverse", [v["x"]!], { axes: [1] })),
  ...[false, true].flatMap((transposeA) =>
    [false, true].flatMap((transposeB) => {
      return [[], [2], [2, 3]].map((batch) =>
        make(`matMul rank ${batch.length + 2} ${transposeA ? "T" : "N"}${transposeB ? "T" : "N"}`, "matMul",
          { a: f32([...batch, ...matrix(3, 5, transposeA)]), b: f32([...batch, ...matrix(5, 4, transposeB)], 1) },
          (g, v) => g.op("matMul", [v["a"]!, v["b"]!], { transposeA, transposeB })),
      )
    }),
  ),
  make("softmax", "softmax", { x: f32([3, 5]) }, (g, v) => g.op("softmax", [v["x"]!], {})),
  make("logSoftmax", "logSoftmax", { x: f32([2, 3, 5]) }, (g, v) => g.op("logSoftmax", [v["x"]!], {})),
  make("gather rows", "gather", { x: f32([5, 3]), i: i32([2, 2], [4, 0, 0, 2]) }, (g, v) => g.op("gather", [v["x"]!, v["i"]!], { axis: 0 })),
  make("gather columns", "gather", { x: f32([2, 5]), i: i32([3], [4, 0, 1]) }, (g, v) => g.op("gather", [v["x"]!, v["i"]!], { axis: 1 })),
  make("oneHot", "oneHot", { i: i32([2, 2], [0, 3, 7, 1]) }, (g, v) => g.op("oneHot", [v["i"]!], { depth: 4, on: 2, off: -1 })),
  make("segmentSum", "segmentSum", { x: f32([400, 3]), ids: i32([400], Array.from({ length: 400 }, (_, i) => (i * i) % 3)) }, (g, v) =>
    g.op("segmentSum", [v["x"]!, v["ids"]!], { segments: 5 })),
  make("segmentSum, large table", "segmentSum", { x: f32([400, 2, 2]), ids: i32([400], Array.from({ length: 400 }, (_, i) => ((i * i) % 3) * 2500)) }, (g, v) =>
    g.op("segmentSum", [v["x"]!, v["ids"]!], { segments: 5001 })),
  make("cumsum", "cumsum", { x: f32([3, 4]) }, (g, v) => g.op("cumsum", [v["x"]!], { axis: 1, exclusive: false, reverse: false })),
  make("cumsum, exclusive and reverse", "cumsum", { x: f32([3, 4]) }, (g, v) => g.op("cumsum", [v["x"]!], { axis: 0, exclusive: true, reverse: true })),
  make("argMax", "argMax", { x: f32([3, 4]) }, (g, v) => g.op("argMax", [v["x"]!], { axis: 1 })),
  make("topK", "topK", { x: f32([3, 7]) }, (g, v) => g.opMany("topK", [v["x"]!], { k: 3 })),
  ...[false, true].flatMap((causal) => [
    make(`attention${causal ? ", causal" : ""}`, "attention", { q: f32(heads), k: f32(heads, 1), v: f32(heads, 2) }, (g, v) =>
      g.op("attention", [v["q"]!, v["k"]!, v["v"]!], { ...attrs, causal })),
    make(`attentionGrad${causal ? ", causal" : ""}`, "attentionGrad", { q: f32(heads), k: f32(heads, 1), v: f32(heads, 2), dy: f32(heads, 3) }, (g, v) =>
      g.opMany("attentionGrad", [v["q"]!, v["k"]!, v["v"]!, v["dy"]!], { ...attrs, causal })),
    make(`attention and its gradient${causal ? ", causal" : ""}`, "attentionGrad", { q: f32(heads), k: f32(heads, 1), v: f32(heads, 2), dy: f32(heads, 3) }, (g, v) => [
      g.op("attention", [v["q"]!, v["k"]!, v["v"]!], { ...attrs, causal }),
      ...g.opMany("attentionGrad", [v["q"]!, v["k"]!, v["v"]!, v["dy"]!], { ...attrs, causal }),
    ]),
  ]),
  ...[false, true].flatMap((causal) => {
    const queries = causal ? 5 : 4
    const feeds = { q: rowsOf(queries, 0), k: rowsOf(5, 1), v: rowsOf(5, 2), n: lengths }
    const dy = rowsOf(queries, 3)
    return [
      make(`attention of lengths${causal ? ", causal" : ""}`, "attention", feeds, (g, v) =>
        g.op("attention", [v["q"]!, v["k"]!, v["v"]!, v["n"]!], { ...attrs, causal })),
      make(`attentionGrad of lengths${causal ? ", causal" : ""}`, "attentionGrad", { ...feeds, dy }, (g, v) =>
        g.opMany("attentionGrad", [v["q"]!, v["k"]!, v["v"]!, v["dy"]!, v["n"]!], { ...attrs, causal })),
      make(`attention of lengths and its gradient${causal ? ", causal" : ""}`, "attentionGrad", { ...feeds, dy }, (g, v) => [
        g.op("attention", [v["q"]!, v["k"]!, v["v"]!, v["n"]!], { ...attrs, causal }),
        ...g.opMany("attentionGrad", [v["q"]!, v["k"]!, v["v"]!, v["dy"]!, v["n"]!], { ...attrs, causal }),
      ]),
    ]
  }),
  ...[false, true].map((inverse) =>
    make(`rotary${inverse ? ", inverse" : ""}`, "rotary", { x: f32(heads), cos: f32([5, 2], 1), sin: f32([5, 2], 2) }, (g, v) =>
      g.op("rotary", [v["x"]!, v["cos"]!, v["sin"]!], { inverse })),
  ),
  make("rmsNorm", "rmsNorm", { x: f32([2, 3, 6]) }, (g, v) => g.op("rmsNorm", [v["x"]!], { eps: 1e-6 })),
  make("rmsNormGrad", "rmsNormGrad", { x: f32([2, 3, 6]), dy: f32([2, 3, 6], 1) }, (g, v) => g.op("rmsNormGrad", [v["x"]!, v["dy"]!], { eps: 1e-6 })),
  make("crossEntropy", "crossEntropy", { x: f32([3, 6]), t: i32([3], [5, 0, 2]) }, (g, v) => g.op("crossEntropy", [v["x"]!, v["t"]!], {})),
  make("crossEntropyGrad", "crossEntropyGrad", { x: f32([3, 6]), t: i32([3], [5, 0, 2]), dy: f32([3], 1) }, (g, v) =>
    g.op("crossEntropyGrad", [v["x"]!, v["t"]!, v["dy"]!], {})),
] // prettier-ignore
