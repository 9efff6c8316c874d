/**
 * Composite kernels and the gradients of ordinary kernels, on the `cpu` backend in float32.
 *
 * Values are compared with formulas computed here in float64 and gradients with central differences of a
 * float64-accumulated loss. Tolerance 2e-3 of the largest entry for differences (step 1e-2 in float32) and
 * 1e-5 for composites against autodiff of their parts.
 */
import { test, type Test } from "tap"
import * as tf from "../../src/model/tf.js"

await tf.useCpuBackend()

const numbers = (n: number, salt = 0): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => {
    const x = Math.sin((i + 1) * 12.9898 + salt * 78.233) * 43758.5453
    return (x - Math.floor(x)) * 2 - 1
  })
const make = (shape: number[], salt = 0): tf.Tensor =>
  tf.tensor(numbers(tf.util.sizeFromShape(shape), salt), shape)
const read = (x: tf.Tensor): Float32Array => x.dataSync() as Float32Array
const largest = (xs: ArrayLike<number>): number =>
  Array.from(xs).reduce((m, x) => Math.max(m, Math.abs(x)), 0)
const close = (
  t: Test,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  relative: number,
  what: string,
) => {
  t.equal(actual.length, expected.length, `${what}: length`)
  const error = Array.from(actual).reduce((m, x, i) => Math.max(m, Math.abs(x - expected[i]!)), 0)
  t.ok(error <= relative * Math.max(largest(expected), 1e-3), `${what}: error ${error}`)
}

type F = (...xs: tf.Tensor[]) => tf.Tensor
/** The gradient of sum(weights * f) by autodiff, and by central differences, for every float input. */
const checkGradients = (
  t: Test,
  what: string,
  f: F,
  xs: tf.Tensor[],
  fixed: tf.Tensor[] = [],
  step = 1e-2,
) => {
  const y = f(...xs, ...fixed)
  const w = make(y.shape, 9)
  const auto = tf.grads((...ins) => tf.sum(tf.mul(f(...ins, ...fixed), w)))(xs)
  const weights = read(w)
  const loss = (ins: tf.Tensor[]): number => {
    const out = read(f(...ins, ...fixed))
    return out.reduce((sum, v, i) => sum + v * weights[i]!, 0)
  }
  xs.forEach((x, k) => {
    const base = Float32Array.from(read(x))
    const difference = base.map((_, i) => {
      const at = (delta: number): number => {
        const moved = base.slice()
        moved[i]! += delta
        const ins = xs.map((other, j) => (j === k ? tf.tensor(moved, x.shape) : other))
        return loss(ins)
      }
      return (at(step) - at(-step)) / (2 * step)
    })
    close(t, read(auto[k]!), difference, 2e-3, `${what}: gradient of input ${k}`)
  })
}

const cos = tf.tensor(
  numbers(10, 3).map((x) => Math.cos(x)),
  [5, 2],
)
const sin = tf.tensor(
  numbers(10, 3).map((x) => Math.sin(x)),
  [5, 2],
)

test("attention equals softmax(scale q k') v computed in float64", async (t) => {
  for (const causal of [false, true]) {
    const [B, T, H, D] = [2, 5, 3, 4] as const
    const [q, k, v] = [make([B, T, H, D]), make([B, T, H, D], 1), make([B, T, H, D], 2)] as const
    const [Q, K, V] = [read(q), read(k), read(v)]
    const at = (b: number, i: number, h: number, d: number): number => ((b * T + i) * H + h) * D + d
    const expected = new Float64Array(B * T * H * D)
    for (let b = 0; b < B; b++)
      for (let h = 0; h < H; h++)
        for (let i = 0; i < T; i++) {
          const scores = Array.from({ length: causal ? i + 1 : T }, (_, j) => {
            let s = 0
            for (let d = 0; d < D; d++) s += Q[at(b, i, h, d)]! * K[at(b, j, h, d)]!
            return Math.exp(0.7 * s)
          })
          const total = scores.reduce((a, c) => a + c, 0)
          for (let d = 0; d < D; d++)
            expected[at(b, i, h, d)] = scores.reduce((a, p, j) => a + (p / total) * V[at(b, j, h, d)]!, 0)
        }
    close(t, read(tf.attention(q, k, v, { scale: 0.7, causal })), expected, 1e-6, `causal ${causal}`)
  }
})

/** Positions 0 .. count - 1 of row r of x [rows, length, 2, 3]. */
const row = (x: tf.Tensor, r: number, count: number): tf.Tensor => tf.slice(x, [r, 0, 0, 0], [1, count, 2, 3])

test("attention of lengths is attention over each row's first keys alone, and 0 where there are none", async (t) => {
  for (const causal of [false, true]) {
    const shape = [4, 5, 2, 3]
    const [q, k, v] = [make(shape), make(shape, 1), make(shape, 2)] as const
    const lengths = [3, 0, 5, 9]
    const n = tf.tensor(lengths, [4], "int32")
    const y = tf.attention(q, k, v, { scale: 0.7, causal }, n)
    lengths.forEach((length, r) => {
      const seen = Math.min(length, 5)
      const ours = read(row(y, r, 5))
      if (seen === 0)
        return void t.ok(
          ours.every((x) => x === 0),
          "a row that sees nothing is 0",
        )
      // Causal attention needs as many queries as keys: those before the length.
      const queries = causal ? seen : 5
      const alone = tf.attention(row(q, r, queries), row(k, r, seen), row(v, r, seen), { scale: 0.7, causal })
      close(t, read(row(y, r, queries)), read(alone), 1e-6, `causal ${causal}, length ${length}`)
    })
    const dv = tf.grad((x: tf.Tensor) => tf.sum(tf.attention(q, k, x, { scale: 0.7, causal }, n)))(v)
    t.ok(
      read(row(dv, 1, 5)).every((x) => x === 0),
      "no gradient flows into a row that sees nothing",
    )
    t.ok(
      read(tf.slice(dv, [0, 3, 0, 0], [1, 2, 2, 3])).every((x) => x === 0),
      "nor to keys beyond the length",
    )
  }
})

test("rotary rotates the halves and its gradient is the inverse rotation", async (t) => {
  const x = make([1, 5, 2, 4])
  const y = tf.rotary(x, cos, sin)
  const X = read(x)
  const Y = read(y)
  // First head of position 2: y1 = x1 cos + x2 sin, y2 = x2 cos - x1 sin.
  const base = 2 * 2 * 4
  const [c, s] = [read(cos)[4]!, read(sin)[4]!]
  close(
    t,
    [Y[base]!, Y[base + 2]!],
    [X[base]! * c + X[base + 2]! * s, X[base + 2]! * c - X[base]! * s],
    1e-6,
    "y",
  )
  const back = tf.grad((z: tf.Tensor) => tf.sum(tf.mul(tf.rotary(z, cos, sin), y)))(x)
  close(t, read(back), X, 1e-6, "R'Rx = x")
})

test("composites have the gradients of central differences", async (t) => {
  const shape = [1, 5, 2, 4]
  for (const causal of [false, true]) {
    checkGradients(
      t,
      `attention, causal ${causal}`,
      (q, k, v) => tf.attention(q!, k!, v!, { scale: 0.7, causal }),
      [make(shape), make(shape, 1), make(shape, 2)],
    )
  }
  checkGradients(
    t,
    "attention with other keys",
    (q, k, v) => tf.attention(q!, k!, v!, { scale: 0.7, causal: false }),
    [make([1, 3, 2, 4]), make(shape, 1), make(shape, 2)],
  )
  for (const causal of [false, true]) {
    const rows = [3, 5, 2, 4]
    checkGradients(
      t,
      `attention of lengths, causal ${causal}`,
      (q, k, v, n) => tf.attention(q!, k!, v!, { scale: 0.7, causal }, n!),
      [make(rows), make(rows, 1), make(rows, 2)],
      [tf.tensor([2, 0, 9], [3], "int32")],
    )
  }
  checkGradients(t, "rotary", (x, c, s) => tf.rotary(x!, c!, s!), [make(shape)], [cos, sin])
  checkGradients(t, "rmsNorm", (x) => tf.rmsNorm(x!, { eps: 1e-6 }), [make([3, 6])])
  const targets = tf.tensor([5, 0, 2], [3], "int32")
  checkGradients(t, "crossEntropy", (x, y) => tf.crossEntropy(x!, y!), [make([3, 6])], [targets])
})

test("composites agree with autodiff of their decompositions", async (t) => {
  const shape = [2, 5, 3, 4]
  const cases: readonly (readonly [
    string,
    Record<string, unknown>,
    Record<string, tf.Tensor>,
    readonly string[],
  ])[] = [
    [
      "ReproAttention",
      { scale: 0.5, causal: false },
      { q: make(shape), k: make(shape, 1), v: make(shape, 2) },
      ["q", "k", "v"],
    ],
    [
      "ReproAttention",
      { scale: 0.5, causal: true },
      { q: make(shape), k: make(shape, 1), v: make(shape, 2) },
      ["q", "k", "v"],
    ],
    [
      "ReproAttentionOfLengths",
      { scale: 0.5, causal: true },
      {
        q: make(shape),
        k: make(shape, 1),
        v: make(shape, 2),
        lengths: tf.tensor([3, 0], [2], "int32"),
      },
      ["q", "k", "v"],
    ],
    ["ReproRotary", { inverse: false }, { x: make(shape), cos, sin }, ["x"]],
    ["ReproRotary", { inverse: true }, { x: make(shape), cos, sin }, ["x"]],
    ["ReproRmsNorm", { eps: 1e-6 }, { x: make([3, 7]) }, ["x"]],
    [
      "ReproCrossEntropy",
      {},
      { logits: make([3, 6]), targets: tf.tensor([5, 0, 2], [3], "int32") },
      ["logits"],
    ],
  ]
  for (const [kernel, attrs, inputs, wanted] of cases) {
    const xs = wanted.map((name) => inputs[name]!)
    const gradients = (f: (all: Record<string, tf.Tensor>) => tf.Tensor): tf.Tensor[] =>
      tf.grads((...ins) => {
        const y = f({ ...inputs, ...Object.fromEntries(wanted.map((name, i) => [name, ins[i]!])) })
        return tf.sum(tf.mul(y, make(y.shape, 7)))
      })(xs)
    const composite = gradients(
      (all) => tf.engine().runKernel(kernel, all, attrs as never) as unknown as tf.Tensor,
    )
    const parts = gradients((all) => tf.decompositions[kernel]!(all, attrs) as tf.Tensor)
    wanted.forEach((name, i) => close(t, read(composite[i]!), read(parts[i]!), 1e-5, `${kernel}: ${name}`))
  }
})

test("ordinary kernels have the gradients of central differences", async (t) => {
  const x = make([3, 4])
  const away = tf.add(tf.abs(x), 0.5)
  const unary: Record<string, readonly [F, tf.Tensor]> = {
    abs: [(a) => tf.abs(a!), away],
    exp: [(a) => tf.exp(a!), x],
    log: [(a) => tf.log(a!), away],
    log1p: [(a) => tf.log1p(a!), away],
    sqrt: [(a) => tf.sqrt(a!), away],
    rsqrt: [(a) => tf.rsqrt(a!), away],
    reciprocal: [(a) => tf.reciprocal(a!), away],
    square: [(a) => tf.square(a!), x],
    relu: [(a) => tf.relu(a!), tf.neg(away)],
    "relu, positive": [(a) => tf.relu(a!), away],
    sigmoid: [(a) => tf.sigmoid(a!), x],
    tanh: [(a) => tf.tanh(a!), x],
    erf: [(a) => tf.erf(a!), x],
    softplus: [(a) => tf.softplus(a!), x],
    sin: [(a) => tf.sin(a!), x],
    cos: [(a) => tf.cos(a!), x],
    neg: [(a) => tf.neg(a!), x],
    pow: [(a) => tf.pow(a!, 1.5), away],
    clip: [(a) => tf.clipByValue(a!, -5, 5), x],
    reshape: [(a) => tf.reshape(a!, [2, 6]), x],
    expandDims: [(a) => tf.expandDims(a!, 1), x],
    transpose: [(a) => tf.transpose(tf.reshape(a!, [2, 3, 2]), [2, 0, 1]), x],
    broadcastTo: [(a) => tf.broadcastTo(tf.reshape(a!, [3, 1, 4]), [2, 3, 5, 4]), x],
    tile: [(a) => tf.tile(a!, [2, 3]), x],
    slice: [(a) => tf.slice(a!, [1, 1], [2, 2]), x],
    pad: [
      (a) =>
        tf.pad(a!, [
          [1, 0],
          [0, 2],
        ]),
      x,
    ],
    reverse: [(a) => tf.reverse(a!, [0]), x],
    split: [(a) => tf.mul(tf.split(a!, [1, 3], 1)[1]!, 2), x],
    unstack: [(a) => tf.unstack(a!, 1)[2]!, x],
    concat: [(a) => tf.concat([a!, tf.square(a!)], 1), x],
    stack: [(a) => tf.stack([a!, tf.square(a!)], 1), x],
    addN: [(a) => tf.addN([a!, tf.square(a!)]), x],
    sum: [(a) => tf.sum(a!, 0), x],
    "sum of all": [(a) => tf.sum(a!), x],
    mean: [(a) => tf.mean(a!, -1, true), x],
    max: [(a) => tf.max(a!, 1), x],
    min: [(a) => tf.min(a!, 0), x],
    cumsum: [(a) => tf.cumsum(a!, 1, true, false), x],
    softmax: [(a) => tf.softmax(a!), x],
    logSoftmax: [(a) => tf.logSoftmax(a!), x],
    "gather rows": [(a) => tf.gather(a!, tf.tensor([2, 0, 2, 2], [2, 2], "int32")), x],
    "gather columns": [(a) => tf.gather(a!, tf.tensor([3, 0, 3], [3], "int32"), 1), x],
    segmentSum: [(a) => tf.unsortedSegmentSum(a!, tf.tensor1d([1, 0, 1], "int32"), 2), x],
    where: [(a) => tf.where(tf.tensor([1, 0, 1, 0], [1, 4], "bool"), a!, tf.square(a!)), x],
  }
  for (const [name, [f, input]] of Object.entries(unary)) {
    // Keep every entry at least 0.05 away from kinks and ties: the step is 1e-2.
    checkGradients(t, name, f, [input])
  }
  const b = tf.add(make([4], 5), 2)
  const binary: Record<string, F> = {
    add: (a, c) => tf.add(a!, c!),
    sub: (a, c) => tf.sub(a!, c!),
    mul: (a, c) => tf.mul(a!, c!),
    div: (a, c) => tf.div(a!, c!),
    maximum: (a, c) => tf.maximum(a!, c!),
    minimum: (a, c) => tf.minimum(a!, c!),
    squaredDifference: (a, c) => tf.squaredDifference(a!, c!),
    pow: (a, c) => tf.pow(tf.add(tf.square(a!), 0.5), c!),
  }
  for (const [name, f] of Object.entries(binary)) checkGradients(t, name, f, [x, b])
  for (const ta of [false, true])
    for (const tb of [false, true]) {
      const a = make(ta ? [2, 5, 3] : [2, 3, 5])
      const c = make(tb ? [2, 4, 5] : [2, 5, 4], 1)
      checkGradients(t, `matMul ${ta} ${tb}`, (p, q) => tf.matMul(p!, q!, ta, tb), [a, c])
    }
})

test("a kernel without a gradient fails by name", async (t) => {
  t.throws(() => tf.grad((x: tf.Tensor) => tf.sum(tf.asinh(x)))(make([3])), /Asinh/)
})
