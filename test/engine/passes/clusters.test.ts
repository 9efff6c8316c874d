import { fc, fuzz } from "../../fuzz.js"
import { test } from "tap"
import { GraphBuilder } from "../../../src/engine/builder.js"
import type { Graph, Value } from "../../../src/engine/ir.js"
import { elementwiseClusters, orderWithClusters } from "../../../src/engine/passes/clusters.js"
import { graphOf, recipes } from "../random-graph.js"

const type = { dtype: "f32", shape: [4, 4] } as const
const all = { minElements: 1, minNodes: 2 }

/** Operations of each cluster. */
const words = (graph: Graph, options = all): readonly string[] =>
  elementwiseClusters(graph, options).map((ids) => ids.map((id) => graph.nodes[id]!.op).join(" "))

const build = (make: (g: GraphBuilder, x: Value, y: Value) => readonly Value[]): Graph => {
  const g = new GraphBuilder()
  const outputs = make(g, g.input("x", "feed", type), g.input("y", "feed", type))
  return g.build(
    "test",
    outputs.map((value, i) => ({ name: `o${i}`, value })),
  )
}

void test("branches that meet are one cluster, with every result that is needed", (t) => {
  const graph = build((g, x, y) => {
    const m = g.op("add", [g.op("mul", [x, x], {}), g.op("mul", [x, y], {})], {})
    return [m, g.op("div", [m, g.op("sqrt", [y], {})], {})]
  })
  t.same(words(graph), ["mul mul add sqrt div"])
  t.same(words(graph, { minElements: 17, minNodes: 2 }), [], "16 elements are too few")
  t.same(words(graph, { minElements: 1, minNodes: 6 }), [], "five nodes are too few")
  t.end()
})

void test("a result that waits for a cluster does not join it", (t) => {
  const graph = build((g, x) => {
    const a = g.op("square", [g.op("relu", [x], {})], {})
    const s = g.op("softmax", [a], {})
    // Needs `a` at once and `s`, which waits for `a`'s cluster.
    return [g.op("neg", [g.op("add", [a, s], {})], {})]
  })
  t.same(words(graph), ["relu square", "add neg"])
  t.end()
})

void test("the sum of squares of all gradients stands between their sums and the update", (t) => {
  const graph = build((g, x, y) => {
    const gradient = g.op("add", [x, g.op("neg", [y], {})], {})
    const norm = g.op("reduceSum", [g.op("square", [gradient], {})], { axes: [0, 1], keepDims: false })
    return [g.op("sub", [x, g.op("mul", [gradient, norm], {})], {})]
  })
  // The square that is only summed stays outside.
  t.same(words(graph), ["neg add", "mul sub"])
  t.end()
})

void test("results of another shape, integers and other operations stay outside", (t) => {
  const g = new GraphBuilder()
  const x = g.input("x", "feed", type)
  const row = g.input("row", "feed", { dtype: "f32", shape: [1, 4] })
  const spread = g.op("mul", [x, g.op("square", [g.op("relu", [row], {})], {})], {})
  const n = g.input("n", "feed", { dtype: "i32", shape: [4, 4] })
  const graph = g.build("test", [
    { name: "a", value: g.op("relu", [spread], {}) },
    { name: "b", value: g.op("add", [g.op("mul", [n, n], {}), n], {}) },
  ])
  t.same(words(graph), ["relu square", "mul relu"])
  t.end()
})

void test("random graphs: nodes are in one cluster at most, and the order finds every input computed", (t) => {
  fc.assert(
    fc.property(recipes, (recipe) => {
      const graph = graphOf(recipe, 2)
      const clusters = elementwiseClusters(graph, all)
      const members = clusters.flat()
      if (new Set(members).size !== members.length) return false
      const order = orderWithClusters(graph, clusters)
      const done = new Set<number>()
      for (const unit of order) {
        const inside = new Set(unit)
        for (const id of unit)
          for (const { node } of graph.nodes[id]!.inputs)
            if (!inside.has(node) && !done.has(node)) return false
        for (const id of unit) done.add(id)
      }
      return done.size === graph.nodes.length && order.flat().length === graph.nodes.length
    }),
    fuzz(2000),
  )
  t.pass("2000 graphs")
  t.end()
})
