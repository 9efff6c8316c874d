/** Lowers a graph to a GraphDef: one table of rules, one node after the other. */
import type { Graph, GraphInput, GraphOutput, Node, Op } from "../ir.js"
import { encodeGraphDef } from "./graph-def.js"
import { ATTENTION_RULES } from "./lower-attention.js"
import { COMPOSITE_RULES } from "./lower-composites.js"
import { ELEMENTWISE_RULES } from "./lower-elementwise.js"
import { LINEAR_RULES } from "./lower-linear.js"
import { REDUCE_RULES } from "./lower-reduce.js"
import { SHAPE_RULES } from "./lower-shape.js"
import { Lowering, type LowerOptions, type Ref, type Rules } from "./lowering.js"

const RULES: Rules<Op> = {
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
  readonly inputs: readonly LoweredInput[]
  readonly outputs: readonly LoweredOutput[]
}

/** @throws Error naming the operation when the table has no rule for it */
export const lowerGraph = (graph: Graph, options: LowerOptions): LoweredGraph => {
  const l = new Lowering(graph, options)
  for (const node of graph.nodes) {
    const rule = RULES[node.op] as
      ((l: Lowering, node: Node, inputs: readonly Ref[]) => Ref | readonly Ref[]) | undefined
    if (rule === undefined)
      throw new Error(`tensorflow: graph ${graph.name} uses the operation ${node.op}, which has no lowering`)
    l.enter(node)
    const result = rule(
      l,
      node,
      node.inputs.map((v) => l.lowered(v)),
    )
    l.define(node, "name" in result ? [result] : result)
  }
  const inputs = graph.inputs.map((input) => ({ ...input, node: l.lowered(input.value).name }))
  const outputs = graph.outputs.map((output, i) => {
    const ref = l.lowered(output.value)
    const node = `output_${i}`
    l.nodes.push({ name: node, op: "Identity", inputs: [ref.name], attrs: { T: { type: ref.type } } })
    return { ...output, node }
  })
  return { graphDef: encodeGraphDef(l.nodes), inputs, outputs }
}
