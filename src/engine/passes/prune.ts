/** Drops every node that no output needs and renumbers the rest. Inputs stay, used or not. */
import type { Graph, Node, Value } from "../ir.js"

/** The functions that are still called; they hold no calls themselves. */
const called = (nodes: readonly Node[], functions: Graph["functions"]): Pick<Graph, "functions"> => {
  const names = new Set(nodes.flatMap((n) => (n.op === "call" ? [n.attrs.function] : [])))
  if (names.size === 0) return {}
  return { functions: Object.fromEntries([...names].map((name) => [name, functions![name]!])) }
}

export const prune = (graph: Graph): Graph => {
  const live = new Uint8Array(graph.nodes.length)
  const stack = [...graph.outputs, ...graph.inputs].map((o) => o.value.node)
  while (stack.length > 0) {
    const id = stack.pop()!
    if (live[id] === 1) continue
    live[id] = 1
    for (const input of graph.nodes[id]!.inputs) stack.push(input.node)
  }
  const renumbered = new Int32Array(graph.nodes.length).fill(-1)
  const nodes: Node[] = []
  const move = (value: Value): Value => ({ node: renumbered[value.node]!, output: value.output })
  for (const node of graph.nodes) {
    if (live[node.id] === 0) continue
    renumbered[node.id] = nodes.length
    nodes.push({ ...node, id: nodes.length, inputs: node.inputs.map(move) } as Node)
  }
  return {
    name: graph.name,
    nodes,
    inputs: graph.inputs.map((i) => ({ ...i, value: move(i.value) })),
    outputs: graph.outputs.map((o) => ({ ...o, value: move(o.value) })),
    ...called(nodes, graph.functions),
  }
}
