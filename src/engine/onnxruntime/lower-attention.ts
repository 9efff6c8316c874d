/** Attention and its gradient as blocked matrix products over [B,H,T,D]. */
import { sizeOf, type Node, type Value } from "../ir.js"
import type { Lowering } from "./lower.js"

type Attention = Extract<Node, { op: "attention" | "attentionGrad" }>

/** What a forward node leaves for its gradient: operands per head, probabilities, output. */
interface Kept {
  readonly q: string
  readonly k: string
  readonly v: string
  readonly probabilities: string
  readonly output: string | undefined
}

const keyOf = (inputs: readonly Value[], attrs: Attention["attrs"]): string =>
  `attention|${inputs
    .slice(0, 3)
    .map((v) => `${v.node}.${v.output}`)
    .join()}|${attrs.scale}|${attrs.causal}`

const PER_HEAD = [0, 2, 1, 3] as const

const perHead = (l: Lowering, x: string): string => l.add("Transpose", [x], { perm: PER_HEAD })

const product = (
  l: Lowering,
  a: string,
  b: string,
  flags: { transA?: number; transB?: number; alpha?: number } = {},
): string => l.add("FusedMatMul", [a, b], { transA: 0, transB: 0, alpha: 1, ...flags }, "com.microsoft")

const probabilitiesOf = (
  l: Lowering,
  q: string,
  k: string,
  attrs: Attention["attrs"],
  length: number,
): string => {
  let scores = product(l, q, k, { transB: 1, alpha: attrs.scale })
  if (attrs.causal) scores = l.add("Add", [scores, causalMask(l, length)])
  return l.add("Softmax", [scores], { axis: -1 })
}

/** [T,T] with a large negative number above the diagonal; exp of it is exactly zero in float32. */
const causalMask = (l: Lowering, length: number): string =>
  l.once(`causal|${length}`, () => {
    const full = l.add("Expand", [l.scalar(-1e30), l.ints([length, length])])
    return l.add("Trilu", [full, l.scalar(1, "i64")], { upper: 1 })
  })

export const attentionRule = (
  l: Lowering,
  node: Extract<Node, { op: "attention" }>,
  inputs: readonly string[],
): string => {
  const [q, k, v] = inputs.map((x) => perHead(l, x)) as [string, string, string]
  const [batch, length, heads] = l.type(node.inputs[0]!).shape as [number, number, number]
  const keys = l.type(node.inputs[1]!).shape[1]!
  const probabilities = probabilitiesOf(l, q, k, node.attrs, length)
  const output = product(l, probabilities, v)
  if (4 * sizeOf([batch, heads, length, keys]) <= l.options.keepAttentionBytes) {
    l.once<Kept>(keyOf(node.inputs, node.attrs), () => ({ q, k, v, probabilities, output }))
  }
  return perHead(l, output)
}

export const attentionGradRule = (
  l: Lowering,
  node: Extract<Node, { op: "attentionGrad" }>,
  inputs: readonly string[],
): readonly string[] => {
  const [q0, k0, v0, dy0] = inputs as readonly [string, string, string, string]
  const dy = perHead(l, dy0)
  const { q, k, v, probabilities, output } =
    l.recall<Kept>(keyOf(node.inputs, node.attrs)) ?? recompute(l, node, [q0, k0, v0])
  const dv = product(l, probabilities, dy, { transA: 1 })
  const dp = product(l, dy, v, { transB: 1 })
  // rowsum(dP * P) = rowsum(dy * y): a pass over [T,D] instead of [T,T].
  const delta =
    output === undefined
      ? l.add("ReduceSum", [l.add("Mul", [dp, probabilities]), l.ints([3])], { keepdims: 1 })
      : l.add("ReduceSum", [l.add("Mul", [dy, output]), l.ints([3])], { keepdims: 1 })
  const ds = l.add("Mul", [l.add("Sub", [dp, delta]), probabilities])
  const dq = product(l, ds, k, { alpha: node.attrs.scale })
  const dk = product(l, ds, q, { transA: 1, alpha: node.attrs.scale })
  return [perHead(l, dq), perHead(l, dk), perHead(l, dv)]
}

const recompute = (
  l: Lowering,
  node: Extract<Node, { op: "attentionGrad" }>,
  inputs: readonly [string, string, string],
): Kept => {
  const [q, k, v] = inputs.map((x) => perHead(l, x)) as [string, string, string]
  const length = l.type(node.inputs[0]!).shape[1]!
  return { q, k, v, probabilities: probabilitiesOf(l, q, k, node.attrs, length), output: undefined }
}
