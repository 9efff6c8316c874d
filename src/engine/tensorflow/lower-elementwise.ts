/** Elementwise operations, casts and selection. */
import { sizeOf, type BinaryOp, type TensorType, type UnaryOp, type Value } from "../ir.js"
import { TF_TYPE_OF } from "./graph-def.js"
import type { Lowering, NodeOf, Ref, Rules } from "./lowering.js"

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((d, i) => d === b[i])

/**
 * An operand in its smallest form that still broadcasts to the result, given that another operand has the
 * result's shape: repeated constants and broadcasts are not written out.
 */
const compact = (l: Lowering, value: Value, lowered: Ref, lower: (value: Value) => Ref): Ref => {
  const splat = l.splatOf(value)
  if (splat !== undefined) return l.scalar(splat, l.type(value).dtype)
  const node = l.producer(value)
  if (node.op === "broadcastTo") return compact(l, node.inputs[0]!, lower(node.inputs[0]!), lower)
  return lowered
}

/** Operands of a broadcasting operation, compacted where the others carry the result's shape. */
const operands = (
  l: Lowering,
  values: readonly Value[],
  lowered: readonly Ref[],
  result: TensorType,
): readonly Ref[] => {
  const whole = values.map(
    (v) =>
      sameShape(l.type(v).shape, result.shape) &&
      l.splatOf(v) === undefined &&
      l.producer(v).op !== "broadcastTo",
  )
  if (!whole.some((w) => w)) return lowered
  return lowered.map((ref, i) => (whole[i] === true ? ref : compact(l, values[i]!, ref, (v) => l.lowered(v))))
}

const unary =
  (op: string) =>
  (l: Lowering, _: unknown, [x]: readonly Ref[]): Ref =>
    l.op(op, [x!])

const arithmetic =
  (op: string) =>
  (l: Lowering, node: NodeOf<BinaryOp>, inputs: readonly Ref[]): Ref =>
    l.op(op, operands(l, node.inputs, inputs, node.outputs[0]!))

const comparison =
  (op: string) =>
  (l: Lowering, node: NodeOf<BinaryOp>, inputs: readonly Ref[]): Ref =>
    l.op(op, operands(l, node.inputs, inputs, node.outputs[0]!), {}, "bool")

const logical =
  (op: string) =>
  (l: Lowering, node: NodeOf<BinaryOp>, inputs: readonly Ref[]): Ref =>
    l.add(op, operands(l, node.inputs, inputs, node.outputs[0]!))

/** Powers that have a cheaper form. */
const POWERS = new Map([
  [2, "Square"],
  [0.5, "Sqrt"],
  [-0.5, "Rsqrt"],
  [-1, "Reciprocal"],
])

export const ELEMENTWISE_RULES: Rules<UnaryOp | BinaryOp | "cast" | "select"> = {
  neg: unary("Neg"),
  abs: unary("Abs"),
  exp: unary("Exp"),
  log: unary("Log"),
  log1p: unary("Log1p"),
  sqrt: unary("Sqrt"),
  rsqrt: unary("Rsqrt"),
  reciprocal: unary("Reciprocal"),
  square: unary("Square"),
  relu: unary("Relu"),
  step: (l, node, [x]) => {
    const { dtype } = node.outputs[0]!
    return l.cast(l.op("Greater", [x!, l.scalar(0, dtype)], {}, "bool"), x!.type)
  },
  sigmoid: unary("Sigmoid"),
  tanh: unary("Tanh"),
  erf: unary("Erf"),
  softplus: unary("Softplus"),
  sin: unary("Sin"),
  cos: unary("Cos"),
  floor: unary("Floor"),
  sign: unary("Sign"),
  logicalNot: (l, _, [x]) => l.add("LogicalNot", [x!]),

  add: arithmetic("AddV2"),
  sub: arithmetic("Sub"),
  mul: arithmetic("Mul"),
  div: (l, node, inputs) => {
    const [a, b] = operands(l, node.inputs, inputs, node.outputs[0]!)
    if (a!.type === "float") return l.op("RealDiv", [a!, b!])
    return l.cast(l.op("RealDiv", [l.cast(a!, "float"), l.cast(b!, "float")]), a!.type)
  },
  floorDiv: arithmetic("FloorDiv"),
  mod: arithmetic("FloorMod"),
  pow: (l, node, inputs) => {
    const [base, exponent] = node.inputs as readonly [Value, Value]
    const power = l.splatOf(exponent)
    const cheap = power === undefined ? undefined : POWERS.get(power)
    const fits = inputs[0]!.type === "float" && sizeOf(l.type(base).shape) === sizeOf(node.outputs[0]!.shape)
    if (cheap !== undefined && fits) {
      const result = l.op(cheap, [inputs[0]!])
      return sameShape(l.type(base).shape, node.outputs[0]!.shape)
        ? result
        : l.reshape(result, node.outputs[0]!.shape)
    }
    return l.op("Pow", operands(l, node.inputs, inputs, node.outputs[0]!))
  },
  maximum: arithmetic("Maximum"),
  minimum: arithmetic("Minimum"),
  squaredDifference: arithmetic("SquaredDifference"),
  equal: comparison("Equal"),
  notEqual: comparison("NotEqual"),
  less: comparison("Less"),
  lessEqual: comparison("LessEqual"),
  greater: comparison("Greater"),
  greaterEqual: comparison("GreaterEqual"),
  logicalAnd: logical("LogicalAnd"),
  logicalOr: logical("LogicalOr"),

  cast: (l, node, [x]) => l.cast(x!, TF_TYPE_OF[node.attrs.to]),
  select: (l, node, inputs) => {
    const [condition, a, b] = operands(l, node.inputs, inputs, node.outputs[0]!)
    return l.add("SelectV2", [condition!, a!, b!], { T: { type: a!.type } }, a!.type)
  },
}
