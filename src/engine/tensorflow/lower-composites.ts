/** Normalisation, rotary positions and cross-entropy. */
import type { Op } from "../ir.js"
import type { Lowering, Ref, Rules } from "./lowering.js"

type CompositeOp = Extract<Op, "rotary" | "rmsNorm" | "rmsNormGrad" | "crossEntropy" | "crossEntropyGrad">

const INDEX = { type: "int32" } as const

const meanLast = (l: Lowering, x: Ref, rank: number): Ref =>
  l.op("Mean", [x, l.ints([rank - 1])], { Tidx: INDEX, keep_dims: { bool: true } })

/** rsqrt(mean(x^2) + eps) over the last axis, kept; shared by a norm and its gradient. */
const inverseRms = (l: Lowering, x: Ref, rank: number, eps: number): Ref =>
  l.once(`inverseRms|${x.name}|${eps}`, () =>
    l.op("Rsqrt", [l.op("AddV2", [meanLast(l, l.op("Square", [x]), rank), l.scalar(eps)])]),
  )

/** Loss [N] and softmax(logits) - onehot(targets) [N,V] in one kernel. */
const lossAndGradient = (l: Lowering, logits: Ref, targets: Ref): readonly Ref[] =>
  l.once(`crossEntropy|${logits.name}|${targets.name}`, () =>
    l.addMany(
      "SparseSoftmaxCrossEntropyWithLogits",
      [logits, targets],
      { T: { type: "float" }, Tlabels: INDEX },
      ["float", "float"],
    ),
  )

export const COMPOSITE_RULES: Rules<CompositeOp> = {
  rotary: (l, node, [x, cos, sin]) => {
    const [, length, , width] = node.outputs[0]!.shape as [number, number, number, number]
    const half = width / 2
    // y = x * [cos, cos] + swap(x) * [sin, -sin], where swap exchanges the halves.
    const table = (kind: string, a: Ref, b: Ref): Ref =>
      l.once(`rotary|${kind}|${a.name}|${b.name}`, () =>
        l.reshape(l.op("ConcatV2", [a, b, l.scalar(1, "i32")], { N: { int: 2 }, Tidx: INDEX }), [
          length,
          1,
          width,
        ]),
      )
    const negative = l.once(`negative|${sin!.name}`, () => l.op("Neg", [sin!]))
    const cosines = table("cos", cos!, cos!)
    const sines = node.attrs.inverse ? table("inverse", negative, sin!) : table("sin", sin!, negative)
    const swapped = l.op("Roll", [x!, l.scalar(half, "i32"), l.scalar(3, "i32")], {
      Tshift: INDEX,
      Taxis: INDEX,
    })
    return l.op("AddV2", [l.op("Mul", [x!, cosines]), l.op("Mul", [swapped, sines])])
  },

  rmsNorm: (l, node, [x]) =>
    l.op("Mul", [x!, inverseRms(l, x!, node.outputs[0]!.shape.length, node.attrs.eps)]),

  rmsNormGrad: (l, node, [x, dy]) => {
    // dx = r (dy - x r^2 mean(x dy)) with r the inverse root mean square.
    const rank = node.outputs[0]!.shape.length
    const r = inverseRms(l, x!, rank, node.attrs.eps)
    const along = meanLast(l, l.op("Mul", [x!, dy!]), rank)
    const factor = l.op("Mul", [along, l.op("Mul", [l.op("Square", [r]), r])])
    return l.op("Sub", [l.op("Mul", [dy!, r]), l.op("Mul", [x!, factor])])
  },

  crossEntropy: (l, _, [logits, targets]) => lossAndGradient(l, logits!, targets!)[0]!,

  crossEntropyGrad: (l, node, [logits, targets, dy]) => {
    const [, gradient] = lossAndGradient(l, logits!, targets!)
    return l.op("Mul", [gradient!, l.reshape(dy!, [node.outputs[0]!.shape[0]!, 1])])
  },
}
