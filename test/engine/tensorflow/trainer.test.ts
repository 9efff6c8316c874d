import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import type { HostTensors, TrainPrograms } from "../../../src/engine/executor.js"
import type { Graph } from "../../../src/engine/ir.js"
import { makeTensorflowExecutor, type TensorflowOptions } from "../../../src/engine/tensorflow/index.js"
import { numbers } from "../op-cases.js"
import { relativeDifference } from "../parity.js"
import { testWithLibrary } from "./available.js"
import { floats, PlainGraph } from "./graph.js"

const make = (options: Partial<TensorflowOptions> = {}) =>
  makeTensorflowExecutor({ precision: "fp32", device: "cpu", threads: 1, ...options })

const never = (): never => {
  throw new Error("this executor runs whole steps")
}

const programsOf = (step: Graph, larger: readonly Graph[] = []): TrainPrograms => ({
  loss: step,
  step: () => step,
  apply: never,
  larger: larger.map((graph) => ({ loss: graph, step: () => graph, apply: never })),
})

/**
 * Fits y = w x + b to `n` points by gradient descent with momentum 0.5: parameters w and b, state m/w.
 * loss = mean((w x + b - y)^2); gradNorm = sqrt(dw^2 + db^2).
 */
const lineFit = (n: number): Graph => {
  const g = new PlainGraph()
  const w = g.input("w", [], "parameter")
  const b = g.input("b", [], "parameter")
  const m = g.input("m/w", [], "state")
  const x = g.input("x@0", [n])
  const y = g.input("y@0", [n])
  const rate = g.input("rate", [])
  const all = { axes: [0], keepDims: false }
  const error = g.op("sub", [g.op("add", [g.op("mul", [w, x], {}), b], {}), y], {})
  const loss = g.op("reduceMean", [g.op("square", [error], {})], all)
  const two = g.splat(2, [])
  const dw = g.op("mul", [two, g.op("reduceMean", [g.op("mul", [error, x], {})], all)], {})
  const db = g.op("mul", [two, g.op("reduceMean", [error], all)], {})
  const nextM = g.op("add", [g.op("mul", [m, g.splat(0.5, [])], {}), dw], {})
  return g.build(`line fit of ${n}`, {
    w: g.op("sub", [w, g.op("mul", [rate, nextM], {})], {}),
    b: g.op("sub", [b, g.op("mul", [rate, db], {})], {}),
    "m/w": nextM,
    loss,
    gradNorm: g.op("sqrt", [g.op("add", [g.op("square", [dw], {}), g.op("square", [db], {})], {})], {}),
  })
}

const points = (n: number): HostTensors => ({
  x: floats(
    [n],
    Array.from({ length: n }, (_, i) => i / n),
  ),
  y: floats(
    [n],
    Array.from({ length: n }, (_, i) => 3 * (i / n) - 1),
  ),
})
const start: HostTensors = { w: floats([], [0.5]), b: floats([], [0.25]), "m/w": floats([], [0]) }
const rate: HostTensors = { rate: floats([], [0.1]) }

/** The same descent in float64. */
const descend = (s: { w: number; b: number; m: number }, n: number): { loss: number; gradNorm: number } => {
  let [loss, dw, db] = [0, 0, 0]
  for (let i = 0; i < n; i++) {
    const x = i / n
    const e = s.w * x + s.b - (3 * x - 1)
    loss += e ** 2 / n
    dw += (2 * e * x) / n
    db += (2 * e) / n
  }
  s.m = 0.5 * s.m + dw
  s.w -= 0.1 * s.m
  s.b -= 0.1 * db
  return { loss, gradNorm: Math.hypot(dw, db) }
}

testWithLibrary("three steps keep their state, and the larger program goes on with it", async (t) => {
  const executor = await make()
  t.equal(executor.name, "tensorflow")
  t.match(executor.version, /^\d+\.\d+\.\d+ \(.+\)$/)
  const trainer = await executor.trainer(programsOf(lineFit(4), [lineFit(6)]), start)
  const s = { w: 0.5, b: 0.25, m: 0 }
  // Sums of six terms in fp32 against float64: 1e-6 leaves a factor of ten.
  for (const [n, program] of [
    [4, undefined],
    [4, 0],
    [6, 1],
    [4, 0],
  ] as const) {
    const expected = descend(s, n)
    const got = await trainer.step([points(n)], rate, program)
    t.ok(Math.abs(got.loss - expected.loss) < 1e-6 * expected.loss, `loss ${got.loss}`)
    t.ok(Math.abs(got.gradNorm - expected.gradNorm) < 1e-6 * expected.gradNorm, `gradNorm ${got.gradNorm}`)
  }
  const state = await trainer.readState()
  t.same(Object.keys(state).sort(), ["b", "m/w", "w"])
  for (const [name, value] of Object.entries({ w: s.w, b: s.b, "m/w": s.m })) {
    t.ok(Math.abs(state[name]!.data[0]! - value) < 1e-6, name)
  }
  await t.rejects(trainer.step([points(4)], rate, 2), /no program 2/)
  await trainer.dispose()
  await executor.dispose()
})

testWithLibrary("a step that fails leaves the state as it was", async (t) => {
  const executor = await make()
  const trainer = await executor.trainer(programsOf(lineFit(4)), start)
  await trainer.step([points(4)], rate)
  const before = await trainer.readState()
  await t.rejects(trainer.step([{ x: points(4)["x"]! }], rate), {
    name: "ExecutorError",
    message: "tensorflow: step: no value for the input y@0; load a checkpoint and batches of the same model",
  })
  await t.rejects(trainer.step([points(5)], rate), {
    name: "ExecutorError",
    message: /x@0 has 5 elements, not the 4 of f32\[4\]/,
  })
  t.same(await trainer.readState(), before)
  await trainer.step([points(4)], rate)
  await trainer.dispose()
  await t.rejects(executor.trainer(programsOf(lineFit(4)), { w: start["w"]! }), {
    name: "ExecutorError",
    message: /no value for the input b/,
  })
  await executor.dispose()
})

testWithLibrary("calls made at once run one after the other", async (t) => {
  const executor = await make()
  const trainer = await executor.trainer(programsOf(lineFit(4)), start)
  const s = { w: 0.5, b: 0.25, m: 0 }
  const expected = [descend(s, 4), descend(s, 4), descend(s, 4)]
  const got = await Promise.all(expected.map(() => trainer.step([points(4)], rate)))
  got.forEach((g, i) => t.ok(Math.abs(g.loss - expected[i]!.loss) < 1e-6 * expected[i]!.loss, `step ${i}`))
  await trainer.dispose()
  await trainer.dispose()
  await t.rejects(trainer.step([points(4)], rate), /used after it was disposed of/)
  await executor.dispose()
})

/** A product chain that takes some time, its row sums, and attention over it. */
const heavy = (): Graph => {
  const g = new PlainGraph()
  const x = g.input("x", [4, 64, 4, 16])
  const y = g.op("attention", [x, x, x], { scale: 0.25, causal: true })
  const flat = g.op("reshape", [y], { shape: [256, 64] })
  const gram = g.op("matMul", [flat, flat], { transposeA: false, transposeB: true })
  return g.build("heavy", { gram, sums: g.op("reduceSum", [gram], { axes: [0], keepDims: false }) })
}

testWithLibrary("results do not depend on the number of threads", async (t) => {
  const feeds = { x: { shape: [4, 64, 4, 16], data: numbers(4 * 64 * 4 * 16) } }
  const results: HostTensors[] = []
  for (const threads of [1, 2]) {
    const executor = await make({ threads })
    const evaluator = await executor.evaluator(heavy(), {})
    results.push(await evaluator.run(feeds))
    await evaluator.dispose()
    await executor.dispose()
  }
  for (const name of ["gram", "sums"]) {
    const difference = relativeDifference(results[0]![name]!.data, results[1]![name]!.data)
    t.ok(difference < 1e-6, `${name} differs by ${difference}`)
  }
})

testWithLibrary("the event loop goes on while a step runs", async (t) => {
  // 2 * 1536^3 operations: more than 30 ms on any one core.
  const n = 1536
  const g = new PlainGraph()
  const x = g.input("x", [n, n])
  const product = g.op("matMul", [x, x], { transposeA: false, transposeB: false })
  const graph = g.build("long", { y: g.op("reduceSum", [product], { axes: [0, 1], keepDims: false }) })
  const executor = await make()
  const evaluator = await executor.evaluator(graph, {})
  const feeds = { x: { shape: [n, n], data: new Float32Array(n * n).fill(1) } }
  await evaluator.run(feeds)
  let ticks = 0
  const timer = setInterval(() => ticks++, 2)
  await evaluator.run(feeds)
  clearInterval(timer)
  t.ok(ticks >= 3, `${ticks} ticks of 2 ms`)
  await evaluator.dispose()
  await executor.dispose()
})

/** Bytes of this process once garbage is collected: when the collector runs by itself depends on the machine's load. */
const residentBytes = (): number => {
  setFlagsFromString("--expose-gc")
  const collect = runInNewContext("gc") as () => void
  collect()
  return process.memoryUsage().rss
}

testWithLibrary("a thousand steps keep no memory", async (t) => {
  const size = 65_536
  const g = new PlainGraph()
  const w = g.input("w", [size], "parameter")
  const x = g.input("x@0", [size])
  const next = g.op("add", [w, g.op("mul", [x, g.splat(1e-3, [])], {})], {})
  const loss = g.op("reduceSum", [next], { axes: [0], keepDims: false })
  const graph = g.build("leak", { w: next, loss, gradNorm: loss })
  const executor = await make()
  const trainer = await executor.trainer(programsOf(graph), {
    w: { shape: [size], data: new Float32Array(size) },
  })
  const feeds = [{ x: { shape: [size], data: new Float32Array(size).fill(1) } }]
  for (let i = 0; i < 100; i++) await trainer.step(feeds, {})
  const before = residentBytes()
  for (let i = 0; i < 1000; i++) await trainer.step(feeds, {})
  const grown = (residentBytes() - before) / 2 ** 20
  // One tensor kept per step would be 250 MiB, one handle of each feed and result 750 MiB.
  t.ok(grown < 40, `grown by ${grown.toFixed(1)} MiB`)
  t.ok(Math.abs((await trainer.readState())["w"]!.data[0]! - 1.1) < 1e-4)
  await trainer.dispose()
  await executor.dispose()
})

testWithLibrary("out of memory is a sentence with a cure", async (t) => {
  const n = 4_000_000
  const g = new PlainGraph()
  const x = g.input("x", [n, 1])
  const product = g.op("matMul", [x, x], { transposeA: false, transposeB: true })
  const graph = g.build("too large", { y: g.op("reduceSum", [product], { axes: [0, 1], keepDims: false }) })
  const executor = await make()
  const evaluator = await executor.evaluator(graph, {})
  await t.rejects(evaluator.run({ x: { shape: [n, 1], data: new Float32Array(n) } }), {
    name: "ExecutorError",
    message:
      /^tensorflow: out of memory.*; use more micro-batches of a smaller batch, or recompute attention/,
  })
  await evaluator.dispose()
  await executor.dispose()
})

testWithLibrary("an error of the library names the node", async (t) => {
  const g = new PlainGraph()
  const table = g.input("table", [3, 2])
  const ids = g.input("ids", [2], "feed", "i32")
  const graph = g.build("out of range", { y: g.op("gather", [table, ids], { axis: 0 }) })
  const executor = await make()
  const evaluator = await executor.evaluator(graph, {})
  await t.rejects(
    evaluator.run({
      table: floats([3, 2], [1, 2, 3, 4, 5, 6]),
      ids: { shape: [2], data: Int32Array.of(0, 7) },
    }),
    {
      name: "ExecutorError",
      message: /out of range failed at node gather_2\/GatherV2_\d+: .*indices\[1\] = 7 is not in \[0, 3\)/,
    },
  )
  await evaluator.dispose()
  await executor.dispose()
})

testWithLibrary("xla compiles the step and gives the same numbers", async (t) => {
  const executor = await make({ xla: true })
  const trainer = await executor.trainer(programsOf(lineFit(4)), start)
  const s = { w: 0.5, b: 0.25, m: 0 }
  for (let i = 0; i < 3; i++) {
    const expected = descend(s, 4)
    const got = await trainer.step([points(4)], rate)
    t.ok(Math.abs(got.loss - expected.loss) < 1e-6 * expected.loss, `loss ${got.loss}`)
  }
  await trainer.dispose()
  await executor.dispose()
})
