/** A graph as the torch worker reads it: compact JSON, with large constants as tensors beside it. */
import type { Graph } from "../ir.js"
import { dtypeOf, type FrameTensor } from "./frames.js"

/** `[operation, inputs as node, output, node, output, ..., attributes, result types]` of each node, in order. */
type WireNode = readonly [
  string,
  readonly number[],
  object,
  readonly (readonly [string, readonly number[]])[],
]

export interface WireGraph {
  readonly name: string
  readonly nodes: readonly WireNode[]
  /** `[name, kind, node, storage]` */
  readonly inputs: readonly (readonly [string, string, number, string])[]
  /** `[name, node, output]` */
  readonly outputs: readonly (readonly [string, number, number])[]
  /** What `call` nodes compute. */
  readonly functions: Readonly<Record<string, WireGraph>>
}

/** JSON has no infinities; Python's `float` reads these words. */
const word = (value: unknown): unknown =>
  typeof value === "number" && !Number.isFinite(value) ? String(value) : value

/**
 * The graph, and its dense constants as tensors named `<key>#<node>`. Single values stay in the JSON text, which
 * keeps a double exactly.
 */
export const wireGraph = (
  key: string,
  graph: Graph,
): { readonly graph: WireGraph; readonly constants: readonly FrameTensor[] } => {
  const constants: FrameTensor[] = []
  const nodes = graph.nodes.map((node): WireNode => {
    const inputs = node.inputs.flatMap(({ node: from, output }) => [from, output])
    const outputs = node.outputs.map(({ dtype, shape }) => [dtype, shape] as const)
    if (node.op !== "constant") {
      const attrs = Object.fromEntries(Object.entries(node.attrs).map(([name, value]) => [name, word(value)]))
      return [node.op, inputs, attrs, outputs]
    }
    const { data } = node.attrs
    if (data.kind === "splat") return [node.op, inputs, { splat: word(data.value) }, outputs]
    const name = `${key}#${node.id}`
    constants.push({
      name,
      dtype: dtypeOf(data.values),
      shape: node.outputs[0]!.shape,
      data: data.values,
    })
    return [node.op, inputs, { tensor: name }, outputs]
  })
  const functions: Record<string, WireGraph> = {}
  for (const [name, body] of Object.entries(graph.functions ?? {})) {
    const wired = wireGraph(`${key}/${name}`, body)
    functions[name] = wired.graph
    constants.push(...wired.constants)
  }
  return {
    graph: {
      name: graph.name,
      nodes,
      inputs: graph.inputs.map(({ name, kind, value, storage }) => [
        name,
        kind,
        value.node,
        storage ?? "f32",
      ]),
      outputs: graph.outputs.map(({ name, value }) => [name, value.node, value.output]),
      functions,
    },
    constants,
  }
}
