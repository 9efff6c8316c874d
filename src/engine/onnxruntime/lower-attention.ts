/**
 * Attention and its gradient in blocks: some heads, and of one head some queries, so that a block's scores stay in
 * the cache and only a few blocks exist at a time. What a forward node leaves is used by its gradient.
 */
import { blocksOf, sizesOf, type AttentionSizes, type Block } from "../attention-blocks.js"
import { sizeOf, type Node, type Value } from "../ir.js"
import type { Lowering } from "./lowering.js"

type Attention = Extract<Node, { op: "attention" | "attentionGrad" }>

/** Operands per head: queries as [group][part], keys and values as [group]; each [heads, tokens, D] of one block. */
interface Operands {
  readonly q: readonly (readonly string[])[]
  readonly k: readonly string[]
  readonly v: readonly string[]
}

/** What a forward node leaves for its gradient, per block: output, and probabilities where they are kept. */
interface Kept {
  readonly outputs: readonly string[]
  readonly probabilities: readonly string[] | undefined
}

/** i32 [B]: keys that each row's queries see, where the node has them. */
const lengthsOf = (node: Attention): Value | undefined => node.inputs[node.op === "attention" ? 3 : 4]

const keyOf = (node: Attention): string => {
  const lengths = lengthsOf(node)
  const inputs = [...node.inputs.slice(0, 3), ...(lengths === undefined ? [] : [lengths])]
  return `${inputs.map((v) => `${v.node}.${v.output}`).join()}|${node.attrs.scale}|${node.attrs.causal}`
}

const PER_HEAD = [0, 2, 1, 3] as const

const product = (
  l: Lowering,
  a: string,
  b: string,
  flags: { transA?: number; transB?: number; alpha?: number } = {},
): string => l.add("FusedMatMul", [a, b], { transA: 0, transB: 0, alpha: 1, ...flags }, "com.microsoft")

const split = (l: Lowering, x: string, axis: number, parts: number): readonly string[] =>
  parts === 1 ? [x] : l.addMany("Split", [x], parts, { axis, num_outputs: parts })

const join = (l: Lowering, parts: readonly string[], axis: number): string =>
  parts.length === 1 ? parts[0]! : l.add("Concat", parts, { axis })

/** [B,T,H,D] as stacks [heads, T, D], one for each group of heads. */
const groupsOf = (l: Lowering, x: string, sizes: AttentionSizes, length: number): readonly string[] => {
  const stack = l.reshape(l.add("Transpose", [x], { perm: PER_HEAD }), [sizes.heads, length, sizes.width])
  return split(l, stack, 0, sizes.heads / sizes.blockHeads)
}

const queryBlocks = (l: Lowering, x: string, sizes: AttentionSizes): readonly (readonly string[])[] =>
  groupsOf(l, x, sizes, sizes.queries).map((g) => split(l, g, 1, sizes.queries / sizes.blockQueries))

const operandsOf = (
  l: Lowering,
  node: Attention,
  sizes: AttentionSizes,
  [q, k, v]: readonly string[],
): Operands =>
  l.once(`operands|${keyOf(node)}`, () => ({
    q: queryBlocks(l, q!, sizes),
    k: groupsOf(l, k!, sizes, sizes.keys),
    v: groupsOf(l, v!, sizes, sizes.keys),
  }))

/** Groups of heads back to [B,T,H,D]. */
const joinGroups = (l: Lowering, groups: readonly string[], shape: readonly number[]): string => {
  const [batch, length, heads, width] = shape as [number, number, number, number]
  const stack = l.reshape(join(l, groups, 0), [batch, heads, length, width])
  return l.add("Transpose", [stack], { perm: PER_HEAD })
}

/** Blocks' results back to [B,T,H,D]. */
const joinQueries = (
  l: Lowering,
  blocks: readonly string[],
  sizes: AttentionSizes,
  shape: readonly number[],
): string => {
  const parts = sizes.queries / sizes.blockQueries
  const groups = Array.from({ length: blocks.length / parts }, (_, g) => join(l, blocks.slice(g * parts, (g + 1) * parts), 1)) // prettier-ignore
  return joinGroups(l, groups, shape)
}

/** [queries, keys] of one block: 0 where the query sees the key, a large negative number where it does not. */
const causalMask = (l: Lowering, { first }: Block, { blockQueries, keys }: AttentionSizes): string =>
  l.once(`causal|${first}|${blockQueries}|${keys}`, () => {
    // exp of it is exactly zero in float32
    const full = l.add("Expand", [l.scalar(-1e30), l.ints([blockQueries, keys])])
    return l.add("Trilu", [full, l.scalar(first + 1, "i64")], { upper: 1 })
  })

/** Per group [heads of a block, 1, keys]: 0 where a row's queries see the key, a large negative number elsewhere. */
const lengthMasks = (l: Lowering, lengths: Value, sizes: AttentionSizes): readonly string[] =>
  l.once(`lengths|${l.name(lengths)}|${sizes.heads}|${sizes.keys}|${sizes.blockHeads}`, () => {
    const rows = l.type(lengths).shape[0]!
    const { heads, keys, blockHeads } = sizes
    const positions = l.constant("i32", [keys], Array.from(Array(keys).keys()))
    const seen = l.add("Less", [positions, l.reshape(l.name(lengths), [rows, 1])])
    const mask = l.reshape(l.add("Where", [seen, l.scalar(0), l.scalar(-1e30)]), [rows, 1, 1, keys])
    const perHead = l.add("Expand", [mask, l.ints([rows, heads / rows, 1, keys])])
    return split(l, l.reshape(perHead, [heads, 1, keys]), 0, heads / blockHeads)
  })

/** x [B,T,H,D], with 0 in the rows whose queries see no key. */
const whereSeen = (l: Lowering, node: Attention, x: string): string => {
  const lengths = lengthsOf(node)
  if (lengths === undefined) return x
  const seen = l.once(`seen|${l.name(lengths)}`, () => {
    const some = l.add("Cast", [l.add("Greater", [l.name(lengths), l.scalar(0, "i32")])], { to: 1 })
    return l.reshape(some, [l.type(lengths).shape[0]!, 1, 1, 1])
  })
  return l.add("Mul", [x, seen])
}

const probabilitiesOf = (
  l: Lowering,
  node: Attention,
  sizes: AttentionSizes,
  block: Block,
  { q, k }: Operands,
): string => {
  const scores = product(l, q[block.group]![block.part]!, k[block.group]!, { transB: 1, alpha: node.attrs.scale }) // prettier-ignore
  const past = node.attrs.causal ? l.add("Add", [scores, causalMask(l, block, sizes)]) : scores
  const lengths = lengthsOf(node)
  const seen =
    lengths === undefined ? past : l.add("Add", [past, lengthMasks(l, lengths, sizes)[block.group]!])
  return l.add("Softmax", [seen], { axis: -1 })
}

/** [heads of a block, keys, 1] of one value. */
const column = (l: Lowering, { blockHeads, keys }: AttentionSizes, value: number): string =>
  l.once(`column|${blockHeads}|${keys}|${value}`, () =>
    l.add("Expand", [l.scalar(value), l.ints([blockHeads, keys, 1])]),
  )

const sizesFor = (l: Lowering, node: Attention): AttentionSizes =>
  sizesOf(l.type(node.inputs[0]!).shape, l.type(node.inputs[1]!).shape, l.options.attentionBlockBytes)

export const attentionRule = (
  l: Lowering,
  node: Extract<Node, { op: "attention" }>,
  inputs: readonly string[],
): string => {
  const sizes = sizesFor(l, node)
  const parts = operandsOf(l, node, sizes, inputs)
  const blocks = blocksOf(sizes)
  const probabilities = blocks.map((block) => probabilitiesOf(l, node, sizes, block, parts))
  const outputs = probabilities.map((p, i) => product(l, p, parts.v[blocks[i]!.group]!))
  const bytes = 4 * sizeOf([sizes.heads, sizes.queries, sizes.keys])
  const keep = l.spend("attention", bytes, l.options.keepAttentionBytes)
  l.once<Kept>(`kept|${keyOf(node)}`, () => ({ outputs, probabilities: keep ? probabilities : undefined }))
  return whereSeen(l, node, joinQueries(l, outputs, sizes, node.outputs[0]!.shape))
}

export const attentionGradRule = (
  l: Lowering,
  node: Extract<Node, { op: "attentionGrad" }>,
  inputs: readonly string[],
): readonly string[] => {
  const sizes = sizesFor(l, node)
  const parts = operandsOf(l, node, sizes, inputs)
  const kept = l.recall<Kept>(`kept|${keyOf(node)}`)
  const dys = queryBlocks(l, whereSeen(l, node, inputs[3]!), sizes)
  const { scale } = node.attrs
  const groups = sizes.heads / sizes.blockHeads
  const withOnes = parts.v.map((v) => l.add("Concat", [v, column(l, sizes, 1)], { axis: 2 }))
  const dq: string[] = []
  const dk = Array.from({ length: groups }, (): string[] => [])
  const dv = Array.from({ length: groups }, (): string[] => [])
  blocksOf(sizes).forEach((block, i) => {
    const { group, part } = block
    const dy = dys[group]![part]!
    const p = kept?.probabilities?.[i] ?? probabilitiesOf(l, node, sizes, block, parts)
    dv[group]!.push(product(l, p, dy, { transA: 1 }))
    // dS = P (dP - rowsum(dP P)), and rowsum(dP P) = rowsum(dy y). As a further column of dy against ones in v it
    // is subtracted by the product itself: neither needs a pass over [T,S].
    const y = kept?.outputs[i] ?? product(l, p, parts.v[group]!)
    const delta = l.add("ReduceSum", [l.add("Mul", [dy, y]), l.ints([2])], { keepdims: 1 })
    const dyMinus = l.add("Concat", [dy, l.add("Neg", [delta])], { axis: 2 })
    const ds = l.add("Mul", [product(l, dyMinus, withOnes[group]!, { transB: 1 }), p])
    dq.push(product(l, ds, parts.k[group]!, { alpha: scale }))
    dk[group]!.push(product(l, ds, parts.q[group]![part]!, { transA: 1, alpha: scale }))
  })
  const sums = (x: readonly (readonly string[])[]): string =>
    joinGroups(
      l,
      x.map((g) => (g.length === 1 ? g[0]! : l.add("Sum", g))),
      node.outputs[1]!.shape,
    )
  return [joinQueries(l, dq, sizes, node.outputs[0]!.shape), sums(dk), sums(dv)]
}
