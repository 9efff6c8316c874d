/** Attention and its gradient as products over [B,H,T,D]. */
import { sizeOf, type Node, type Value } from "../ir.js"
import { operand, rawBatchMatMul } from "./lower-linear.js"
import type { Lowering, Ref, Rules } from "./lowering.js"

type AttentionNode = Extract<Node, { op: "attention" | "attentionGrad" }>

/** Operands of one attention per head, in the products' precision. */
interface Operands {
  /** scale * q */
  readonly q: Ref
  readonly k: Ref
  readonly v: Ref
}

interface Probabilities {
  /** in the products' precision */
  readonly operand: Ref
  readonly full: Ref
}

const PER_HEAD = [0, 2, 1, 3] as const

/** Below every score; its exponential is exactly zero in fp32. */
const MASKED = -1e30

const keyOf = (node: AttentionNode): string =>
  `attention|${node.inputs
    .slice(0, 3)
    .map((v: Value) => `${v.node}.${v.output}`)
    .join()}|${node.attrs.scale}|${node.attrs.causal}`

const perHead = (l: Lowering, x: Ref): Ref => l.transpose(operand(l, x), PER_HEAD)

const operandsOf = (l: Lowering, node: AttentionNode, [q, k, v]: readonly Ref[]): Operands =>
  l.once(`operands|${keyOf(node)}`, () => ({
    q: perHead(l, node.attrs.scale === 1 ? q! : l.op("Mul", [q!, l.scalar(node.attrs.scale)])),
    k: perHead(l, k!),
    v: perHead(l, v!),
  }))

/** [T,T]: 0 where the query sees the key, a large negative number where it does not. */
const causalMask = (l: Lowering, length: number): Ref =>
  l.once(`causal|${length}`, () => {
    const index = l.add(
      "Range",
      [l.scalar(0, "i32"), l.scalar(length, "i32"), l.scalar(1, "i32")],
      { Tidx: { type: "int32" } },
      "int32",
    )
    const hidden = l.op("Less", [l.reshape(index, [length, 1]), index], {}, "bool")
    return l.add("SelectV2", [hidden, l.scalar(MASKED), l.scalar(0)], { T: { type: "float" } }, "float")
  })

const probabilitiesOf = (l: Lowering, node: AttentionNode, { q, k }: Operands): Probabilities => {
  const scores = l.widen(rawBatchMatMul(l, q, k, false, true))
  const length = l.type(node.inputs[0]!).shape[1]!
  const seen = node.attrs.causal ? l.op("AddV2", [scores, causalMask(l, length)]) : scores
  const full = l.op("Softmax", [seen])
  return { full, operand: operand(l, full) }
}

export const ATTENTION_RULES: Rules<"attention" | "attentionGrad"> = {
  attention: (l, node, inputs) => {
    const parts = operandsOf(l, node, inputs)
    const probabilities = probabilitiesOf(l, node, parts)
    const [batch, length, heads] = l.type(node.inputs[0]!).shape as [number, number, number, number]
    const keys = l.type(node.inputs[1]!).shape[1]!
    const bytes = sizeOf([batch, heads, length, keys]) * 4
    if (bytes <= l.options.keepAttentionBytes) l.remember(keyOf(node), probabilities)
    return l.widen(l.transpose(rawBatchMatMul(l, probabilities.operand, parts.v, false, false), PER_HEAD))
  },

  attentionGrad: (l, node, inputs) => {
    const parts = operandsOf(l, node, inputs)
    const dy = perHead(l, inputs[3]!)
    const probabilities = l.recall<Probabilities>(keyOf(node)) ?? probabilitiesOf(l, node, parts)
    const dv = rawBatchMatMul(l, probabilities.operand, dy, true, false)
    const dp = l.widen(rawBatchMatMul(l, dy, parts.v, false, true))
    const weighted = l.op("Mul", [dp, probabilities.full])
    const delta = l.op("Sum", [weighted, l.ints([3])], { Tidx: { type: "int32" }, keep_dims: { bool: true } })
    const ds = operand(l, l.op("Mul", [l.op("Sub", [dp, delta]), probabilities.full]))
    const dq = l.widen(l.transpose(rawBatchMatMul(l, ds, parts.k, false, false), PER_HEAD))
    const dk = l.widen(l.transpose(rawBatchMatMul(l, ds, parts.q, true, false), PER_HEAD))
    const scaled = node.attrs.scale === 1 ? dq : l.op("Mul", [dq, l.scalar(node.attrs.scale)])
    return [scaled, dk, l.widen(l.transpose(dv, PER_HEAD))]
  },
}
