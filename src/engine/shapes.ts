/** Shape and type inference: the result types of one operation. The only place that knows them. */
import {
  sizeOf,
  type BinaryOp,
  type DType,
  type Node,
  type Op,
  type OpAttributes,
  type TensorType,
  type UnaryOp,
} from "./ir.js"

const UNARY = new Set<Op>([
  "neg", "abs", "exp", "log", "log1p", "sqrt", "rsqrt", "reciprocal", "square", "relu", "step", "sigmoid",
  "tanh", "erf", "softplus", "sin", "cos", "floor", "sign",
] satisfies UnaryOp[]) // prettier-ignore
const ARITHMETIC = new Set<Op>([
  "add", "sub", "mul", "div", "floorDiv", "mod", "pow", "maximum", "minimum", "squaredDifference",
] satisfies BinaryOp[]) // prettier-ignore
const COMPARISON = new Set<Op>([
  "equal", "notEqual", "less", "lessEqual", "greater", "greaterEqual",
] satisfies BinaryOp[]) // prettier-ignore
const LOGICAL = new Set<Op>(["logicalAnd", "logicalOr"] satisfies BinaryOp[])
const REDUCE = new Set<Op>(["reduceSum", "reduceMean", "reduceMax", "reduceMin", "reduceProd"])

export const isUnary = (op: Op): op is UnaryOp => UNARY.has(op) || op === "logicalNot"
export const isBinary = (op: Op): op is BinaryOp =>
  ARITHMETIC.has(op) || COMPARISON.has(op) || LOGICAL.has(op)
export const isReduce = (op: Op): boolean => REDUCE.has(op)

/** NumPy broadcasting of two shapes. */
export const broadcastShapes = (a: readonly number[], b: readonly number[]): readonly number[] => {
  const rank = Math.max(a.length, b.length)
  const out: number[] = []
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1
    const y = b[b.length - rank + i] ?? 1
    if (x !== y && x !== 1 && y !== 1) throw new Error(`shapes [${a}] and [${b}] do not broadcast`)
    out.push(Math.max(x, y))
  }
  return out
}

const fail = (op: Op, why: string, inputs: readonly TensorType[]): never => {
  const types = inputs.map((t) => `${t.dtype}[${t.shape}]`).join(", ")
  throw new Error(`graph: ${op}(${types}): ${why}`)
}

const swapLast = (shape: readonly number[]): readonly number[] => [
  ...shape.slice(0, -2),
  shape[shape.length - 1]!,
  shape[shape.length - 2]!,
]

const reduced = (shape: readonly number[], axes: readonly number[], keepDims: boolean): readonly number[] =>
  keepDims ? shape.map((d, i) => (axes.includes(i) ? 1 : d)) : shape.filter((_, i) => !axes.includes(i))

const one = (dtype: DType, shape: readonly number[]): readonly TensorType[] => [{ dtype, shape }]

const checkAttention = (
  op: Op,
  causal: boolean,
  parts: readonly TensorType[],
  lengths: TensorType | undefined,
): void => {
  const [q, k, v] = parts
  if (q === undefined || k === undefined || v === undefined || parts.some((p) => p.shape.length !== 4))
    return fail(op, "needs q, k and v of rank 4", parts)
  const keys = [q.shape[0]!, k.shape[1]!, q.shape[2]!, q.shape[3]!].join()
  if (k.shape.join() !== keys || v.shape.join() !== keys)
    return fail(op, "keys do not fit the queries", parts)
  if (causal && q.shape[1] !== k.shape[1])
    return fail(op, "causal attention needs as many queries as keys", parts)
  if (lengths !== undefined && (lengths.dtype !== "i32" || lengths.shape.join() !== `${q.shape[0]}`))
    return fail(op, "lengths are i32 [rows]", [...parts, lengths])
}

/** Result types of an operation. `input` and `constant` carry theirs and are not inferred. */
export const inferTypes = <K extends Op>(
  op: K,
  attributes: OpAttributes[K],
  inputs: readonly TensorType[],
): readonly TensorType[] => {
  const node = { op, attrs: attributes } as Pick<Node, "op" | "attrs"> as Node
  const [a, b, c] = inputs
  if (a === undefined) return fail(op, "needs an input", inputs)

  if (isUnary(op)) return one(op === "logicalNot" ? "bool" : a.dtype, a.shape)
  if (isBinary(op)) {
    if (b === undefined) return fail(op, "needs two inputs", inputs)
    if (a.dtype !== b.dtype) return fail(op, "operands differ in type", inputs)
    return one(ARITHMETIC.has(op) ? a.dtype : "bool", broadcastShapes(a.shape, b.shape))
  }

  switch (node.op) {
    case "reduceSum":
    case "reduceMean":
    case "reduceMax":
    case "reduceMin":
    case "reduceProd":
      return one(a.dtype, reduced(a.shape, node.attrs.axes, node.attrs.keepDims))
    case "cast":
      return one(node.attrs.to, a.shape)
    case "select":
      if (b === undefined || c === undefined) return fail(op, "needs three inputs", inputs)
      return one(b.dtype, broadcastShapes(a.shape, broadcastShapes(b.shape, c.shape)))
    case "reshape":
      if (sizeOf(node.attrs.shape) !== sizeOf(a.shape))
        return fail(op, `cannot become [${node.attrs.shape}]`, inputs)
      return one(a.dtype, node.attrs.shape)
    case "transpose": {
      const { perm } = node.attrs
      if (perm.length !== a.shape.length) return fail(op, `perm [${perm}] has another rank`, inputs)
      return one(
        a.dtype,
        perm.map((p) => a.shape[p]!),
      )
    }
    case "broadcastTo":
      return one(a.dtype, broadcastShapes(a.shape, node.attrs.shape))
    case "concat": {
      const { axis } = node.attrs
      const total = inputs.reduce((sum, t) => sum + t.shape[axis]!, 0)
      return one(
        a.dtype,
        a.shape.map((d, i) => (i === axis ? total : d)),
      )
    }
    case "slice": {
      const { begin, size } = node.attrs
      a.shape.forEach((d, i) => {
        if (begin[i]! < 0 || begin[i]! + size[i]! > d)
          fail(op, `[${begin}] + [${size}] leaves the tensor`, inputs)
      })
      return one(a.dtype, size)
    }
    case "pad":
      return one(
        a.dtype,
        a.shape.map((d, i) => d + node.attrs.paddings[i]![0] + node.attrs.paddings[i]![1]),
      )
    case "tile":
      return one(
        a.dtype,
        a.shape.map((d, i) => d * node.attrs.reps[i]!),
      )
    case "reverse":
    case "softmax":
    case "logSoftmax":
    case "cumsum":
    case "rotary":
    case "rmsNorm":
    case "rmsNormGrad":
    case "crossEntropyGrad":
      return one(a.dtype, a.shape)
    case "attention":
      checkAttention(op, node.attrs.causal, inputs.slice(0, 3), inputs[3])
      return one(a.dtype, a.shape)
    case "attentionGrad":
      if (b === undefined || c === undefined) return fail(op, "needs q, k, v and dy", inputs)
      checkAttention(op, node.attrs.causal, [a, b, c], inputs[4])
      return [a, b, c]
    case "matMul": {
      if (b === undefined) return fail(op, "needs two inputs", inputs)
      const x = node.attrs.transposeA ? swapLast(a.shape) : a.shape
      const y = node.attrs.transposeB ? swapLast(b.shape) : b.shape
      if (x.length < 2 || y.length < 2) return fail(op, "needs matrices", inputs)
      if (x[x.length - 1] !== y[y.length - 2]) return fail(op, "inner dimensions differ", inputs)
      const batch = broadcastShapes(x.slice(0, -2), y.slice(0, -2))
      return one(a.dtype, [...batch, x[x.length - 2]!, y[y.length - 1]!])
    }
    case "gather": {
      if (b === undefined) return fail(op, "needs indices", inputs)
      const { axis } = node.attrs
      return one(a.dtype, [...a.shape.slice(0, axis), ...b.shape, ...a.shape.slice(axis + 1)])
    }
    case "oneHot":
      return one("f32", [...a.shape, node.attrs.depth])
    case "segmentSum":
      return one(a.dtype, [node.attrs.segments, ...a.shape.slice(1)])
    case "argMax":
      return one(
        "i32",
        a.shape.filter((_, i) => i !== node.attrs.axis),
      )
    case "topK": {
      const shape = [...a.shape.slice(0, -1), node.attrs.k]
      return [
        { dtype: a.dtype, shape },
        { dtype: "i32", shape },
      ]
    }
    case "call":
      return fail(op, "is added with the function that it calls", inputs)
    case "crossEntropy":
      return one("f32", [a.shape[0]!])
    default:
      return fail(op, "has no shape rule", inputs)
  }
}
