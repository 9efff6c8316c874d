/** Intervals hold the truth as often as they say: the simulation of bench/coverage.ts, with fewer repetitions. */
import { test } from "tap"
import { CASES, coverage, coverageMarkdown } from "../../../bench/coverage.js"
import { binomialProbabilities } from "../../../src/metric/code/any-order.js"
import { wilsonInterval } from "../../../src/metric/statistics/intervals.js"

/** Share of intervals that hold p, exactly: the probabilities of the counts whose interval does. */
const exactWilson = (p: number, n: number): number =>
  binomialProbabilities(n, p).reduce((sum, probability, successes) => {
    const { low, high } = wilsonInterval(successes, n)
    return low <= p && p <= high ? sum + probability : sum
  }, 0)

test("every estimator's interval covers within its band", async (t) => {
  // Cases of many repetitions are cheap ones.
  const rows = await coverage(
    ({ repeats }) => Math.max(60, Math.round(repeats / (repeats < 10_000 ? 20 : 4))),
    7,
  )
  t.equal(rows.length, CASES.length)
  for (const { name, covered, repeats, band } of rows) {
    // Some coverage inside the band explains the count within five binomial standard deviations.
    const [low, high] = band.map((rate) => rate * repeats) as [number, number]
    const [below, above] = band.map((rate) => 5 * Math.sqrt(rate * (1 - rate) * repeats)) as [number, number]
    t.ok(covered >= low - below && covered <= high + above, `${name}: ${covered} of ${repeats}`)
  }
  t.match(coverageMarkdown(rows), /\| mean over 3 seeds, Student-t \|/)
})

test("the simulation agrees with exact arithmetic where there is one", async (t) => {
  const rows = await coverage(({ name, repeats }) => (name.endsWith("Wilson") ? repeats : 1), 3)
  for (const [p, n] of [
    [0.05, 20],
    [0.3, 100],
    [0.7, 1319],
  ] as const) {
    const exact = exactWilson(p, n)
    const { covered, repeats } = rows.find(({ name }) => name === `proportion ${p} of ${n}, Wilson`)!
    // Five standard deviations of a binomial count.
    const error = 5 * Math.sqrt(exact * (1 - exact) * repeats)
    t.ok(
      Math.abs(covered - exact * repeats) < error,
      `p=${p}, n=${n}: ${covered} of ${repeats}, exactly ${exact}`,
    )
  }
})

test("an interval that is too short is seen", async (t) => {
  // A normal quantile in place of Student's t with three seeds: 0.95 becomes P(|t_2| < 1.96) = 0.811.
  const { studentCdf } = await import("../../../src/metric/statistics/distributions.js")
  const wrong = 2 * studentCdf(1.959964, 2) - 1
  t.ok(Math.abs(wrong - 0.811) < 0.001)
  const { repeats, band } = CASES.find(({ name }) => name.startsWith("mean over 3 seeds"))!
  const n = Math.round(repeats / 4)
  t.ok(
    wrong * n < band[0] * n - 5 * Math.sqrt(band[0] * (1 - band[0]) * n),
    "outside the band at this many repetitions",
  )
})
