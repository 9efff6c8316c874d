/** Reductions, scans and ordering along axes. */
import type { Op, ReduceOp } from "../ir.js"
import { sizeOf } from "../ir.js"
import type { Lowering, NodeOf, Ref, Rules } from "./lowering.js"
import { rawMatMul } from "./lower-linear.js"

type ScanOp = Extract<Op, "softmax" | "logSoftmax" | "segmentSum" | "cumsum" | "argMax" | "topK">

const INDEX = { type: "int32" } as const

/**
 * On a GPU, whose segment sums add in no fixed order, those with at most this many segments are a product with a
 * one-hot matrix. On a CPU each thread owns some segments and adds their rows in order.
 */
const ONE_HOT_SEGMENTS = 4096

const reduce =
  (op: string, bool?: string) =>
  (l: Lowering, node: NodeOf<ReduceOp>, [x]: readonly Ref[]): Ref => {
    const { axes, keepDims } = node.attrs
    if (axes.length === 0) return x!
    const attrs = { Tidx: INDEX, keep_dims: { bool: keepDims } }
    if (x!.type !== "bool") return l.op(op, [x!, l.ints(axes)], attrs)
    if (bool === undefined) throw new Error(`tensorflow: ${node.op} of a bool has no meaning`)
    return l.add(bool, [x!, l.ints(axes)], attrs)
  }

const sumRule = reduce("Sum")

export const REDUCE_RULES: Rules<ReduceOp | ScanOp> = {
  reduceSum: (l, node, inputs) => {
    const [value] = node.inputs
    const source = l.producer(value!)
    // Half the sum of squares is one pass over the operand.
    if (
      source.op === "square" &&
      node.attrs.axes.length === l.type(value!).shape.length &&
      inputs[0]!.type === "float"
    ) {
      const half = l.op("L2Loss", [l.lowered(source.inputs[0]!)])
      const sum = l.op("Mul", [half, l.scalar(2)])
      return node.attrs.keepDims ? l.reshape(sum, node.outputs[0]!.shape) : sum
    }
    return sumRule(l, node, inputs)
  },
  reduceMean: reduce("Mean"),
  reduceMax: reduce("Max", "Any"),
  reduceMin: reduce("Min", "All"),
  reduceProd: reduce("Prod", "All"),

  softmax: (l, _, [x]) => l.op("Softmax", [x!]),
  logSoftmax: (l, _, [x]) => l.op("LogSoftmax", [x!]),
  segmentSum: (l, node, [x, ids]) => {
    const { segments } = node.attrs
    if (l.options.device === "cpu" || segments > ONE_HOT_SEGMENTS || x!.type !== "float") {
      const attrs = { T: { type: x!.type }, Tindices: INDEX, Tnumsegments: INDEX }
      return l.add("UnsortedSegmentSum", [x!, ids!, l.scalar(segments, "i32")], attrs)
    }
    const { shape } = l.type(node.inputs[0]!)
    const rows = shape[0]!
    const columns = sizeOf(shape.slice(1))
    const oneHot = l.once(`oneHot|${ids!.name}|${segments}`, () =>
      l.add(
        "OneHot",
        [ids!, l.scalar(segments, "i32"), l.scalar(1), l.scalar(0)],
        { T: { type: "float" }, TI: INDEX },
        "float",
      ),
    )
    const sums = rawMatMul(l, oneHot, l.reshape(x!, [rows, columns]), true, false)
    return l.reshape(sums, node.outputs[0]!.shape)
  },
  cumsum: (l, node, [x]) => {
    const { axis, exclusive, reverse } = node.attrs
    return l.op("Cumsum", [x!, l.scalar(axis, "i32")], {
      exclusive: { bool: exclusive },
      reverse: { bool: reverse },
      Tidx: INDEX,
    })
  },
  argMax: (l, node, [x]) =>
    l.op("ArgMax", [x!, l.scalar(node.attrs.axis, "i32")], { Tidx: INDEX, output_type: INDEX }, "int32"),
  topK: (l, node, [x]) =>
    l.addMany(
      "TopKV2",
      [x!, l.scalar(node.attrs.k, "i32")],
      { T: { type: x!.type }, sorted: { bool: true } },
      [x!.type, "int32"],
    ),
}
