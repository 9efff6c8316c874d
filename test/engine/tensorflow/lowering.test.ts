/** Forms that the lowering treats specially: small graphs, results by hand. */
import type { HostTensors } from "../../../src/engine/executor.js"
import type { Graph } from "../../../src/engine/ir.js"
import { bf16Products } from "../../../src/engine/tensorflow/bf16-products.js"
import { makeTensorflowExecutor, type TensorflowOptions } from "../../../src/engine/tensorflow/index.js"
import { numbers } from "../op-cases.js"
import { testWithLibrary } from "./available.js"
import { floats, ints, PlainGraph } from "./graph.js"

const evaluate = async (
  graph: Graph,
  feeds: HostTensors,
  options: Partial<TensorflowOptions> = {},
): Promise<HostTensors> => {
  const executor = await makeTensorflowExecutor({ precision: "fp32", device: "cpu", threads: 2, ...options })
  const evaluator = await executor.evaluator(graph, {})
  try {
    return await evaluator.run(feeds)
  } finally {
    await evaluator.dispose()
    await executor.dispose()
  }
}

const values = (tensors: HostTensors, name: string): readonly number[] => Array.from(tensors[name]!.data)

testWithLibrary("operands that broadcast are not written out, and results keep their shape", async (t) => {
  const g = new PlainGraph()
  const x = g.input("x", [2, 3])
  const row = g.input("row", [1, 3])
  const spread = g.op("broadcastTo", [row], { shape: [2, 3] })
  const graph = g.build("broadcasts", {
    product: g.op("mul", [x, spread], {}),
    shifted: g.op("add", [g.splat(10, [2, 3]), x], {}),
    both: g.op("sub", [spread, spread], {}),
    widest: g.op("mul", [g.splat(2, [4, 1, 1]), x], {}),
    chosen: g.op("select", [g.op("greater", [x, g.splat(3, [2, 3])], {}), x, spread], {}),
  })
  const y = await evaluate(graph, {
    x: floats([2, 3], [1, 2, 3, 4, 5, 6]),
    row: floats([1, 3], [1, 10, 100]),
  })
  t.same(values(y, "product"), [1, 20, 300, 4, 50, 600])
  t.same(values(y, "shifted"), [11, 12, 13, 14, 15, 16])
  t.same(values(y, "both"), [0, 0, 0, 0, 0, 0])
  t.same(y["widest"]!.shape, [4, 2, 3])
  t.same(values(y, "widest").slice(18), [2, 4, 6, 8, 10, 12])
  t.same(values(y, "chosen"), [1, 10, 100, 4, 5, 6])
})

testWithLibrary("powers with a cheaper form", async (t) => {
  const g = new PlainGraph()
  const x = g.input("x", [2])
  const power = (p: number, shape: readonly number[] = []) => g.op("pow", [x, g.splat(p, shape)], {})
  const graph = g.build("powers", {
    square: power(2),
    root: power(0.5),
    inverse: power(-1, [2]),
    inverseRoot: power(-0.5),
    cube: power(3),
    higher: power(2, [1, 2]),
  })
  const y = await evaluate(graph, { x: floats([2], [4, 16]) })
  t.same(values(y, "square"), [16, 256])
  t.same(values(y, "root"), [2, 4])
  t.same(values(y, "inverse"), [0.25, 0.0625])
  t.same(values(y, "inverseRoot"), [0.5, 0.25])
  t.same(values(y, "cube"), [64, 4096])
  t.same(y["higher"]!.shape, [1, 2])
})

testWithLibrary("reductions: all squares, no axes, truth values", async (t) => {
  const g = new PlainGraph()
  const x = g.input("x", [2, 2])
  const squares = g.op("square", [x], {})
  const big = g.op("greater", [x, g.splat(2, [])], {})
  const graph = g.build("reductions", {
    sum: g.op("reduceSum", [squares], { axes: [0, 1], keepDims: false }),
    kept: g.op("reduceSum", [squares], { axes: [0, 1], keepDims: true }),
    rows: g.op("reduceSum", [squares], { axes: [1], keepDims: false }),
    none: g.op("reduceMax", [x], { axes: [], keepDims: false }),
    any: g.op("reduceMax", [big], { axes: [1], keepDims: false }),
    all: g.op("reduceMin", [big], { axes: [1], keepDims: false }),
  })
  const y = await evaluate(graph, { x: floats([2, 2], [1, 3, 3, 4]) })
  t.same(values(y, "sum"), [35])
  t.same(y["kept"]!.shape, [1, 1])
  t.same(values(y, "rows"), [10, 25])
  t.same(values(y, "none"), [1, 3, 3, 4])
  t.same(values(y, "any"), [1, 1])
  t.same(values(y, "all"), [0, 1])
})

testWithLibrary("ties go to the first index; integers divide towards zero", async (t) => {
  const g = new PlainGraph()
  const x = g.input("x", [9])
  const row = g.op("reshape", [x], { shape: [1, 9] })
  const [best, at] = g.opMany("topK", [row], { k: 3 }) as [never, never]
  const a = g.input("a", [3], "feed", "i32")
  const graph = g.build("ties", {
    arg: g.op("argMax", [x], { axis: 0 }),
    best,
    at,
    quotient: g.op("div", [a, g.splat(2, [3], "i32")], {}),
  })
  const y = await evaluate(graph, { x: floats([9], [0, 5, 1, 5, 5, 2, 0, 0, 5]), a: ints([3], [7, -7, 4]) })
  t.same(values(y, "arg"), [1])
  t.same(values(y, "best"), [5, 5, 5])
  t.same(values(y, "at"), [1, 3, 4])
  t.same(values(y, "quotient"), [3, -3, 2])
})

testWithLibrary("products of one matrix with a stack", async (t) => {
  const g = new PlainGraph()
  const a = g.input("a", [2, 1, 2])
  const b = g.input("b", [2, 2])
  const plain = { transposeA: false, transposeB: false }
  const one = g.op("reshape", [b], { shape: [1, 2, 2] })
  const graph = g.build("stacks", {
    right: g.op("matMul", [a, b], plain),
    stacked: g.op("matMul", [a, one], { transposeA: false, transposeB: true }),
    left: g.op("matMul", [b, g.op("transpose", [a], { perm: [0, 2, 1] })], plain),
    turned: g.op("matMul", [a, g.op("reshape", [b], { shape: [2, 1, 2] })], {
      transposeA: true,
      transposeB: false,
    }),
  })
  const y = await evaluate(graph, {
    a: floats([2, 1, 2], [1, 2, 3, 4]),
    b: floats([2, 2], [1, 10, 100, 1000]),
  })
  t.same(values(y, "right"), [201, 2010, 403, 4030])
  t.same(values(y, "stacked"), [21, 2100, 43, 4300])
  t.same(values(y, "left"), [21, 2100, 43, 4300])
  t.same(values(y, "turned"), [1, 10, 2, 20, 300, 3000, 400, 4000])
})

testWithLibrary("sums of repeated rows are exact and do not depend on the threads", async (t) => {
  // Small integers: every partial sum is exact in fp32, so a lost update shows as a wrong number.
  const [rows, width] = [20_000, 16]
  const ids = Int32Array.from({ length: rows }, (_, i) => (i * 7919) % 5)
  const data = Float32Array.from({ length: rows * width }, (_, i) => (i * 31) % 17)
  for (const segments of [64, 5000]) {
    const expected = new Float32Array(segments * width)
    for (let i = 0; i < data.length; i++)
      expected[ids[Math.floor(i / width)]! * width + (i % width)]! += data[i]!
    const g = new PlainGraph()
    const sum = g.op("segmentSum", [g.input("x", [rows, width]), g.input("ids", [rows], "feed", "i32")], {
      segments,
    })
    const graph = g.build("segments", { sum })
    for (const threads of [1, 2]) {
      const y = await evaluate(
        graph,
        { x: { shape: [rows, width], data }, ids: { shape: [rows], data: ids } },
        { threads },
      )
      t.same(y["sum"]!.data, expected, `${segments} segments, ${threads} threads`)
    }
  }
})

testWithLibrary("bf16: a product of long rows accumulates in fp32", async (t) => {
  // 1 + 4095 * 2^-12 summed in bf16 would stay near 1, because half a bf16 step at 1 is 2^-8.
  const length = 4096
  const g = new PlainGraph()
  const product = g.op("matMul", [g.input("a", [1, length]), g.input("b", [length, 1])], {
    transposeA: false,
    transposeB: false,
  })
  const graph = g.build("accumulate", { product })
  const a = new Float32Array(length).fill(2 ** -12)
  a[0] = 1
  // derived: the exact sum is 2 - 2^-12; the library's bf16 product rounds it to bf16, which gives 2. Processors on
  // which this program takes the fp32 form may round between blocks of a row: one bf16 step at 1, 2^-7.
  const step = bf16Products("cpu") === "bf16" ? 0 : 2 ** -7
  for (const [form, sum, within] of [
    ["bf16", 2, step],
    ["fp32", 2 - 2 ** -12, 0],
  ] as const) {
    const y = await evaluate(
      graph,
      {
        a: { shape: [1, length], data: a },
        b: { shape: [length, 1], data: new Float32Array(length).fill(1) },
      },
      { precision: "bf16", bf16Products: form },
    )
    const found = y["product"]!.data[0]!
    t.ok(Math.abs(found - sum) <= within, `${form}: ${found} for ${sum}`)
  }
})

/** Nearest bf16, ties to even. */
const toBf16 = (x: number): number => {
  const bits = new Uint32Array(Float32Array.of(x).buffer)
  bits[0] = (bits[0]! + 0x7fff + ((bits[0]! >>> 16) & 1)) & 0xffff0000
  return new Float32Array(bits.buffer)[0]!
}

testWithLibrary("bf16 with fp32 products: exactly the products of the rounded operands", async (t) => {
  const [m, k, n] = [16, 64, 8]
  const g = new PlainGraph()
  const product = g.op("matMul", [g.input("a", [m, k]), g.input("b", [k, n])], {
    transposeA: false,
    transposeB: false,
  })
  const [a, b] = [numbers(m * k), numbers(k * n, 1)]
  const y = await evaluate(
    g.build("rounded", { product }),
    { a: { shape: [m, k], data: a }, b: { shape: [k, n], data: b } },
    { precision: "bf16", bf16Products: "fp32" },
  )
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      const terms = Array.from({ length: k }, (_, x) => toBf16(a[i * k + x]!) * toBf16(b[x * n + j]!))
      const sum = terms.reduce((p, q) => p + q, 0)
      const size = terms.reduce((p, q) => p + Math.abs(q), 0)
      // fp32 sums of 64 exact products: 64 roundings of 2^-24 relative at most.
      const error = Math.abs(y["product"]!.data[i * n + j]! - sum)
      if (error > 64 * 2 ** -24 * size) t.fail(`[${i},${j}] differs by ${error}`)
    }
  }
  t.pass(`${m * n} sums`)
})

testWithLibrary("bf16: error of a product against fp32 stays within its bound", async (t) => {
  const [m, k, n] = [64, 512, 48]
  const g = new PlainGraph()
  const product = g.op("matMul", [g.input("a", [m, k]), g.input("b", [k, n])], {
    transposeA: false,
    transposeB: false,
  })
  const graph = g.build("bound", { product })
  const [a, b] = [numbers(m * k), numbers(k * n, 1)]
  const y = await evaluate(
    graph,
    { a: { shape: [m, k], data: a }, b: { shape: [k, n], data: b } },
    { precision: "bf16", bf16Products: "bf16" },
  )
  // |error| <= 2^-8 sum |a||b| from the operands (2^-9 each) + 2^-9 |result| from the result, to first order.
  let worst = 0
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let [sum, size] = [0, 0]
      for (let x = 0; x < k; x++) {
        const term = a[i * k + x]! * b[x * n + j]!
        sum += term
        size += Math.abs(term)
      }
      worst = Math.max(
        worst,
        Math.abs(y["product"]!.data[i * n + j]! - sum) / (2 ** -8 * size + 2 ** -9 * Math.abs(sum)),
      )
    }
  }
  t.ok(worst < 1.01, `largest error is ${worst} of the bound`)
  t.ok(worst > 0.001, "the operands really are rounded")
})
