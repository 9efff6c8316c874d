/**
 * Rewrites of single nodes that hold exactly: identities, folded splat constants, merged reshapes and
 * transposes, transposes taken into the matrix product. None changes a result by more than the sign of zero.
 */
import type { DType, Node, Op, OpAttributes, TensorType, Value } from "../ir.js"
import { broadcastShapes, isBinary, isUnary } from "../shapes.js"

/** The graph that a node is about to join. */
interface GrowingGraph {
  readonly nodes: readonly Node[]
  readonly typeOf: (value: Value) => TensorType
  readonly splatOf: (value: Value) => number | undefined
  readonly splat: (value: number, type: TensorType) => Value
  readonly scalar: (value: number, dtype?: DType) => Value
  readonly op: <K extends Op>(op: K, inputs: readonly Value[], attrs: OpAttributes[K]) => Value
}

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((d, i) => d === b[i])

const FOLD_UNARY: Partial<Record<Op, (x: number) => number>> = {
  neg: (x) => -x,
  abs: Math.abs,
  sqrt: Math.sqrt,
  square: (x) => x * x,
  reciprocal: (x) => 1 / x,
  rsqrt: (x) => 1 / Math.sqrt(x),
}
const FOLD_BINARY: Partial<Record<Op, (x: number, y: number) => number>> = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
  maximum: Math.max,
  minimum: Math.min,
}

/** A value equal to the operation's result, or undefined when the node must be added. */
export const simplify = <K extends Op>(
  graph: GrowingGraph,
  op: K,
  inputs: readonly Value[],
  attributes: OpAttributes[K],
): Value | undefined => {
  const [a, b] = inputs
  if (a === undefined) return undefined
  const type = graph.typeOf(a)
  const node = graph.nodes[a.node]!
  const attrs = attributes as OpAttributes[Op]

  if (isUnary(op)) {
    const fold = FOLD_UNARY[op]
    const x = graph.splatOf(a)
    if (fold !== undefined && x !== undefined && type.dtype === "f32") return graph.splat(fold(x), type)
    if (op === "neg" && node.op === "neg") return node.inputs[0]
    return undefined
  }

  if (isBinary(op) && b !== undefined) return simplifyBinary(graph, op, a, b)

  switch (op) {
    case "cast": {
      const { to } = attrs as OpAttributes["cast"]
      if (to === type.dtype) return a
      const x = graph.splatOf(a)
      if (x !== undefined && to !== "bool")
        return graph.splat(to === "i32" ? Math.trunc(x) : x, { dtype: to, shape: type.shape })
      return undefined
    }
    case "reshape": {
      const { shape } = attrs as OpAttributes["reshape"]
      if (sameShape(shape, type.shape)) return a
      const x = graph.splatOf(a)
      if (x !== undefined) return graph.splat(x, { dtype: type.dtype, shape })
      if (node.op === "reshape") return graph.op("reshape", node.inputs, { shape })
      return undefined
    }
    case "broadcastTo": {
      const { shape } = attrs as OpAttributes["broadcastTo"]
      if (sameShape(shape, type.shape)) return a
      const x = graph.splatOf(a)
      return x === undefined ? undefined : graph.splat(x, { dtype: type.dtype, shape })
    }
    case "tile": {
      const { reps } = attrs as OpAttributes["tile"]
      return reps.every((r) => r === 1) ? a : undefined
    }
    case "slice": {
      const { size } = attrs as OpAttributes["slice"]
      return sameShape(size, type.shape) ? a : undefined
    }
    case "concat":
      return inputs.length === 1 ? a : undefined
    case "transpose": {
      const { perm } = attrs as OpAttributes["transpose"]
      if (perm.every((p, i) => p === i)) return a
      if (node.op === "transpose") {
        const inner = node.attrs.perm
        return graph.op("transpose", node.inputs, { perm: perm.map((p) => inner[p]!) })
      }
      return undefined
    }
    case "reduceSum":
    case "reduceMean":
    case "reduceMax":
    case "reduceMin":
    case "reduceProd": {
      const { axes, keepDims } = attrs as OpAttributes["reduceSum"]
      if (axes.length > 0 && !axes.every((axis) => type.shape[axis] === 1)) return undefined
      const shape = keepDims ? type.shape : type.shape.filter((_, i) => !axes.includes(i))
      return graph.op("reshape", [a], { shape })
    }
    case "matMul":
      return b === undefined ? undefined : foldTranspose(graph, a, b, attrs as OpAttributes["matMul"])
    default:
      return undefined
  }
}

const simplifyBinary = (graph: GrowingGraph, op: Op, a: Value, b: Value): Value | undefined => {
  const [ta, tb] = [graph.typeOf(a), graph.typeOf(b)]
  const [x, y] = [graph.splatOf(a), graph.splatOf(b)]
  const shape = broadcastShapes(ta.shape, tb.shape)
  const fold = FOLD_BINARY[op]
  if (fold !== undefined && x !== undefined && y !== undefined && ta.dtype === "f32") {
    return graph.splat(fold(x, y), { dtype: ta.dtype, shape })
  }
  if (y !== undefined && sameShape(shape, ta.shape)) {
    if ((op === "mul" || op === "div" || op === "pow") && y === 1) return a
    if ((op === "add" || op === "sub") && y === 0) return a
    if (op === "pow" && y === 2) return graph.op("square", [a], {})
  }
  if (x !== undefined && sameShape(shape, tb.shape)) {
    if (op === "mul" && x === 1) return b
    if (op === "add" && x === 0) return b
  }
  // A full-size splat beside a tensor of the same shape is a scalar in disguise.
  if (y !== undefined && tb.shape.length > 0 && sameShape(shape, ta.shape)) {
    return graph.op(op as "add", [a, graph.scalar(y, tb.dtype)], {})
  }
  if (x !== undefined && ta.shape.length > 0 && sameShape(shape, tb.shape)) {
    return graph.op(op as "add", [graph.scalar(x, ta.dtype), b], {})
  }
  return undefined
}

const swapsLast = (perm: readonly number[]): boolean => {
  const n = perm.length
  return perm.every((p, i) => p === (i === n - 1 ? n - 2 : i === n - 2 ? n - 1 : i))
}

/** matMul(transpose(a), b) = matMul(a, b) with the flag flipped, when the transpose swaps the last two axes. */
const foldTranspose = (
  graph: GrowingGraph,
  a: Value,
  b: Value,
  attrs: OpAttributes["matMul"],
): Value | undefined => {
  const [na, nb] = [graph.nodes[a.node]!, graph.nodes[b.node]!]
  if (na.op === "transpose" && swapsLast(na.attrs.perm)) {
    return graph.op("matMul", [na.inputs[0]!, b], { ...attrs, transposeA: !attrs.transposeA })
  }
  if (nb.op === "transpose" && swapsLast(nb.attrs.perm)) {
    return graph.op("matMul", [a, nb.inputs[0]!], { ...attrs, transposeB: !attrs.transposeB })
  }
  return undefined
}
