/**
 * Attention and its gradient in blocks: some heads, and of one head some queries, so that a block's scores stay in
 * the cache and only a few blocks exist at a time. What a forward node leaves is used by its gradient.
 */
import { blocksOf, sizesOf, type AttentionSizes, type Block } from "../attention-blocks.js"
import { sizeOf, type Node, type Value } from "../ir.js"
import { operand, rawBatchMatMul } from "./lower-linear.js"
import type { Lowering, Ref, Rules } from "./lowering.js"

type AttentionNode = Extract<Node, { op: "attention" | "attentionGrad" }>

/** What the gradient can use, per block: output, and probabilities where they are kept. */
interface Kept {
  readonly outputs: readonly Ref[]
  readonly probabilities: readonly Ref[] | undefined
}

/** Blocks in flight at a time: one per thread of the usual machine, and no more memory than that. */
const IN_FLIGHT = 2

const PER_HEAD = [0, 2, 1, 3] as const

/** Below every score; its exponential is exactly zero in fp32. */
const MASKED = -1e30

const INDEX = { type: "int32" } as const

/** i32 [B]: keys that each row's queries see, where the node has them. */
const lengthsOf = (node: AttentionNode): Value | undefined => node.inputs[node.op === "attention" ? 3 : 4]

const keyOf = (node: AttentionNode): string => {
  const lengths = lengthsOf(node)
  const inputs = [...node.inputs.slice(0, 3), ...(lengths === undefined ? [] : [lengths])]
  return `attention|${inputs.map((v) => `${v.node}.${v.output}`).join()}|${node.attrs.scale}|${node.attrs.causal}`
}

const sizesFor = (l: Lowering, node: AttentionNode): AttentionSizes =>
  sizesOf(l.type(node.inputs[0]!).shape, l.type(node.inputs[1]!).shape, l.options.attentionBlockBytes)

/** [B,T,H,D] as stacks [heads, T, D], one for each group of heads. */
const groupsOf = (l: Lowering, x: Ref, sizes: AttentionSizes, length: number): readonly Ref[] => {
  const stack = l.reshape(l.transpose(operand(l, x), PER_HEAD), [sizes.heads, length, sizes.width])
  return split(l, stack, 0, sizes.heads / sizes.blockHeads)
}

const split = (l: Lowering, x: Ref, axis: number, parts: number): readonly Ref[] => {
  if (parts === 1) return [x]
  const attrs = { T: { type: x.type }, num_split: { int: parts } } as const
  return l.addMany(
    "Split",
    [l.scalar(axis, "i32"), x],
    attrs,
    Array.from({ length: parts }, () => x.type),
  )
}

const concat = (l: Lowering, parts: readonly Ref[], axis: number): Ref =>
  parts.length === 1
    ? parts[0]!
    : l.op("ConcatV2", [...parts, l.scalar(axis, "i32")], { N: { int: parts.length }, Tidx: INDEX })

/** Query-like operands [group][part], each [heads, queries, D] of one block. */
const queryBlocks = (l: Lowering, x: Ref, sizes: AttentionSizes): readonly (readonly Ref[])[] =>
  groupsOf(l, x, sizes, sizes.queries).map((g) => split(l, g, 1, sizes.queries / sizes.blockQueries))

interface Operands {
  readonly q: readonly (readonly Ref[])[]
  readonly k: readonly Ref[]
  readonly v: readonly Ref[]
}

const operandsOf = (
  l: Lowering,
  node: AttentionNode,
  sizes: AttentionSizes,
  [q, k, v]: readonly Ref[],
): Operands =>
  l.once(`operands|${keyOf(node)}`, () => ({
    q: queryBlocks(l, node.attrs.scale === 1 ? q! : l.op("Mul", [q!, l.scalar(node.attrs.scale)]), sizes),
    k: groupsOf(l, k!, sizes, sizes.keys),
    v: groupsOf(l, v!, sizes, sizes.keys),
  }))

/** Blocks' results back to [B,T,H,D]. */
const joinQueries = (
  l: Lowering,
  blocks: readonly Ref[],
  sizes: AttentionSizes,
  shape: readonly number[],
): Ref => {
  const parts = sizes.queries / sizes.blockQueries
  const groups = Array.from({ length: blocks.length / parts }, (_, g) => concat(l, blocks.slice(g * parts, (g + 1) * parts), 1)) // prettier-ignore
  return joinGroups(l, groups, shape)
}

const joinGroups = (l: Lowering, groups: readonly Ref[], shape: readonly number[]): Ref => {
  const [batch, length, heads, width] = shape as [number, number, number, number]
  const perHead = l.reshape(concat(l, groups, 0), [batch, heads, length, width])
  return l.widen(l.transpose(perHead, PER_HEAD))
}

const range = (l: Lowering, from: number, to: number): Ref =>
  l.add("Range", [l.scalar(from, "i32"), l.scalar(to, "i32"), l.scalar(1, "i32")], { Tidx: INDEX }, "int32")

/** MASKED where `hidden` holds, else 0. */
const maskOf = (l: Lowering, hidden: Ref): Ref =>
  l.add("SelectV2", [hidden, l.scalar(MASKED), l.scalar(0)], { T: { type: "float" } }, "float")

/** [queries, keys] of one block: 0 where the query sees the key, a large negative number where it does not. */
const causalMask = (l: Lowering, { first }: Block, { blockQueries, keys }: AttentionSizes): Ref =>
  l.once(`causal|${first}|${blockQueries}|${keys}`, () => {
    const rows = l.reshape(range(l, first, first + blockQueries), [blockQueries, 1])
    return maskOf(l, l.op("Less", [rows, range(l, 0, keys)], {}, "bool"))
  })

/** Per group [heads of a block, 1, keys]: 0 where a row's queries see the key, a large negative number elsewhere. */
const lengthMasks = (l: Lowering, lengths: Value, sizes: AttentionSizes): readonly Ref[] => {
  const { heads, keys, blockHeads } = sizes
  const given = l.lowered(lengths)
  return l.once(`lengths|${given.name}|${heads}|${keys}|${blockHeads}`, () => {
    const rows = l.type(lengths).shape[0]!
    const hidden = l.op("GreaterEqual", [range(l, 0, keys), l.reshape(given, [rows, 1])], {}, "bool")
    const mask = l.reshape(maskOf(l, hidden), [rows, 1, 1, keys])
    const perHead = l.op("Tile", [mask, l.ints([1, heads / rows, 1, 1])], { Tmultiples: INDEX })
    return split(l, l.reshape(perHead, [heads, 1, keys]), 0, heads / blockHeads)
  })
}

/** x [B,T,H,D], with 0 in the rows whose queries see no key. */
const whereSeen = (l: Lowering, node: AttentionNode, x: Ref): Ref => {
  const lengths = lengthsOf(node)
  if (lengths === undefined) return x
  const given = l.lowered(lengths)
  const seen = l.once(`seen|${given.name}`, () => {
    const some = l.op("Greater", [given, l.scalar(0, "i32")], {}, "bool")
    return l.reshape(l.cast(some, "float"), [l.type(lengths).shape[0]!, 1, 1, 1])
  })
  return l.op("Mul", [x, seen])
}

const probabilitiesOf = (
  l: Lowering,
  node: AttentionNode,
  sizes: AttentionSizes,
  block: Block,
  { q, k }: Operands,
  after: readonly Ref[],
): Ref => {
  const scores = l.widen(rawBatchMatMul(l, q[block.group]![block.part]!, k[block.group]!, false, true, after))
  const past = node.attrs.causal ? l.op("AddV2", [scores, causalMask(l, block, sizes)]) : scores
  const lengths = lengthsOf(node)
  return l.op("Softmax", [
    lengths === undefined ? past : l.op("AddV2", [past, lengthMasks(l, lengths, sizes)[block.group]!]),
  ])
}

const sumLast = (l: Lowering, x: Ref): Ref =>
  l.op("Sum", [x, l.ints([2])], { Tidx: INDEX, keep_dims: { bool: true } })

export const ATTENTION_RULES: Rules<"attention" | "attentionGrad"> = {
  attention: (l, node, inputs) => {
    const sizes = sizesFor(l, node)
    const parts = operandsOf(l, node, sizes, inputs)
    const keep = l.spend(
      "attention",
      4 * sizeOf([sizes.heads, sizes.queries, sizes.keys]),
      l.options.keepAttentionBytes,
    )
    const probabilities: Ref[] = []
    const outputs: Ref[] = []
    blocksOf(sizes).forEach((block, i) => {
      const after = i < IN_FLIGHT ? [] : [outputs[i - IN_FLIGHT]!]
      const p = operand(l, probabilitiesOf(l, node, sizes, block, parts, after))
      probabilities.push(p)
      outputs.push(rawBatchMatMul(l, p, parts.v[block.group]!, false, false))
    })
    l.remember(keyOf(node), { outputs, probabilities: keep ? probabilities : undefined } satisfies Kept)
    return whereSeen(l, node, joinQueries(l, outputs, sizes, node.outputs[0]!.shape))
  },

  attentionGrad: (l, node, inputs) => {
    const sizes = sizesFor(l, node)
    const parts = operandsOf(l, node, sizes, inputs)
    const kept = l.recall<Kept>(keyOf(node))
    const dys = queryBlocks(l, whereSeen(l, node, inputs[3]!), sizes)
    const groups = sizes.heads / sizes.blockHeads
    const dq: Ref[] = []
    const dk = Array.from({ length: groups }, (): Ref[] => [])
    const dv = Array.from({ length: groups }, (): Ref[] => [])
    // The first block also waits until the gradient is there, so that nothing is recomputed early.
    const started = dys[0]![0]!
    blocksOf(sizes).forEach((block, i) => {
      const after = i < IN_FLIGHT ? [started] : [dq[i - IN_FLIGHT]!]
      const { group, part } = block
      const dy = dys[group]![part]!
      const keptHere = kept?.probabilities?.[i]
      const p =
        keptHere === undefined ? probabilitiesOf(l, node, sizes, block, parts, after) : l.widen(keptHere)
      const pOperand = keptHere ?? operand(l, p)
      dv[group]!.push(l.widen(rawBatchMatMul(l, pOperand, dy, true, false)))
      const dp = l.widen(rawBatchMatMul(l, dy, parts.v[group]!, false, true, after))
      // rowsum(dP * P) = rowsum(dy * y): a pass over [T,D] instead of [T,S].
      const y = kept?.outputs[i]
      const weighted = y === undefined ? l.op("Mul", [dp, p]) : l.op("Mul", [l.widen(dy), l.widen(y)])
      const ds = operand(l, l.op("Mul", [l.op("Sub", [dp, sumLast(l, weighted)]), p]))
      dq.push(rawBatchMatMul(l, ds, parts.k[group]!, false, false))
      dk[group]!.push(l.widen(rawBatchMatMul(l, ds, parts.q[group]![part]!, true, false)))
    })
    const sums = (x: readonly (readonly Ref[])[]): Ref =>
      joinGroups(
        l,
        x.map((g) => (g.length === 1 ? g[0]! : l.op("AddN", g, { N: { int: g.length } }))),
        node.outputs[1]!.shape,
      )
    const dQuery = joinQueries(l, dq, sizes, node.outputs[0]!.shape)
    const scaled = node.attrs.scale === 1 ? dQuery : l.op("Mul", [dQuery, l.scalar(node.attrs.scale)])
    return [scaled, sums(dk), sums(dv)]
  },
}
