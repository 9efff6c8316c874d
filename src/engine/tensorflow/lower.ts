/** Lowers a graph to a GraphDef: one table of rules, one node after the other. */
import type { Graph, GraphInput, GraphOutput, Node, Op } from "../ir.js"
import { elementwiseClusters, orderWithClusters } from "../passes/clusters.js"
import { inlineCalls } from "../passes/inline.js"
import { FusedFunctions } from "./fused.js"
import { encodeFunctionDef, encodeGraphDef } from "./graph-def.js"
import { ATTENTION_RULES } from "./lower-attention.js"
import { COMPOSITE_RULES } from "./lower-composites.js"
import { ELEMENTWISE_RULES } from "./lower-elementwise.js"
import { LINEAR_RULES } from "./lower-linear.js"
import { REDUCE_RULES } from "./lower-reduce.js"
import { placeholderKey, SHAPE_RULES } from "./lower-shape.js"
import { Lowering, type LowerOptions, type Ref, type Rules } from "./lowering.js"

const RULES: Rules<Exclude<Op, "call">> = {
  ...ELEMENTWISE_RULES,
  ...SHAPE_RULES,
  ...LINEAR_RULES,
  ...REDUCE_RULES,
  ...ATTENTION_RULES,
  ...COMPOSITE_RULES,
}

export interface LoweredInput extends GraphInput {
  /** Name of the Placeholder node. */
  readonly node: string
}

export interface LoweredOutput extends GraphOutput {
  /** Name of an Identity node. */
  readonly node: string
}

export interface LoweredGraph {
  /** Serialized GraphDef. */
  readonly graphDef: Uint8Array
  /** Functions that the graph calls: serialized FunctionDefs by name. */
  readonly functions: ReadonlyMap<string, Uint8Array>
  readonly inputs: readonly LoweredInput[]
  readonly outputs: readonly LoweredOutput[]
}

/** A call of a compiled function takes tens of microseconds. */
export const WORTH_FUSING = { minElements: 16_384, minNodes: 2 } as const

/** Lowers one node where its inputs are lowered already. */
const lowerNode = (l: Lowering, node: Node): void => {
  const rule = RULES[node.op as Exclude<Op, "call">] as
    ((l: Lowering, node: Node, inputs: readonly Ref[]) => Ref | readonly Ref[]) | undefined
  if (rule === undefined)
    throw new Error(`tensorflow: graph ${l.graph.name} uses the operation ${node.op}, which has no lowering`)
  l.enter(node)
  const result = rule(
    l,
    node,
    node.inputs.map((v) => l.lowered(v)),
  )
  l.define(node, "name" in result ? [result] : result)
}

/** @throws Error naming the operation when the table has no rule for it */
export const lowerGraph = (given: Graph, options: LowerOptions): LoweredGraph => {
  const graph = inlineCalls(given)
  const l = new Lowering(graph, options)
  const fused = new FusedFunctions()
  const clusters = options.fuse === true ? elementwiseClusters(graph, WORTH_FUSING) : []
  for (const unit of orderWithClusters(graph, clusters)) {
    const nodes = unit.map((id) => graph.nodes[id]!)
    if (nodes.length === 1) lowerNode(l, nodes[0]!)
    else fused.lower(l, nodes, lowerNode)
  }
  const inputs = graph.inputs.map((input) => ({
    ...input,
    node: l.recall<string>(placeholderKey(input.value.node))!,
  }))
  const outputs = graph.outputs.map((output, i) => {
    const ref = l.lowered(output.value)
    const node = `output_${i}`
    l.nodes.push({ name: node, op: "Identity", inputs: [ref.name], attrs: { T: { type: ref.type } } })
    return { ...output, node }
  })
  const functions = new Map(fused.all().map((f) => [f.name, encodeFunctionDef(f)]))
  return { graphDef: encodeGraphDef(l.nodes), functions, inputs, outputs }
}
