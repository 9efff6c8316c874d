/**
 * Clusters of elementwise operations: what a compiler turns into few loops over memory instead of one for each
 * operation.
 *
 * A cluster is computed as a unit, once everything it needs from outside is there. So no member may need a result
 * that itself waits for the cluster; with that, clusters and the nodes outside form a graph without cycles.
 */
import { sizeOf, type Graph, type Node, type Op } from "../ir.js"

const ELEMENTWISE: ReadonlySet<Op> = new Set([
  ...(["neg", "abs", "sqrt", "rsqrt", "reciprocal", "square", "relu", "step"] as const),
  ...(["add", "sub", "mul", "div", "maximum", "minimum", "squaredDifference"] as const),
])

export interface ClusterOptions {
  /** Smaller results are not worth a call of their own. */
  readonly minElements: number
  readonly minNodes: number
}

/** Node ids of each cluster, in topological order; every member's result has the cluster's shape. */
export const elementwiseClusters = (
  graph: Graph,
  { minElements, minNodes }: ClusterOptions,
): readonly (readonly number[])[] => {
  const growing = new Growing(graph)
  const summed = onlySummed(graph)
  for (const node of graph.nodes) {
    const [out] = node.outputs
    const eligible =
      ELEMENTWISE.has(node.op) &&
      out!.dtype === "f32" &&
      sizeOf(out!.shape) >= minElements &&
      !summed.has(node.id)
    growing.place(node, eligible)
  }
  return growing.clusters().filter((nodes) => nodes.length >= minNodes)
}

/** Squares that are only summed: executors have the sum of squares as one operation. */
const onlySummed = (graph: Graph): ReadonlySet<number> => {
  const summed = new Set(graph.nodes.filter((n) => n.op === "square").map((n) => n.id))
  for (const node of graph.nodes)
    if (node.op !== "reduceSum" && node.op !== "reduceMean")
      for (const v of node.inputs) summed.delete(v.node)
  for (const { value } of graph.outputs) summed.delete(value.node)
  return summed
}

interface Cluster {
  readonly shape: string
  nodes: number[]
  /** Clusters that some member waits for. */
  waits: Set<Cluster>
  /** The cluster that this one has become part of. */
  into: Cluster | undefined
}

const current = (cluster: Cluster): Cluster => {
  let found = cluster
  while (found.into !== undefined) found = found.into
  return found
}

/** Whether one of these clusters is the target or waits for it. */
const reaches = (from: Iterable<Cluster>, target: Cluster, seen = new Set<Cluster>()): boolean => {
  for (const each of from) {
    const cluster = current(each)
    if (cluster === target) return true
    if (seen.has(cluster)) continue
    seen.add(cluster)
    if (reaches(cluster.waits, target, seen)) return true
  }
  return false
}

/** Clusters while the graph's nodes are gone through in topological order. */
class Growing {
  readonly #all: Cluster[] = []
  readonly #of: (Cluster | undefined)[] = []
  /** Clusters that a node outside any waits for. */
  readonly #waits: (ReadonlySet<Cluster> | undefined)[] = []
  readonly #graph: Graph

  constructor(graph: Graph) {
    this.#graph = graph
  }

  clusters(): readonly (readonly number[])[] {
    return this.#all.filter((c) => c.into === undefined).map((c) => c.nodes.toSorted((a, b) => a - b))
  }

  place(node: Node, eligible: boolean): void {
    if (!eligible) {
      this.#waits[node.id] = this.#waitsFor(node, undefined)
      return
    }
    const shape = node.outputs[0]!.shape.join()
    let own: Cluster = { shape, nodes: [node.id], waits: this.#waitsFor(node, undefined), into: undefined }
    this.#all.push(own)
    this.#of[node.id] = own
    for (const { node: producer } of node.inputs) {
      const other = this.#clusterOf(producer)
      if (other !== undefined && other !== own && other.shape === shape) own = this.#merged(own, other)
    }
  }

  #clusterOf(node: number): Cluster | undefined {
    const cluster = this.#of[node]
    return cluster === undefined ? undefined : current(cluster)
  }

  #waitsFor(node: Node, own: Cluster | undefined): Set<Cluster> {
    const all = new Set<Cluster>()
    for (const { node: producer } of node.inputs) {
      const cluster = this.#clusterOf(producer)
      if (cluster === undefined) for (const each of this.#waits[producer] ?? []) all.add(each)
      else if (cluster !== own) all.add(cluster)
    }
    return all
  }

  /** The two as one, where no path leads from one to the other through anything else; else `own` as it was. */
  #merged(own: Cluster, other: Cluster): Cluster {
    const outside = (cluster: Cluster, but: Cluster): readonly Cluster[] =>
      [...cluster.waits].map(current).filter((c) => c !== but && c !== cluster)
    // Direct edges between the two become inner ones; a node between them would wait for one of them.
    const between = (a: Cluster, b: Cluster): boolean =>
      a.nodes.some((id) => this.#throughNode(this.#graph.nodes[id]!, b))
    if (between(own, other) || between(other, own)) return own
    if (reaches(outside(own, other), other) || reaches(outside(other, own), own)) return own
    const waits = new Set([...outside(own, other), ...outside(other, own)])
    other.nodes = [...other.nodes, ...own.nodes]
    other.waits = waits
    own.into = other
    return other
  }

  /** Whether a node outside any cluster that this one needs waits for the cluster. */
  #throughNode(node: Node, cluster: Cluster): boolean {
    return node.inputs.some(
      ({ node: producer }) =>
        this.#clusterOf(producer) === undefined && reaches(this.#waits[producer] ?? [], cluster),
    )
  }
}

/**
 * Nodes and clusters in an order in which each finds its inputs computed.
 * @param clusters of disjoint nodes, as `elementwiseClusters` finds them
 */
export const orderWithClusters = (
  graph: Graph,
  clusters: readonly (readonly number[])[],
): readonly (readonly number[])[] => {
  const unitOf = new Map(clusters.flatMap((cluster) => cluster.map((id) => [id, cluster] as const)))
  const done = new Set<number>()
  const order: (readonly number[])[] = []
  const visit = (id: number): void => {
    if (done.has(id)) return
    const unit = unitOf.get(id) ?? [id]
    for (const member of unit) done.add(member)
    for (const member of unit) for (const { node } of graph.nodes[member]!.inputs) visit(node)
    order.push(unit)
  }
  // Each node's inputs come before it, so the calls go no deeper than chains of clusters and what they wait for.
  for (const node of graph.nodes) visit(node.id)
  return order
}
