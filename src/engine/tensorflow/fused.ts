/**
 * Clusters of elementwise operations as functions that the library compiles with XLA: one pass over memory for each
 * instead of one for each operation. Such a function runs on one thread.
 */
import { createHash } from "node:crypto"
import { type Graph, type Node, type Value } from "../ir.js"
import type { FunctionDef, NodeDef } from "./graph-def.js"
import { Lowering, type LowerOptions, type Ref } from "./lowering.js"

/** Names of the first output in an operation's definition; `node:name:0` is how a function's body refers to it. */
const OUTPUT_NAMES: Readonly<Record<string, string>> = {
  AddV2: "z",
  Const: "output",
  Maximum: "z",
  Minimum: "z",
  Mul: "z",
  Neg: "y",
  Abs: "y",
  RealDiv: "z",
  Reciprocal: "y",
  Relu: "activations",
  Rsqrt: "y",
  Sqrt: "y",
  Square: "y",
  SquaredDifference: "z",
  Sub: "z",
  Cast: "y",
  Greater: "z",
}

/** The body of a function: what it needs from outside becomes an argument. */
class Body extends Lowering {
  readonly args: { readonly value: Value; readonly ref: Ref }[] = []
  readonly #outer: Lowering
  readonly #inside: ReadonlySet<number>

  constructor(graph: Graph, options: LowerOptions, outer: Lowering, inside: ReadonlySet<number>) {
    super(graph, options)
    this.#outer = outer
    this.#inside = inside
  }

  override lowered(value: Value): Ref {
    if (this.#inside.has(value.node)) return super.lowered(value)
    const known = this.args.find(({ value: v }) => v.node === value.node && v.output === value.output)
    if (known !== undefined) return known.ref
    const ref = { name: `arg${this.args.length}`, type: this.#outer.lowered(value).type }
    this.args.push({ value, ref })
    return ref
  }
}

/** Values of members that something outside needs, in order. */
const resultsOf = (graph: Graph, inside: ReadonlySet<number>): readonly Value[] => {
  const needed = new Set<number>()
  for (const node of graph.nodes)
    if (!inside.has(node.id)) for (const { node: id } of node.inputs) if (inside.has(id)) needed.add(id)
  for (const { value } of graph.outputs) if (inside.has(value.node)) needed.add(value.node)
  return [...inside].filter((id) => needed.has(id)).map((node) => ({ node, output: 0 }))
}

/** Only what results need, under names that do not tell where in the graph the function stood. */
const canonical = (
  body: Body,
  results: readonly Ref[],
): Pick<FunctionDef, "nodes" | "results" | "args"> & { readonly used: readonly number[] } => {
  const byName = new Map(body.nodes.map((node) => [node.name, node]))
  const kept = new Set<string>()
  const keep = (name: string): void => {
    const node = byName.get(name)
    if (node === undefined || kept.has(name)) return
    kept.add(name)
    node.inputs.forEach(keep)
  }
  for (const { name } of results) keep(name)
  const nodes = body.nodes.filter((node) => kept.has(node.name))
  const asked = new Set(nodes.flatMap((node) => node.inputs))
  const used = body.args.flatMap(({ ref }, i) => (asked.has(ref.name) ? [i] : []))
  const names = new Map<string, string>()
  used.forEach((arg, i) => names.set(body.args[arg]!.ref.name, `a${i}`))
  nodes.forEach((node, i) => {
    const output = OUTPUT_NAMES[node.op]
    if (output === undefined) throw new Error(`tensorflow: ${node.op} cannot stand in a fused function`)
    names.set(node.name, `n${i}:${output}:0`)
  })
  return {
    used,
    args: used.map((arg, i) => ({ name: `a${i}`, type: body.args[arg]!.ref.type })),
    nodes: nodes.map((node, i): NodeDef => ({
      ...node,
      name: `n${i}`,
      inputs: node.inputs.map((input) => names.get(input)!),
    })),
    results: results.map(({ name, type }, i) => ({ name: `r${i}`, type, value: names.get(name)! })),
  }
}

/** Functions of one graph; equal clusters share one. */
export class FusedFunctions {
  readonly #functions = new Map<string, FunctionDef>()

  all(): readonly FunctionDef[] {
    return [...this.#functions.values()]
  }

  /** Lowers a cluster to one call and defines every member's value that is needed outside. */
  lower(l: Lowering, cluster: readonly Node[], lowerNode: (l: Lowering, node: Node) => void): void {
    const { graph, options } = l
    const inside = new Set(cluster.map((node) => node.id))
    const body = new Body(graph, options, l, inside)
    for (const node of cluster) lowerNode(body, node)
    l.enter(cluster.at(-1)!)
    const values = resultsOf(graph, inside)
    const { used, ...parts } = canonical(
      body,
      values.map((v) => body.lowered(v)),
    )
    const text = JSON.stringify(parts, (_, v: unknown) => (v instanceof Uint8Array ? [...v] : v))
    const name = `fused_${createHash("sha256").update(text).digest("hex").slice(0, 16)}`
    this.#functions.set(name, { name, ...parts, attrs: { _XlaMustCompile: { bool: true } } })
    const refs = l.addMany(
      "PartitionedCall",
      used.map((i) => l.lowered(body.args[i]!.value)),
      {
        Tin: { types: parts.args.map((a) => a.type) },
        Tout: { types: parts.results.map((r) => r.type) },
        f: { func: name },
        _XlaMustCompile: { bool: true },
      },
      parts.results.map((r) => r.type),
    )
    values.forEach((value, i) => l.define(graph.nodes[value.node]!, [refs[i]!]))
  }
}
