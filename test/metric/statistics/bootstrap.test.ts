import { test } from "tap"
import { bootstrapRatio } from "../../../src/metric/statistics/bootstrap.js"
import { close } from "../toy.js"

void test("few windows: the ratio plus and minus Student's t linearised standard errors", (t) => {
  // With equal denominators the ratio is the mean 5 of 2, 4, 6, 8: standard error s / sqrt(4) = sqrt(20 / 3) / 2,
  // and t with three degrees is 3.182446 (printed tables: 3.182).
  const result = bootstrapRatio([2, 4, 6, 8].map((numerator) => ({ numerator, denominator: 1 })))
  t.equal(result.estimate, 5)
  t.ok(close(result.standardError, Math.sqrt(20 / 3) / 2, 1e-12))
  t.ok(close(result.high - 5, (3.182446 * Math.sqrt(20 / 3)) / 2, 1e-6), `${result.high}`)
  t.ok(close(5 - result.low, result.high - 5, 1e-12))
  t.equal(result.method, "Student-t over 4 windows")
  // Unequal denominators: r = 1, residuals 1, -1, 0: sqrt(3 / 2 * 2) / 6 = 0.288675.
  const pairs = [
    { numerator: 3, denominator: 2 },
    { numerator: 1, denominator: 2 },
    { numerator: 2, denominator: 2 },
  ]
  t.ok(close(bootstrapRatio(pairs).standardError, Math.sqrt(3) / 6, 1e-12))
  t.end()
})

void test("more windows: percentiles wider than the plain ones by sqrt(n / (n - 1)) t / z", (t) => {
  // Means of n = 10 values are nearly normal; the standard error of their mean is s / sqrt(n), s with n - 1.
  const values = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
  const result = bootstrapRatio(
    values.map((numerator) => ({ numerator, denominator: 1 })),
    { resamples: 200_000 },
  )
  const standardError = Math.sqrt(110 / 12) / Math.sqrt(10)
  // 200 000 resamples: the spread is known to 0.16 %; three of that.
  t.ok(Math.abs(result.standardError / standardError - 1) < 0.005, `${result.standardError}`)
  // t with nine degrees is 2.262; the resampled means' lighter tails take about three hundredths of it. Plain percentiles
  // would stand at 1.96 * sqrt(9 / 10) = 1.86.
  const half = (result.high - result.low) / 2
  t.ok(Math.abs(half / (2.262 * standardError) - 1) < 0.05, `${half / standardError} standard errors`)
  t.end()
})
