/**
 * The tfjs kernels that can be traced, each as a rule that adds nodes to the graph. A kernel without a rule
 * fails by name when a traced function reaches it; kernels that draw random numbers fail with the cure.
 */
import { registerKernel, type NamedAttrMap, type TensorInfo } from "@tensorflow/tfjs-core"
import type { GraphBuilder } from "../builder.js"
import {
  sizeOf,
  type BinaryOp,
  type Op,
  type OpAttributes,
  type ReduceOp,
  type TensorType,
  type UnaryOp,
  type Value,
} from "../ir.js"
import { dtypeOf, TraceError, type TraceBackend } from "./backend.js"

/** What a rule sees: inputs by name, attributes, and the graph to add to. */
interface Call {
  readonly graph: GraphBuilder
  readonly in: (name: string) => Value
  /** Inputs that arrive as a list (Concat, AddN, Pack). */
  readonly list: () => readonly Value[]
  readonly type: (value: Value) => TensorType
  readonly attr: <T>(name: string) => T
}
type Rule = (call: Call) => Value | readonly Value[]

const UNARY: Readonly<Record<string, UnaryOp>> = {
  Neg: "neg", Abs: "abs", Exp: "exp", Log: "log", Log1p: "log1p", Sqrt: "sqrt", Rsqrt: "rsqrt",
  Reciprocal: "reciprocal", Square: "square", Relu: "relu", Sigmoid: "sigmoid", Tanh: "tanh", Erf: "erf",
  Softplus: "softplus", Sin: "sin", Cos: "cos", Floor: "floor", Sign: "sign", LogicalNot: "logicalNot",
} // prettier-ignore

const BINARY: Readonly<Record<string, BinaryOp>> = {
  Add: "add", Sub: "sub", Multiply: "mul", RealDiv: "div", FloorDiv: "floorDiv", Mod: "mod", Pow: "pow",
  Maximum: "maximum", Minimum: "minimum", SquaredDifference: "squaredDifference", Equal: "equal",
  NotEqual: "notEqual", Less: "less", LessEqual: "lessEqual", Greater: "greater", GreaterEqual: "greaterEqual",
  LogicalAnd: "logicalAnd", LogicalOr: "logicalOr",
} // prettier-ignore

const REDUCE: Readonly<Record<string, readonly [ReduceOp, string]>> = {
  Sum: ["reduceSum", "axis"],
  Mean: ["reduceMean", "axis"],
  Max: ["reduceMax", "reductionIndices"],
  Min: ["reduceMin", "axis"],
  Prod: ["reduceProd", "axis"],
}

const RANDOM = [
  "RandomUniform",
  "RandomUniformInt",
  "RandomStandardNormal",
  "Multinomial",
  "StatelessRandomUniform",
]

const axesOf = (axis: unknown, rank: number): readonly number[] => {
  const list = axis === undefined || axis === null ? Array.from({ length: rank }, (_, i) => i) : [axis].flat()
  return [...new Set((list as number[]).map((a) => (a < 0 ? a + rank : a)))].sort((a, b) => a - b)
}
const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis)

const composite =
  <K extends Op>(op: K, names: readonly string[], attrs: (call: Call) => OpAttributes[K]): Rule =>
  (call) => {
    const outputs = call.graph.opMany(op, names.map(call.in), attrs(call))
    return outputs.length === 1 ? outputs[0]! : outputs
  }

const RULES: Readonly<Record<string, Rule>> = {
  Identity: (c) => c.in("x"),
  StopGradient: (c) => c.in("x"),
  Cast: (c) => c.graph.op("cast", [c.in("x")], { to: dtypeOf(c.attr("dtype")) }),
  Reshape: (c) => {
    const x = c.in("x")
    const shape = [...c.attr<number[]>("shape")]
    const hole = shape.indexOf(-1)
    if (hole >= 0) shape[hole] = sizeOf(c.type(x).shape) / shape.reduce((p, d) => (d === -1 ? p : p * d), 1)
    return c.graph.op("reshape", [x], { shape })
  },
  ExpandDims: (c) => {
    const x = c.in("input")
    const shape = [...c.type(x).shape]
    shape.splice(axisOf(c.attr<number>("dim"), shape.length + 1), 0, 1)
    return c.graph.op("reshape", [x], { shape })
  },
  Transpose: (c) => c.graph.op("transpose", [c.in("x")], { perm: [...c.attr<number[]>("perm")] }),
  BroadcastTo: (c) => c.graph.op("broadcastTo", [c.in("x")], { shape: [...c.attr<number[]>("shape")] }),
  Tile: (c) => c.graph.op("tile", [c.in("x")], { reps: [...c.attr<number[]>("reps")] }),
  Concat: (c) => {
    const list = c.list()
    return c.graph.op("concat", list, { axis: axisOf(c.attr<number>("axis"), c.type(list[0]!).shape.length) })
  },
  Pack: (c) => {
    const list = c.list()
    const { shape } = c.type(list[0]!)
    const axis = axisOf(c.attr<number>("axis"), shape.length + 1)
    const expanded = [...shape.slice(0, axis), 1, ...shape.slice(axis)]
    return c.graph.op(
      "concat",
      list.map((v) => c.graph.op("reshape", [v], { shape: expanded })),
      { axis },
    )
  },
  Unpack: (c) => {
    const x = c.in("value")
    const { shape } = c.type(x)
    const axis = axisOf(c.attr<number>("axis"), shape.length)
    const result = shape.filter((_, i) => i !== axis)
    return Array.from({ length: shape[axis]! }, (_, k) =>
      c.graph.op("reshape", [sliceAxis(c, x, axis, k, 1)], { shape: result }),
    )
  },
  SplitV: (c) => {
    const x = c.in("x")
    const { shape } = c.type(x)
    const axis = axisOf(c.attr<number>("axis"), shape.length)
    const asked = c.attr<number | number[]>("numOrSizeSplits")
    const sizes =
      typeof asked === "number" ? Array.from({ length: asked }, () => shape[axis]! / asked) : [...asked]
    const hole = sizes.indexOf(-1)
    if (hole >= 0) sizes[hole] = shape[axis]! - sizes.reduce((s, d) => (d === -1 ? s : s + d), 0)
    let begin = 0
    return sizes.map((size) => {
      begin += size
      return sliceAxis(c, x, axis, begin - size, size)
    })
  },
  Slice: (c) => {
    const x = c.in("x")
    const { shape } = c.type(x)
    const [asked, sizes] = [c.attr<number | number[]>("begin"), c.attr<number | number[] | undefined>("size")]
    const begin = shape.map((_, i) => (typeof asked === "number" ? (i === 0 ? asked : 0) : (asked[i] ?? 0)))
    const size = shape.map((d, i) => {
      const s = typeof sizes === "number" ? (i === 0 ? sizes : -1) : (sizes?.[i] ?? -1)
      return s === -1 ? d - begin[i]! : s
    })
    return c.graph.op("slice", [x], { begin, size })
  },
  PadV2: (c) =>
    c.graph.op("pad", [c.in("x")], {
      paddings: c.attr<[number, number][]>("paddings").map(([before, after]) => [before, after] as const),
      value: c.attr<number>("constantValue"),
    }),
  Reverse: (c) => {
    const x = c.in("x")
    return c.graph.op("reverse", [x], { axes: axesOf(c.attr("dims"), c.type(x).shape.length) })
  },
  BatchMatMul: (c) =>
    c.graph.op("matMul", [c.in("a"), c.in("b")], {
      transposeA: Boolean(c.attr("transposeA")),
      transposeB: Boolean(c.attr("transposeB")),
    }),
  Softmax: (c) => {
    const x = c.in("logits")
    lastAxis("Softmax", c.attr<number>("dim"), c.type(x).shape.length)
    return c.graph.op("softmax", [x], {})
  },
  LogSoftmax: (c) => {
    const x = c.in("logits")
    lastAxis("LogSoftmax", c.attr<number>("axis"), c.type(x).shape.length)
    return c.graph.op("logSoftmax", [x], {})
  },
  GatherV2: (c) => {
    if ((c.attr<number | undefined>("batchDims") ?? 0) !== 0)
      throw new TraceError("GatherV2 with batchDims is not supported; flatten the batch")
    const x = c.in("x")
    return c.graph.op("gather", [x, c.in("indices")], {
      axis: axisOf(c.attr<number>("axis"), c.type(x).shape.length),
    })
  },
  OneHot: (c) => {
    const hot = c.graph.op("oneHot", [c.in("indices")], {
      depth: c.attr("depth"),
      on: c.attr("onValue"),
      off: c.attr("offValue"),
    })
    return c.graph.op("cast", [hot], { to: dtypeOf(c.attr<string | undefined>("dtype") ?? "float32") })
  },
  UnsortedSegmentSum: (c) =>
    c.graph.op("segmentSum", [c.in("x"), c.in("segmentIds")], { segments: c.attr("numSegments") }),
  Cumsum: (c) => {
    const x = c.in("x")
    return c.graph.op("cumsum", [x], {
      axis: axisOf(c.attr<number>("axis"), c.type(x).shape.length),
      exclusive: Boolean(c.attr("exclusive")),
      reverse: Boolean(c.attr("reverse")),
    })
  },
  ArgMax: (c) => {
    const x = c.in("x")
    return c.graph.op("argMax", [x], { axis: axisOf(c.attr<number>("axis"), c.type(x).shape.length) })
  },
  TopK: (c) => c.graph.opMany("topK", [c.in("x")], { k: c.attr("k") }),
  Select: (c) => {
    let condition = c.in("condition")
    const [then, otherwise] = [c.in("t"), c.in("e")]
    const rank = c.type(then).shape.length
    const { shape } = c.type(condition)
    if (shape.length === 1 && rank > 1) {
      condition = c.graph.op("reshape", [condition], {
        shape: [shape[0]!, ...Array.from({ length: rank - 1 }, () => 1)],
      })
    }
    return c.graph.op("select", [condition, then, otherwise], {})
  },
  Step: (c) => {
    if ((c.attr<number | undefined>("alpha") ?? 0) !== 0)
      throw new TraceError("Step with alpha is not supported")
    return c.graph.op("step", [c.in("x")], {})
  },
  Elu: (c) => {
    const x = c.in("x")
    const zero = c.graph.scalar(0)
    const below = c.graph.op("exp", [c.graph.op("minimum", [x, zero], {})], {})
    const negative = c.graph.op("sub", [below, c.graph.scalar(1)], {})
    return c.graph.op("select", [c.graph.op("greater", [x, zero], {}), x, negative], {})
  },
  Ceil: (c) => c.graph.op("neg", [c.graph.op("floor", [c.graph.op("neg", [c.in("x")], {})], {})], {}),
  AddN: (c) => c.list().reduce((sum, v) => c.graph.op("add", [sum, v], {})),
  ZerosLike: (c) => c.graph.splat(0, c.type(c.in("x"))),
  OnesLike: (c) => c.graph.splat(1, c.type(c.in("x"))),
  Fill: (c) =>
    c.graph.splat(c.attr("value"), {
      dtype: dtypeOf(c.attr<string | undefined>("dtype") ?? "float32"),
      shape: [...c.attr<number[]>("shape")],
    }),
  Range: (c) => {
    const [start, stop, step] = [c.attr<number>("start"), c.attr<number>("stop"), c.attr<number>("step")]
    const count = Math.max(0, Math.ceil((stop - start) / step))
    const dtype = dtypeOf(c.attr<string | undefined>("dtype") ?? "float32")
    return c.graph.constant(
      Array.from({ length: count }, (_, i) => start + i * step),
      { dtype, shape: [count] },
    )
  },
  ClipByValue: (c) => {
    const x = c.in("x")
    const { dtype } = c.type(x)
    const low = c.graph.op("maximum", [x, c.graph.scalar(c.attr("clipValueMin"), dtype)], {})
    return c.graph.op("minimum", [low, c.graph.scalar(c.attr("clipValueMax"), dtype)], {})
  },
  All: (c) => reduceBool(c, "reduceMin"),
  Any: (c) => reduceBool(c, "reduceMax"),

  ReproAttention: composite("attention", ["q", "k", "v"], (c) => ({
    scale: c.attr("scale"),
    causal: c.attr("causal"),
  })),
  ReproAttentionGrad: composite("attentionGrad", ["q", "k", "v", "dy"], (c) => ({
    scale: c.attr("scale"),
    causal: c.attr("causal"),
  })),
  ReproAttentionOfLengths: composite("attention", ["q", "k", "v", "lengths"], (c) => ({
    scale: c.attr("scale"),
    causal: c.attr("causal"),
  })),
  ReproAttentionOfLengthsGrad: composite("attentionGrad", ["q", "k", "v", "dy", "lengths"], (c) => ({
    scale: c.attr("scale"),
    causal: c.attr("causal"),
  })),
  ReproRotary: composite("rotary", ["x", "cos", "sin"], (c) => ({ inverse: c.attr("inverse") })),
  ReproRmsNorm: composite("rmsNorm", ["x"], (c) => ({ eps: c.attr("eps") })),
  ReproRmsNormGrad: composite("rmsNormGrad", ["x", "dy"], (c) => ({ eps: c.attr("eps") })),
  ReproCrossEntropy: composite("crossEntropy", ["logits", "targets"], () => ({})),
  ReproCrossEntropyGrad: composite("crossEntropyGrad", ["logits", "targets", "dy"], () => ({})),
}

const lastAxis = (kernel: string, axis: number, rank: number): void => {
  if (axisOf(axis, rank) !== rank - 1)
    throw new TraceError(
      `${kernel} over axis ${axis} of rank ${rank} is not supported; transpose to the last axis`,
    )
}

const sliceAxis = (c: Call, x: Value, axis: number, begin: number, size: number): Value => {
  const { shape } = c.type(x)
  return c.graph.op("slice", [x], {
    begin: shape.map((_, i) => (i === axis ? begin : 0)),
    size: shape.map((d, i) => (i === axis ? size : d)),
  })
}

const reduceBool = (c: Call, op: "reduceMin" | "reduceMax"): Value => {
  const x = c.in("x")
  const number = c.graph.op("cast", [x], { to: "i32" })
  const axes = axesOf(c.attr("axis"), c.type(x).shape.length)
  return c.graph.op("cast", [c.graph.op(op, [number], { axes, keepDims: Boolean(c.attr("keepDims")) })], {
    to: "bool",
  })
}

const ruleOf = (kernel: string): Rule | undefined => {
  const unary = UNARY[kernel]
  if (unary !== undefined) return (c) => c.graph.op(unary, [c.in("x")], {})
  const binary = BINARY[kernel]
  if (binary !== undefined) return (c) => c.graph.op(binary, [c.in("a"), c.in("b")], {})
  const reduce = REDUCE[kernel]
  if (reduce !== undefined) {
    const [op, axisName] = reduce
    return (c) => {
      const x = c.in("x")
      const axes = axesOf(c.attr(axisName), c.type(x).shape.length)
      return c.graph.op(op, [x], { axes, keepDims: Boolean(c.attr("keepDims")) })
    }
  }
  if (RANDOM.includes(kernel)) {
    return () => {
      throw new TraceError(
        `${kernel} draws random numbers inside a traced function and would be frozen; draw on the host and pass the numbers as an input`,
      )
    }
  }
  return RULES[kernel]
}

/** Every kernel name that has a rule. */
export const TRACED_KERNELS: readonly string[] = [
  ...Object.keys(UNARY),
  ...Object.keys(BINARY),
  ...Object.keys(REDUCE),
  ...RANDOM,
  ...Object.keys(RULES),
]

/** Registers all rules for the tracing backend. */
export const registerTraceKernels = (backendName: string): void => {
  for (const kernelName of TRACED_KERNELS) {
    const rule = ruleOf(kernelName)!
    registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs, backend }) => {
        const trace = backend as TraceBackend
        const graph = trace.building
        const named = inputs as unknown as Record<string, TensorInfo>
        const call: Call = {
          graph,
          in: (name) => {
            const tensor = named[name]
            if (tensor === undefined || tensor === null)
              throw new TraceError(`${kernelName}: input ${name} is missing`)
            return trace.resolve(tensor)
          },
          list: () => Object.values(named).map((tensor) => trace.resolve(tensor)),
          type: (value) => graph.typeOf(value),
          attr: <T>(name: string) => (attrs as NamedAttrMap | undefined)?.[name] as T,
        }
        const result = rule(call)
        return Array.isArray(result) ? result.map((v: Value) => trace.wrap(v)) : trace.wrap(result as Value)
      },
    })
  }
}
