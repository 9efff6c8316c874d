import { test } from "tap"
import { chain } from "../../../src/diffusion/reveal.js"
import {
  anyOrder,
  binomialProbabilities,
  continuousSizeWeights,
  discreteSizeWeights,
  stratifiedSizes,
} from "../../../src/metric/code/any-order.js"
import {
  alongOrder,
  close,
  LENGTH,
  maskedNats,
  meanNatsBySize,
  permutations,
  popCount,
  strings,
  subsets,
  total,
  TOY,
  X,
} from "../toy.js"

const EPS = 1e-3
const alphasOf = (steps: number): number[] => [
  1,
  ...chain({ kind: "log-linear", eps: EPS }, steps).map((s) => s.alpha),
]

/** Every mask set once: with sizes weighted equally this enumerates the estimator's expectation. */
const enumerated = (x: readonly number[]): number => {
  // Sets of size 1 and 2 come three times each, the full set once: repeat it so that sizes are equally likely.
  const sets = subsets().filter((s) => s > 0)
  const drawn = [...sets, 7, 7]
  return anyOrder({
    windows: 1,
    draws: drawn.length,
    maskable: [LENGTH],
    masked: drawn.map(popCount),
    nats: drawn.map((s) => maskedNats(TOY, x, s)),
  }).bits
}

void test("the any-order bound is the mean over all orders", (t) => {
  const orders = permutations([0, 1, 2]).map((o) => total(alongOrder(TOY, X, o)))
  const mean = total(orders) / orders.length
  // Computed independently by enumeration in float64.
  t.ok(close(mean, 3.267564428974904, 1e-13))
  t.ok(close(enumerated(X) * Math.LN2, mean, 1e-13))
  t.ok(close(total(meanNatsBySize(TOY, X).map((n, k) => (k === 0 ? 0 : n / k))), mean, 1e-13))
  t.end()
})

void test("the T-step bound from sizes alone, and its limits", (t) => {
  const bySize = meanNatsBySize(TOY, X)
  // Computed independently: sums over k of r_k E[masked CE] plus L alpha_T ln 2, float64.
  const expected = {
    1: 1.7149999939276694,
    2: 2.476265409829755,
    4: 2.8682980591583482,
    8: 3.0671643691670325,
    16: 3.1673100205074727,
    64: 3.2427309761598457,
    128: 3.255327111864162,
    512: 3.264779084222826,
  }
  const prior = LENGTH * EPS * Math.LN2
  for (const [steps, nats] of Object.entries(expected)) {
    const weights = discreteSizeWeights(alphasOf(Number(steps)), LENGTH)
    t.ok(close(total(weights.map((w, k) => w * bySize[k]!)) + prior, nats, 1e-11), `T = ${steps}`)
  }
  const continuous = total(continuousSizeWeights(EPS, LENGTH).map((w, k) => w * bySize[k]!)) + prior
  t.ok(close(continuous, 3.267930669405119, 1e-9), "continuous time down to eps = 1e-3, prior term included")
  t.strictSame(
    [...continuousSizeWeights(0, 4)],
    [0, 1, 1 / 2, 1 / 3, 1 / 4],
    "eps = 0 is the any-order bound",
  )
  t.end()
})

void test("the mask rate integrates out to 1/k", (t) => {
  // k * integral over u of (1/u) Bin(2048, k; u) du = 1: midpoint rule on 40 000 points, good to 1e-3.
  const points = 40_000
  const sums = new Map([1, 2, 100, 2048].map((k) => [k, 0]))
  for (let i = 0; i < points; i += 1) {
    const u = (i + 0.5) / points
    // ln Bin at the four k only.
    for (const k of sums.keys()) {
      let logC = 0
      for (let j = 1; j <= Math.min(k, 2048 - k); j++)
        logC += Math.log((2048 - Math.min(k, 2048 - k) + j) / j)
      sums.set(
        k,
        sums.get(k)! + Math.exp(logC + (k - 1) * Math.log(u) + (2048 - k) * Math.log1p(-u)) / points,
      )
    }
  }
  for (const [k, integral] of sums) t.ok(close(k * integral, 1, 1e-3), `k = ${k}: ${k * integral}`)
  t.end()
})

void test("binomial probabilities at the sizes of a window", (t) => {
  // Sum, mean and variance of Bin(2048, p): derived.
  for (const p of [1e-3, 0.25, 0.5, 0.999]) {
    const b = binomialProbabilities(2048, p)
    t.ok(close(total(b), 1, 1e-12))
    t.ok(close(total(b.map((x, k) => x * k)), 2048 * p, 1e-11))
    t.ok(close(total(b.map((x, k) => x * (k - 2048 * p) ** 2)), 2048 * p * (1 - p), 1e-9))
  }
  t.strictSame([...binomialProbabilities(2, 0)], [1, 0, 0])
  t.strictSame([...binomialProbabilities(2, 1)], [0, 0, 1])
  t.end()
})

void test("a uniform model costs log2 V per maskable token, whatever was drawn", (t) => {
  const masked = [1, 7, 20, 3, 9, 20]
  const result = anyOrder({
    windows: 3,
    draws: 2,
    maskable: [20, 20, 20],
    masked,
    nats: masked.map((k) => k * Math.log(1024)),
  })
  t.ok(close(result.bits, 600, 1e-13))
  t.ok(result.monteCarloVariance! < 1e-9, "no count noise is left")
  t.end()
})

void test("variance, sizes and refusals", (t) => {
  // By hand: L = 4; estimates 4 * 1 / 1 = 4 and 4 * 6 / 4 = 6 bits; mean 5, variance of the mean 2 / 2 = 1.
  const input = {
    windows: 1,
    draws: 2,
    maskable: [4],
    masked: [1, 4],
    nats: [Math.LN2, 6 * Math.LN2],
  }
  const result = anyOrder(input)
  t.ok(close(result.bits, 5, 1e-13))
  t.ok(close(result.monteCarloVariance!, 1, 1e-12))
  t.equal(anyOrder({ ...input, maskable: [0] }).bits, 0, "a window of boundaries alone costs nothing here")
  t.throws(() => anyOrder({ ...input, masked: [0, 4] }), /draw 0 of window 0 masks 0 tokens, expected 1 to 4/)
  t.throws(() => anyOrder({ ...input, nats: [1] }), /nats has 1 entries, expected 2/)
  t.strictSame([...stratifiedSizes(8, 4, 0)], [2, 4, 6, 8])
  t.strictSame([...stratifiedSizes(8, 4, 0.99)], [1, 3, 5, 7])
  // Over a fine grid of offsets every size of 1..10 is drawn equally often by 4 draws: unbiased.
  const counts = new Int32Array(11)
  for (let i = 0; i < 1000; i++) for (const k of stratifiedSizes(10, 4, (i + 0.5) / 1000)) counts[k]!++
  for (let k = 1; k <= 10; k++) t.equal(counts[k], 400, `size ${k}`)
  t.end()
})

void test("the bound is a code: over all strings 2^-bits sums to at most one", (t) => {
  const kraft = total(strings().map((x) => 2 ** -enumerated(x)))
  t.ok(kraft <= 1 && kraft > 0.5, String(kraft))
  t.end()
})
