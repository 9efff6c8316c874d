/** Normalisation, rotation and cross-entropy in the fewest passes that onnxruntime's CPU kernels allow. */
import { sizeOf, type Node, type Value } from "../ir.js"
import type { Lowering } from "./lowering.js"

type Of<K extends Node["op"]> = Extract<Node, { op: K }>

/** Contributed operator: one pass. Its convention is y1 = x1 cos - x2 sin, so the sine is negated. */
export const rotaryRule = (l: Lowering, node: Of<"rotary">, [x, cos, sin]: readonly string[]): string => {
  const [batch, length, heads, width] = l.type(node.inputs[0]!).shape as [number, number, number, number]
  const signed = node.attrs.inverse ? sin! : l.add("Neg", [sin!])
  const rows = l.reshape(x!, [batch, length, heads * width])
  const rotated = l.add(
    "RotaryEmbedding",
    [rows, l.ints([0]), cos!, signed],
    { num_heads: heads, interleaved: 0 },
    "com.microsoft",
  )
  return l.reshape(rotated, [batch, length, heads, width])
}

interface Normalised {
  readonly y: string
  /** 1 / rms(x), last axis kept */
  readonly inverse: string
}

const normalise = (l: Lowering, value: Value, x: string, eps: number): Normalised =>
  l.once(`rmsNorm|${value.node}.${value.output}|${eps}`, () => {
    const width = l.type(value).shape.at(-1)!
    const ones = l.constant(
      "f32",
      [width],
      Array.from({ length: width }, () => 1),
    )
    const [y, inverse] = l.addMany("SimplifiedLayerNormalization", [x, ones], 2, {
      axis: -1,
      epsilon: eps,
      stash_type: 1,
    })
    return { y: y!, inverse: inverse! }
  })

export const rmsNormRule = (l: Lowering, node: Of<"rmsNorm">, [x]: readonly string[]): string =>
  normalise(l, node.inputs[0]!, x!, node.attrs.eps).y

/** dx = r (dy - y mean(dy y)), with y and r = 1/rms(x) shared with the forward node. */
export const rmsNormGradRule = (l: Lowering, node: Of<"rmsNormGrad">, [x, dy]: readonly string[]): string => {
  const { y, inverse } = normalise(l, node.inputs[0]!, x!, node.attrs.eps)
  const rank = l.type(node.inputs[0]!).shape.length
  const mean = l.add("ReduceMean", [l.add("Mul", [dy!, y]), l.ints([rank - 1])], { keepdims: 1 })
  return l.add("Mul", [l.add("Sub", [dy!, l.add("Mul", [y, mean])]), inverse])
}

const targetColumn = (l: Lowering, node: Node, targets: string): string =>
  l.reshape(targets, [sizeOf(l.type(node.inputs[1]!).shape), 1])

export const crossEntropyRule = (
  l: Lowering,
  node: Of<"crossEntropy">,
  [logits, targets]: readonly string[],
): string => {
  // ReduceLogSumExp would write less, but its kernel is ten times slower.
  const all = l.add("LogSoftmax", [logits!], { axis: -1 })
  const picked = l.add("GatherElements", [all, targetColumn(l, node, targets!)], { axis: 1 })
  return l.reshape(l.add("Neg", [picked]), node.outputs[0]!.shape)
}

export const crossEntropyGradRule = (
  l: Lowering,
  node: Of<"crossEntropyGrad">,
  [logits, targets, dy]: readonly string[],
): string => {
  const column = targetColumn(l, node, targets!)
  const dyColumn = l.reshape(dy!, [sizeOf(l.type(node.inputs[2]!).shape), 1])
  const scaled = l.add("Mul", [l.add("Softmax", [logits!], { axis: -1 }), dyColumn])
  const picked = l.add("Sub", [l.add("GatherElements", [scaled, column], { axis: 1 }), dyColumn])
  return l.add("ScatterElements", [scaled, column, picked], { axis: 1 })
}
