import { test } from "tap"
import { bootstrapRatio } from "../../../src/metric/statistics/bootstrap.js"
import { pairedComparison, pairedSeeds } from "../../../src/metric/statistics/paired.js"
import { close } from "../toy.js"

/** Deterministic noise of about unit variance: sums of scrambled sines. */
const noise = (i: number): number => Math.SQRT2 * Math.sin(i * i * 12.9898 + i * 78.233)

const windows = (n: number, shift: number, own: number) =>
  Array.from({ length: n }, (_, w) => ({
    numerator: 5000 + 500 * noise(w) + shift + own * noise(w + 10_000),
    denominator: 2400 + 100 * Math.round(noise(w + 20_000)),
  }))

void test("shared difficulty of windows cancels", (t) => {
  const a = windows(200, 20, 10)
  const b = windows(200, 0, 0)
  const result = pairedComparison(a, b)
  // Derived: 200 windows of 20 bits each, over the sum of the denominators; noise of 10 bits per window.
  const bytes = a.reduce((sum, pair) => sum + pair.denominator, 0)
  const sum = (pairs: typeof a): number => pairs.reduce((s, p) => s + p.numerator, 0)
  t.ok(close(result.estimate, (sum(a) - sum(b)) / bytes, 1e-12))
  t.ok(result.low > 0, `${result.low}: found`)
  t.ok(result.low <= result.estimate && result.estimate <= result.high)
  // 10 bits of own noise over sqrt(200) windows of 2400 bytes: 0.00029.
  t.ok(close(result.standardError, 10 / Math.sqrt(200) / 2400, 0.25), String(result.standardError))
  t.ok(result.unpairedStandardError > 20 * result.standardError, "unpaired it drowns")
  const apart = bootstrapRatio(a)
  t.ok(apart.low < bootstrapRatio(b).estimate, "each interval holds the other's value")
  t.equal(result.windows, 200)
  t.ok(result.wins < 0.2, "a needs more bits in most windows")
  t.match(result.method, "paired bootstrap over 200 windows")
  t.end()
})

void test("only the same windows compare", (t) => {
  const a = [
    { numerator: 1, denominator: 10 },
    { numerator: 2, denominator: 20 },
  ]
  t.equal(pairedComparison(a, a).estimate, 0)
  t.equal(pairedComparison(a, a).wins, 0.5, "ties count half")
  t.throws(() => pairedComparison(a, a.slice(1)), /found 2 and 1/)
  t.throws(
    () => pairedComparison(a, [a[0]!, { numerator: 2, denominator: 21 }]),
    /window 1 has 20 in one run and 21 in the other/,
  )
  t.end()
})

void test("paired seeds", (t) => {
  // By hand: differences 1, 2, 3: mean 2, s = 1, t_2 = 4.302652729749464, half = 4.3027 / sqrt 3 = 2.4841.
  const interval = pairedSeeds([2, 4, 6], [1, 2, 3])
  t.ok(close(interval!.mean, 2, 1e-15))
  t.ok(close(interval!.low, 2 - 4.302652729749464 / Math.sqrt(3), 1e-11))
  t.equal(pairedSeeds([1], [2]), undefined)
  t.throws(() => pairedSeeds([1], [1, 2]), /found 1 and 2/)
  t.end()
})
