import { test, type Test } from "tap"
import { fisherTail, studentCdf, studentTail } from "../../../src/metric/statistics/distributions.js"
import { holm } from "../../../src/metric/statistics/holm.js"
import { comparePoints, type SeedValue } from "../../../src/metric/statistics/pairwise.js"
import { detectableShift, testPower } from "../../../src/metric/statistics/power.js"
import { analysisOfVariance } from "../../../src/metric/statistics/variance.js"

const near = (t: Test, found: number | undefined, expected: number, tolerance: number, what: string) =>
  t.ok(found !== undefined && Math.abs(found - expected) <= tolerance, `${what}: ${found}, not ${expected}`)

test("Holm's step-down, by hand", (t) => {
  // Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06, 0.04, then never decreasing.
  const adjusted = holm([0.01, 0.04, 0.03, 0.005])
  ;[0.03, 0.06, 0.06, 0.02].forEach((expected, i) => near(t, adjusted[i], expected, 1e-15, `p ${i}`))
  t.same(holm([0.6, 0.9]), [1, 1], "never above 1")
  t.same(holm([]), [])
  t.throws(() => holm([1.5]), RangeError)
  t.end()
})

test("tails: closed forms", (t) => {
  // Two degrees of freedom: P(|T| >= t) = 1 - t / sqrt(t^2 + 2).
  near(t, studentTail(3, 2), 1 - 3 / Math.sqrt(11), 1e-14, "t, 2 degrees")
  near(t, studentTail(-3, 2), 1 - 3 / Math.sqrt(11), 1e-14, "two-sided")
  near(t, studentTail(2.5, 7), 2 * (1 - studentCdf(2.5, 7)), 1e-14, "as the distribution function")
  t.ok(studentTail(1e6, 3) > 0, "no cancellation far out")
  // F with 2 and n degrees: P(F >= f) = (1 + 2 f / n)^(-n / 2).
  near(t, fisherTail(4, 2, 6), (1 + 8 / 6) ** -3, 1e-14, "F(2, 6)")
  near(t, fisherTail(9, 1, 5), studentTail(3, 5), 1e-14, "F(1, n) is t squared")
  t.equal(fisherTail(0, 2, 6), 1)
  t.end()
})

test("analysis of variance", (t) => {
  const values = [
    [6, 8, 4, 5, 3, 4],
    [8, 12, 9, 11, 6, 8],
    [13, 9, 11, 8, 7, 12],
  ]
  // By hand: means 5, 9, 10, squares between 84 (2 degrees), within 68 (15): F = 42 / (68 / 15).
  const oneWay = analysisOfVariance(values, { blocked: false })
  near(t, oneWay.f, 42 / (68 / 15), 1e-12, "one-way F")
  t.same([oneWay.between, oneWay.residual], [2, 15])
  near(t, oneWay.p, (1 + (2 * 42) / (68 / 15) / 15) ** -7.5, 1e-13, "its p, closed form for 2 degrees")
  // By hand: seeds shift 1, 5/3, 0, 0, -8/3, 0 from the mean 8: 3 (1 + 25/9 + 64/9) = 98/3 of the 68.
  const blocked = analysisOfVariance(values, { blocked: true })
  near(t, blocked.residualDeviation ** 2, (68 - 98 / 3) / 10, 1e-12, "residual mean square")
  near(t, blocked.f, 42 / ((68 - 98 / 3) / 10), 1e-12, "blocked F")
  t.equal(blocked.residual, 10)
  t.equal(
    analysisOfVariance(
      [
        [1, 2],
        [2, 3],
      ],
      { blocked: true },
    ).p,
    0,
    "no noise",
  )
  t.throws(() => analysisOfVariance([[1, 2], [3]], { blocked: false }), RangeError)
  t.throws(() => analysisOfVariance([[1], [3]], { blocked: true }), RangeError)
  t.end()
})

/** A value of 4 bits/byte spread over two windows of 10 and 30 bytes. */
const value = (seed: number, at: number): SeedValue => ({
  seed,
  value: at,
  windows: [
    { numerator: 10 * at - 1, denominator: 10 },
    { numerator: 30 * at + 1, denominator: 30 },
  ],
})

/** Two-sided p of t with two degrees of freedom. */
const p = (x: number): number => 1 - x / Math.sqrt(x * x + 2)

test("points over three shared seeds: the paired t test by hand", (t) => {
  const points = [
    [value(0, 2.0), value(1, 2.2), value(2, 2.4)],
    [value(0, 2.1), value(1, 2.4), value(2, 2.5)],
    [value(0, 3.0), value(1, 3.1), value(2, 3.5)],
  ]
  const result = comparePoints(points, { paired: true, neighbours: [[2, 1]] })
  t.equal(result.lowest, 0)
  t.equal(result.basis, "seeds")
  t.equal(result.family, 3)
  t.same(
    result.pairs.map(({ a, b }) => [a, b]),
    [
      [0, 1],
      [0, 2],
      [1, 2],
    ],
  )
  // Differences 0 - 1: -0.1, -0.2, -0.1; mean -4/30, deviation sqrt(1/300), standard error 1/30, t = -4.
  const [first, second, third] = result.pairs
  near(t, first?.difference, -4 / 30, 1e-12, "difference")
  near(t, first?.overSeeds?.standardError, 1 / 30, 1e-12, "standard error")
  near(t, first?.overSeeds?.t, -4, 1e-9, "t")
  near(t, first?.overSeeds?.p, 1 - 4 / Math.sqrt(18), 1e-9, "p, closed form for 2 degrees")
  near(
    t,
    first?.overSeeds?.low,
    -4 / 30 - 4.302652729911275 / 30,
    1e-9,
    "t quantile 0.975 with 2 degrees, tabled",
  )
  near(t, first?.overSeeds?.detectable, detectableShift(2) / 30, 1e-9, "detectable")
  // 0 - 2: -1, -0.9, -1.1: t = -1 / (0.1 / sqrt 3). 1 - 2: -0.9, -0.7, -1.0: t = -(2.6/3) / (deviation / sqrt 3).
  const ps = [
    p(4),
    p(10 * Math.sqrt(3)),
    p(2.6 / 3 / Math.sqrt((0.9 ** 2 + 0.7 ** 2 + 1 - 2.6 ** 2 / 3) / 6)),
  ]
  near(t, second?.holm, 3 * ps[1]!, 1e-9, "smallest p, times 3")
  near(t, third?.holm, 2 * ps[2]!, 1e-9, "next, times 2")
  near(t, first?.holm, Math.max(ps[0]!, 2 * ps[2]!), 1e-9, "last")
  // The windows differ by the same bits per byte in each: no spread at all.
  near(t, first?.overWindows?.standardError, 0, 1e-12, "every window agrees")
  t.ok(first!.overWindows!.unpairedStandardError > 0.01, "apart, the windows do not")
  t.equal(result.variance?.residual, 4)
  // Three seeds test a pair with two degrees of freedom, however many points make the noise known better.
  const noise = result.variance!.residualDeviation * Math.sqrt(2 / 3)
  near(t, testPower(result.detectable!.single / noise, 2), 0.8, 1e-9, "power of one pair's test")
  const corrected = testPower(result.detectable!.corrected / noise, 2, 1 - 0.05 / 3)
  near(t, corrected, 0.8, 1e-9, "at a third of the level")
  t.end()
})

test("independent seeds are compared by the two-sample test, by hand", (t) => {
  const points = [
    [value(0, 1), value(1, 3)],
    [value(0, 4), value(1, 8)],
  ]
  const { pairs, variance } = comparePoints(points, { paired: false, neighbours: [] })
  // Means 2 and 6, variances 2 and 8: pooled 5, standard error sqrt(5), t = -4 / sqrt 5 with 2 degrees.
  near(t, pairs[0]?.overSeeds?.t, -4 / Math.sqrt(5), 1e-12, "t")
  near(t, pairs[0]?.overSeeds?.p, 1 - 4 / Math.sqrt(5) / Math.sqrt(16 / 5 + 2), 1e-12, "p")
  t.equal(pairs[0]?.overSeeds?.kind, "two-sample-t")
  t.equal(variance?.residual, 2)
  near(t, variance?.f, 16 / 5, 1e-12, "F is t squared")
  t.end()
})

/** One seed of ten-byte windows with these bits. */
const oneSeed = (bits: readonly number[]): readonly SeedValue[] => [
  {
    seed: 0,
    value: bits.reduce((x, y) => x + y, 0) / (10 * bits.length),
    windows: bits.map((numerator) => ({ numerator, denominator: 10 })),
  },
]

test("one seed says nothing about another: only windows are tested", (t) => {
  const a = Array.from({ length: 40 }, (_, w) => 20 + (w % 7))
  const b = a.map((bits, w) => bits + 1 + (w % 3))
  const { pairs, basis, variance, detectable } = comparePoints([oneSeed(a), oneSeed(b)], {
    paired: true,
    neighbours: [],
  })
  t.equal(basis, "windows")
  t.equal(pairs[0]?.overSeeds, undefined)
  t.equal(variance, undefined)
  t.equal(detectable, undefined)
  // Differences -1, -2, -3 in turn (14, 13, 13 times) over 10 bytes: mean -0.1975, deviation of a mean 0.0128.
  near(t, pairs[0]?.difference, -0.1975, 1e-12, "difference")
  near(t, pairs[0]?.overWindows?.standardError, 0.0129, 0.001, "bootstrap standard error")
  t.ok(pairs[0]!.holm! < 1e-6)
  t.end()
})

test("other windows do not pair", (t) => {
  const other: SeedValue = {
    seed: 0,
    value: 2,
    windows: [
      { numerator: 20, denominator: 11 },
      { numerator: 1, denominator: 9 },
    ],
  }
  const { pairs, basis } = comparePoints([[value(0, 2)], [other]], { paired: true, neighbours: [] })
  t.equal(pairs[0]?.overWindows, undefined)
  t.equal(pairs[0]?.holm, undefined)
  t.equal(basis, "nothing")
  t.throws(() => comparePoints([[value(0, 1)]], { paired: true, neighbours: [] }), RangeError)
  t.end()
})
