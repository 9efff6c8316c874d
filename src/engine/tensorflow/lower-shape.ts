/** Inputs, constants and operations that rearrange elements. */
import type { Op } from "../ir.js"
import { TF_TYPE_OF } from "./graph-def.js"
import type { Rules } from "./lowering.js"

type ShapeOp = Extract<
  Op,
  | "constant"
  | "reshape"
  | "transpose"
  | "broadcastTo"
  | "concat"
  | "slice"
  | "pad"
  | "tile"
  | "reverse"
  | "gather"
  | "oneHot"
>

const INDEX = { type: "int32" } as const

/** Where the lowering remembers the name of an input's placeholder. */
export const placeholderKey = (node: number): string => `placeholder|${node}`

export const SHAPE_RULES: Rules<ShapeOp | "input"> = {
  input: (l, node) => {
    const { dtype, shape } = node.outputs[0]!
    const storage = l.graph.inputs.find(({ value }) => value.node === node.id)?.storage
    const type = storage === "bf16" ? "bfloat16" : TF_TYPE_OF[dtype]
    const given = l.add("Placeholder", [], { dtype: { type }, shape: { shape } }, type)
    l.remember(placeholderKey(node.id), given.name)
    return l.widen(given)
  },
  constant: (l, node) => {
    const { data } = node.attrs
    return data.kind === "splat"
      ? l.fill(data.value, node.outputs[0]!)
      : l.dense(data.values, node.outputs[0]!)
  },
  reshape: (l, node, [x]) => l.reshape(x!, node.attrs.shape),
  transpose: (l, node, [x]) => l.transpose(x!, node.attrs.perm),
  broadcastTo: (l, node, [x]) => l.op("BroadcastTo", [x!, l.ints(node.attrs.shape)], { Tidx: INDEX }),
  concat: (l, node, xs) =>
    l.move(xs, (parts) =>
      l.op("ConcatV2", [...parts, l.scalar(node.attrs.axis, "i32")], {
        N: { int: parts.length },
        Tidx: INDEX,
      }),
    ),
  slice: (l, node, [x]) =>
    l.move([x!], ([y]) =>
      l.op("Slice", [y!, l.ints(node.attrs.begin), l.ints(node.attrs.size)], { Index: INDEX }),
    ),
  pad: (l, node, [x]) => {
    const { paddings, value } = node.attrs
    const { dtype } = node.outputs[0]!
    if (paddings.length === 0) return x!
    const pairs = l.dense(Int32Array.from(paddings.flat()), { dtype: "i32", shape: [paddings.length, 2] })
    return l.op("PadV2", [x!, pairs, l.scalar(value, dtype)], { Tpaddings: INDEX })
  },
  tile: (l, node, [x]) => l.op("Tile", [x!, l.ints(node.attrs.reps)], { Tmultiples: INDEX }),
  reverse: (l, node, [x]) => l.op("ReverseV2", [x!, l.ints(node.attrs.axes)], { Tidx: INDEX }),
  gather: (l, node, [x, indices]) =>
    l.add("GatherV2", [x!, indices!, l.scalar(node.attrs.axis, "i32")], {
      Tparams: { type: x!.type },
      Tindices: INDEX,
      Taxis: INDEX,
    }),
  oneHot: (l, node, [indices]) => {
    const { depth, on, off } = node.attrs
    return l.add(
      "OneHot",
      [indices!, l.scalar(depth, "i32"), l.scalar(on), l.scalar(off)],
      { T: { type: "float" }, TI: INDEX },
      "float",
    )
  },
}
