import { test } from "tap"
import { interpret } from "../../src/engine/tfjs/interpret.js"
import { inlineCalls } from "../../src/engine/passes/inline.js"
import { block, trace, type TraceInput } from "../../src/engine/trace/trace.js"
import * as tf from "../../src/model/tf.js"
import { numbers } from "./op-cases.js"
import { relativeDifference } from "./parity.js"

await tf.useCpuBackend()

const param = (name: string, shape: readonly number[]): TraceInput => ({
  name,
  kind: "parameter",
  dtype: "f32",
  shape,
})

/** Two-layer network with attention, rotation and normalisation; loss and gradients. */
const network = (x: Readonly<Record<string, tf.Tensor>>): Record<string, tf.Tensor> => {
  const names = ["w", "v", "table"] as const
  const f = (w: tf.Tensor, v: tf.Tensor, table: tf.Tensor): tf.Scalar => {
    const h = tf.reshape(tf.gather(table, tf.reshape(x["ids"]!, [10])), [2, 5, 8])
    const n = tf.rmsNorm(h, { eps: 1e-6 })
    const q = tf.reshape(tf.matMul(tf.reshape(n, [10, 8]), w as tf.Tensor2D), [2, 5, 2, 4])
    const cos = tf.cos(tf.ones([5, 2]))
    const sin = tf.sin(tf.ones([5, 2]))
    const a = tf.attention(tf.rotary(q, cos, sin), tf.rotary(q, cos, sin), q, { scale: 0.5, causal: false })
    const y = tf.add(tf.matMul(tf.square(tf.relu(tf.reshape(a, [10, 8]))), v as tf.Tensor2D), 0.1)
    return tf.sum(tf.mul(tf.crossEntropy(y, x["targets"]!), 0.25))
  }
  const { value, grads } = tf.valueAndGrads(f as never)(names.map((n) => x[n]!))
  return { loss: value, ...Object.fromEntries(grads.map((g, i) => [`grad/${names[i]}`, g])) }
}
const shapes = { w: [8, 8], v: [8, 6], table: [7, 8] } as const
const inputs: readonly TraceInput[] = [
  ...Object.entries(shapes).map(([name, shape]) => param(name, shape)),
  { name: "ids", kind: "feed", dtype: "i32", shape: [2, 5] },
  { name: "targets", kind: "feed", dtype: "i32", shape: [10] },
]
const values = (): Record<string, tf.Tensor> => ({
  ...Object.fromEntries(
    Object.entries(shapes).map(([name, shape], i) => [
      name,
      tf.tensor(numbers(shape[0] * shape[1], i), [...shape]),
    ]),
  ),
  ids: tf.tensor([0, 3, 6, 3, 3, 1, 0, 5, 2, 3], [2, 5], "int32"),
  targets: tf.tensor([0, 5, 2, 1, 1, 4, 3, 0, 2, 5], [10], "int32"),
})

void test("a traced loss with its gradients equals the eager one", (t) => {
  const x = values()
  const eager = network(x)
  const before = tf.memory()
  const graph = trace("net", inputs, network)
  const after = tf.memory()
  t.equal(after.numTensors, before.numTensors, "no tensor outlives a trace")
  t.equal(after.numDataBuffers, before.numDataBuffers, "no data outlives a trace")
  t.equal(tf.getBackend(), "cpu", "the backend is restored")
  const traced = interpret(graph, x)
  for (const [name, tensor] of Object.entries(eager)) {
    // Same arithmetic on the same backend; rewrites may reorder sums of at most 64 terms.
    t.ok(relativeDifference(tensor.dataSync(), traced[name]!.dataSync()) < 1e-6, name)
  }
  t.ok(
    graph.nodes.some((n) => n.op === "attentionGrad"),
    "attention stays one node",
  )
  t.equal(graph.nodes.filter((n) => n.op === "attention").length, 1)
  t.end()
})

void test("what cannot be traced fails by name and restores the backend", (t) => {
  const one = [param("x", [2])]
  t.throws(
    () => trace("r", one, ({ x }) => ({ y: tf.scalar(x!.dataSync()[0]!) })),
    /data of a traced tensor was read/,
  )
  t.throws(() => trace("r", one, ({ x }) => ({ y: tf.dropout(x!, 0.5) })), /dropout draws random numbers/)
  t.throws(
    () => trace("r", one, ({ x }) => ({ y: tf.add(x!, tf.randomNormal([2], 0, 1, "float32", 7)) })),
    /randomNormal draws random/,
  )
  t.throws(() => trace("r", one, ({ x }) => ({ y: tf.atan(x!) })), /Kernel 'Atan' not registered/)
  t.throws(() => trace("a", one, () => trace("b", one, ({ x }) => ({ y: x! })) as never), /do not nest/)
  t.throws(() => trace("a", [...one, ...one], ({ x }) => ({ y: x! })), /two inputs are called x/)
  t.equal(tf.getBackend(), "cpu")
  t.same(tf.scalar(2).dataSync(), [2], "the previous backend works")
  t.end()
})

void test("a tensor made outside is captured as a constant and stays usable", (t) => {
  const outside = tf.tensor([1, 2, 3])
  const graph = trace("c", [param("x", [3])], ({ x }) => ({ y: tf.mul(x!, outside) }))
  t.same(outside.dataSync(), [1, 2, 3])
  const constants = graph.nodes.filter((n) => n.op === "constant")
  t.equal(constants.length, 1)
  t.same(interpret(graph, { x: tf.tensor([2, 2, 2]) })["y"]!.dataSync(), [2, 4, 6])
  t.end()
})

void test("rewrites: equal nodes are shared, transposes enter the product, full-size ones become scalars", (t) => {
  const graph = trace("p", [param("a", [3, 4]), param("b", [3, 5])], ({ a, b }) => {
    const product = tf.matMul(tf.transpose(a!) as tf.Tensor2D, b! as tf.Tensor2D)
    const again = tf.matMul(a! as tf.Tensor2D, b! as tf.Tensor2D, true)
    return { y: tf.add(product, tf.mul(again, tf.ones([4, 5]))), z: tf.mul(product, tf.fill([4, 5], 3)) }
  })
  t.equal(graph.nodes.filter((n) => n.op === "matMul").length, 1)
  t.equal(graph.nodes.filter((n) => n.op === "transpose").length, 0)
  t.same(
    graph.nodes.filter((n) => n.op === "constant").map((n) => n.outputs[0]!.shape),
    [[]],
  )
  t.end()
})

void test("nodes are in topological order and unused inputs stay", (t) => {
  const graph = trace("u", [param("x", [2]), param("unused", [2])], ({ x }) => ({ y: tf.exp(tf.neg(x!)) }))
  graph.nodes.forEach((node, i) => {
    t.equal(node.id, i)
    for (const v of node.inputs) t.ok(v.node < i)
  })
  t.same(
    graph.inputs.map((i) => i.name),
    ["x", "unused"],
  )
  t.end()
})

type Named = Readonly<Record<string, tf.Tensor>>
const half = ({ x, w }: Named): tf.Tensor => tf.mul(tf.tanh(tf.add(x!, w!)), 0.5)
const twice = ({ x, v, w }: Named): Record<string, tf.Tensor> => ({
  y: block("layer", half, { x: block("layer", half, { x: x!, w: v! }), w: w! }),
})
const loss = (all: Named): tf.Tensor => tf.sum(twice(all)["y"]!)
const three = ["x", "v", "w"].map((name) => param(name, [2]))

void test("equal blocks are one function of the graph, written out for executors that have none", (t) => {
  const graph = trace("b", three, twice)
  t.same(Object.keys(graph.functions!), ["layer"])
  t.equal(graph.nodes.filter((n) => n.op === "call").length, 2)
  t.notOk(
    graph.nodes.some((n) => n.op === "tanh"),
    "what a block computes stands in its function alone",
  )
  const flat = inlineCalls(graph)
  const plain = trace("b", three, ({ x, v, w }) => ({ y: half({ x: half({ x: x!, w: v! }), w: w! }) }))
  t.same(flat, plain, "written out it is the graph without blocks")
  const values = { x: tf.tensor([0.3, -1]), v: tf.tensor([1, 2]), w: tf.tensor([-0.5, 0.25]) }
  t.same(interpret(graph, values)["y"]!.dataSync(), twice(values)["y"]!.dataSync(), "and computes the same")
  t.end()
})

void test("blocks that compute other things are other functions; a gradient is taken through what they compute", (t) => {
  const graph = trace("b", three, ({ x, v, w }) => ({
    a: block("layer", half, { x: x!, w: w! }),
    b: block("layer", ({ x: z, w: u }) => tf.sub(z!, u!), { x: x!, w: w! }),
    c: block("layer", half, { x: v!, w: w! }),
  }))
  t.same(Object.keys(graph.functions!), ["layer", "layer.1"])
  const gradient = trace("g", three, ({ x, v, w }) => ({
    dx: tf.grad((z: tf.Tensor) => loss({ x: z, v: v!, w: w! }))(x!),
  }))
  t.equal(gradient.functions, undefined)
  const values = { x: tf.tensor([0.3, -1]), v: tf.tensor([1, 2]), w: tf.tensor([-0.5, 0.25]) }
  const expected = tf.grad((z: tf.Tensor) => loss({ ...values, x: z }))(values.x)
  t.same(interpret(gradient, values)["dx"]!.dataSync(), expected.dataSync())
  t.end()
})

void test("a block takes constants along, and refuses other tensors from outside", (t) => {
  const graph = trace("b", three, ({ x }) => {
    const table = tf.tensor([1, 2])
    return { y: block("layer", ({ x: z }) => tf.mul(z!, table), { x: x! }) }
  })
  t.same(
    interpret(graph, { x: tf.tensor([3, 4]), v: tf.zeros([2]), w: tf.zeros([2]) })["y"]!.dataSync(),
    [3, 8],
  )
  t.throws(
    () =>
      trace("b", three, ({ x, w }) => ({
        y: block("layer", ({ x: z }) => tf.add(z!, tf.neg(w!)), { x: x! }),
      })),
    { name: "TraceError", message: /made outside it; give it to the block as an input/ },
  )
  t.throws(
    () =>
      trace("b", three, ({ x }) => ({ y: block("a", (all) => block("b", () => all["x"]!, all), { x: x! }) })),
    { message: /the block b stands in another block/ },
  )
  t.equal(tf.getBackend(), "cpu", "the backend is restored")
  t.end()
})

void test("a frozen input has a storage and no next value", (t) => {
  const frozen: TraceInput = { name: "w", kind: "frozen", dtype: "f32", shape: [2], storage: "bf16" }
  const graph = trace("f", [frozen], ({ w }) => ({ y: tf.neg(w!) }))
  t.match(graph.inputs[0], { kind: "frozen", storage: "bf16" })
  t.throws(() => trace("f", [frozen], ({ w }) => ({ w: tf.neg(w!) })), /w is frozen, so it has no next value/)
  t.throws(() => trace("f", [{ ...frozen, kind: "feed" }], ({ w }) => ({ y: w! })), /is no frozen f32 input/)
  t.end()
})
