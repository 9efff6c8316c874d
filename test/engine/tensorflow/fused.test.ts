/** Clusters of elementwise operations as functions compiled by XLA. */
import { fc, fuzz } from "../../fuzz.js"
import type { HostTensors } from "../../../src/engine/executor.js"
import type { Graph } from "../../../src/engine/ir.js"
import { openApi, type TensorflowApi } from "../../../src/engine/tensorflow/c-api.js"
import { findLibrary } from "../../../src/engine/tensorflow/find-library.js"
import { elementwiseClusters } from "../../../src/engine/passes/clusters.js"
import { lowerGraph, WORTH_FUSING } from "../../../src/engine/tensorflow/lower.js"
import { TensorflowSession, type SessionOptions } from "../../../src/engine/tensorflow/session.js"
import { numbers } from "../op-cases.js"
import { graphOf, recipes } from "../random-graph.js"
import { testWithLibrary } from "./available.js"

const options: SessionOptions = {
  precision: "fp32",
  bf16Products: "fp32",
  device: "cpu",
  threads: { within: 1, between: 2 },
  xla: false,
  fuse: true,
  keepAttentionBytes: 0,
  attentionBlockBytes: 2 ** 20,
}
/** 128 x 128 elements are worth a call. */
const SIZE = 128

const api = async (): Promise<TensorflowApi> => {
  const found = await findLibrary()
  if (found.kind === "missing") throw new Error(found.problem)
  return openApi(found)
}

const feeds: Readonly<Record<string, Float32Array>> = {
  x: numbers(SIZE * SIZE, 1),
  y: numbers(SIZE * SIZE, 2),
  row: numbers(SIZE, 3),
  total: Float32Array.of(0.7),
}

const evaluate = async (session: TensorflowSession, graph: Graph): Promise<HostTensors> => {
  const compiled = session.compile(graph)
  const handles = compiled.inputs.map(({ name, type }) => session.upload(name, type, feeds[name]!))
  const results = await compiled.run(handles)
  const read = compiled.outputs.map(
    ({ name, type }, i) => [name, session.download(results[i]!, type)] as const,
  )
  session.release([...handles, ...results])
  compiled.dispose()
  return Object.fromEntries(read)
}

testWithLibrary("random graphs give the same values with and without", async (t) => {
  const library = await api()
  const fused = TensorflowSession.open(library, options)
  const plain = TensorflowSession.open(library, { ...options, fuse: false })
  t.equal(await fused.tryFusing(), true, "this library has XLA")
  let functions = 0
  await fc.assert(
    fc.asyncProperty(recipes, async (recipe) => {
      const graph = graphOf(recipe, SIZE)
      functions += lowerGraph(graph, options).functions.size
      const [a, b] = [await evaluate(fused, graph), await evaluate(plain, graph)]
      for (const [name, { data }] of Object.entries(b)) {
        const scale = Math.max(1, ...data.map(Math.abs).filter(Number.isFinite))
        // The same operations on the same numbers; a compiled multiplication and addition may be one with one rounding.
        const ok = data.every(
          (value, i) =>
            Object.is(value, a[name]!.data[i]) ||
            Math.abs(value - a[name]!.data[i]!) <= 1e-5 * scale ||
            !Number.isFinite(value),
        )
        if (!ok) return false
      }
      return true
    }),
    fuzz(25),
  )
  t.ok(functions > 25, `${functions} functions`)
  fused.dispose()
  plain.dispose()
})

testWithLibrary("equal clusters share a function", async (t) => {
  const twice = graphOf(
    [
      { operation: "mul", from: [0, 1] },
      { operation: "relu", from: [0, 0] },
      { operation: "softmax", from: [0, 0] },
      { operation: "mul", from: [0, 4] },
      { operation: "relu", from: [0, 0] },
    ],
    SIZE,
  )
  const { functions } = lowerGraph(twice, options)
  t.equal(elementwiseClusters(twice, WORTH_FUSING).length, 2)
  t.equal(functions.size, 1, "both are max(0, a b)")
  t.equal(lowerGraph(twice, { ...options, fuse: false }).functions.size, 0)
})

testWithLibrary("a library that cannot compile functions runs the graph without them", async (t) => {
  const library = await api()
  const refusing: TensorflowApi = {
    ...library,
    TFE_ContextAddFunctionDef: (context, _, __, status) =>
      library.TFE_ContextAddFunctionDef(context, Uint8Array.of(255, 255), 2, status),
  }
  const session = TensorflowSession.open(refusing, options)
  t.equal(await session.tryFusing(), false)
  const graph = graphOf(
    [
      { operation: "mul", from: [0, 1] },
      { operation: "relu", from: [0, 0] },
    ],
    SIZE,
  )
  const { v3 } = await evaluate(session, graph)
  const expected = feeds["x"]!.map((x, i) => Math.max(0, x * feeds["y"]![i]!))
  t.same([...v3!.data].slice(0, 8), [...expected].slice(0, 8), "max(0, x y) exactly")
  session.dispose()
})
