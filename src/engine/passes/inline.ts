/** Writes out every call, for executors whose unit is the whole graph. */
import { GraphBuilder } from "../builder.js"
import type { Graph, Node, Value } from "../ir.js"

/** The same graph without functions; the graph itself where it has none. */
export const inlineCalls = (graph: Graph): Graph => {
  if (graph.functions === undefined) return graph
  const builder = new GraphBuilder()
  const inputs = new Map(graph.inputs.map((input) => [input.value.node, input]))
  const outer = copyInto(builder, graph, (node) => {
    const { name, kind, storage } = inputs.get(node.id)!
    return builder.input(name, kind, node.outputs[0]!, storage)
  })
  return builder.build(
    graph.name,
    graph.outputs.map(({ name, value }) => ({ name, value: outer(value) })),
  )
}

/** Adds a graph's nodes, calls written out; `input` gives the value of each input node. Where each value went. */
const copyInto = (
  builder: GraphBuilder,
  graph: Graph,
  input: (node: Node) => Value,
): ((value: Value) => Value) => {
  const copied: (readonly Value[])[] = []
  const moved = ({ node, output }: Value): Value => copied[node]![output]!
  for (const node of graph.nodes) {
    const args = node.inputs.map(moved)
    if (node.op === "input") copied.push([input(node)])
    else if (node.op === "constant") copied.push([builder.constantOf(node.attrs, node.outputs[0]!)])
    else if (node.op !== "call") copied.push(builder.opMany(node.op, args, node.attrs as never))
    else {
      const body = graph.functions![node.attrs.function]!
      const arguments_ = new Map(body.inputs.map(({ value }, i) => [value.node, args[i]!]))
      const inside = copyInto(builder, body, ({ id }) => arguments_.get(id)!)
      copied.push(body.outputs.map(({ value }) => inside(value)))
    }
  }
  return moved
}
