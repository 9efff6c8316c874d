import { test, type Test } from "tap"
import { clusteredMean } from "../../../src/metric/statistics/clustered.js"
import { wilsonInterval } from "../../../src/metric/statistics/intervals.js"
import { mcnemar } from "../../../src/metric/statistics/mcnemar.js"
import { passAtK } from "../../../src/metric/statistics/pass-at-k.js"

const near = (t: Test, found: number, expected: number, digits: number, name: string): void => {
  t.ok(Math.abs(found - expected) < 0.5 * 10 ** -digits, `${name}: ${found} against ${expected}`)
}

test("pass@k: published examples (Chen et al. 2021, its estimator in exact arithmetic)", (t) => {
  for (const [n, c, k, expected, digits] of [
    [10, 3, 1, 0.3, 12],
    [10, 3, 5, 0.916667, 6],
    [100, 1, 10, 0.1, 12],
    [200, 17, 100, 0.9999963677, 10],
    [5, 5, 1, 1, 12],
    [5, 0, 5, 0, 12],
    [5, 1, 5, 1, 12],
  ] as const)
    near(t, passAtK(n, c, k), expected, digits, `pass@${k} of ${c}/${n}`)
  t.throws(() => passAtK(3, 1, 4), RangeError)
  t.throws(() => passAtK(3, 4, 1), RangeError)
  t.end()
})

test("pass@k is the mean over every choice of k samples", (t) => {
  const choose = (n: number, k: number): number => (k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k)
  for (let n = 1; n <= 8; n++)
    for (let c = 0; c <= n; c++)
      for (let k = 1; k <= n; k++) {
        const wrong = n - c < k ? 0 : choose(n - c, k)
        near(t, passAtK(n, c, k), 1 - wrong / choose(n, k), 10, `${n} ${c} ${k}`)
      }
  t.end()
})

test("Wilson intervals of the stored figures (scipy.stats.binomtest, six digits)", (t) => {
  for (const [k, n, low, high] of [
    [546, 1033, 0.498067, 0.558836],
    [695, 1033, 0.643591, 0.700724],
    [786, 1319, 0.569182, 0.622073],
    [1033, 1033, 0.996295, 1],
    [0, 1319, 0, 0.002904],
  ] as const) {
    const found = wilsonInterval(k, n)
    near(t, found.low, low, 6, `${k}/${n} low`)
    near(t, found.high, high, 6, `${k}/${n} high`)
  }
  t.end()
})

test("McNemar, exact: the discordant items as fair coins, counted by hand", (t) => {
  t.equal(mcnemar(0, 0).p, 1)
  // 2 (1 + 5) / 2^5
  near(t, mcnemar(4, 1).p, 12 / 32, 12, "4 and 1")
  near(t, mcnemar(1, 4).p, 12 / 32, 12, "1 and 4")
  near(t, mcnemar(0, 2).p, 0.5, 12, "0 and 2: 151 against 149 of 164 at best")
  near(t, mcnemar(4, 0).p, 0.125, 12, "4 and 0: 144 against 140 of 164 at best")
  t.equal(mcnemar(3, 3).p, 1)
  let sum = 0
  for (let k = 0, term = 2 ** -40; k <= 12; k++, term = (term * (41 - k)) / k) sum += term
  near(t, mcnemar(12, 28).p, 2 * sum, 10, "12 and 28")
  t.throws(() => mcnemar(1.5, 2), RangeError)
  t.end()
})

test("a clustered mean is the usual one without clusters, and wider with items that agree", (t) => {
  const values = [1, 0, 0, 1, 1, 0, 1, 1]
  const alone = clusteredMean(
    values,
    values.map((_, i) => String(i)),
  )
  // mean 5/8, s^2 = (5 (3/8)^2 + 3 (5/8)^2) / 7 = 15/56
  near(t, alone.standardError, Math.sqrt(15 / 56 / 8), 12, "alone")
  // Clusters {1,0}, {0,1}, {1,0}, {1,1}: sums of deviations -1/4, -1/4, -1/4, 3/4; 4/3 (12/16) / 64 = 1/64
  const pairs = clusteredMean(
    values,
    values.map((_, i) => String(i >> 1)),
  )
  near(t, pairs.standardError, 1 / 8, 12, "pairs")
  t.equal(pairs.clusters, 4)
  // (1.959964 + 0.841621) / 8
  near(t, pairs.minimumDetectable, 0.350198, 6, "what could have been found")
  t.equal(clusteredMean([1, 0], ["a", "a"]).standardError, Number.POSITIVE_INFINITY)
  t.throws(() => clusteredMean([], []), RangeError)
  t.end()
})
