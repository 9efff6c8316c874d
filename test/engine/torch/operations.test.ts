import t from "tap"
import { GraphBuilder } from "../../../src/engine/builder.js"
import { checkOperations } from "../parity.js"
import { openTorch, testWithTorch } from "./available.js"

// Each worker loads PyTorch, which takes seconds on a busy machine.
t.setTimeout(540_000)

testWithTorch("every operation equals the eager oracle, on one and on two threads", async (t) => {
  for (const threads of [1, 2]) await checkOperations(t, await openTorch(t, { threads }))
})

testWithTorch("denormal numbers are zero on every thread", async (t) => {
  const executor = await openTorch(t, { threads: 2 })
  const size = 2 ** 18 // above PyTorch's grain of 2^15 elements, so that both threads take part
  const g = new GraphBuilder()
  const x = g.input("x", "feed", { dtype: "f32", shape: [size] })
  const graph = g.build("scale", [{ name: "y", value: g.op("mul", [x, g.scalar(0.5)], {}) }])
  const evaluator = await executor.evaluator(graph, {})
  // 1e-40 lies below the smallest normal fp32 number, 1.2e-38; 1e-30 above it.
  const values = Float32Array.from({ length: size }, (_, i) => (i % 2 === 0 ? 1e-40 : 1e-30))
  const { data } = (await evaluator.run({ x: { shape: [size], data: values } }))["y"]!
  t.ok(data.every((y, i) => (i % 2 === 0 ? y === 0 : y > 0)))
})
