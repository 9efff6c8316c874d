import { test } from "tap"
import {
  incompleteBeta,
  normalCdf,
  normalQuantile,
  studentCdf,
  studentQuantile,
} from "../../../src/metric/statistics/distributions.js"
import { studentInterval, summarise, wilsonInterval } from "../../../src/metric/statistics/intervals.js"
import { close } from "../toy.js"

void test("quantiles against printed tables", (t) => {
  // Standard t tables, two-sided 95 % and 99 %, three decimals.
  for (const [freedom, p975, p995] of [
    [1, "12.706", "63.657"],
    [2, "4.303", "9.925"],
    [4, "2.776", "4.604"],
    [9, "2.262", "3.250"],
    [30, "2.042", "2.750"],
    [120, "1.980", "2.617"],
  ] as const) {
    t.equal(studentQuantile(0.975, freedom).toFixed(3), p975, `${freedom} degrees`)
    t.equal(studentQuantile(0.995, freedom).toFixed(3), p995, `${freedom} degrees`)
  }
  // Closed form: one degree is Cauchy, tan(pi (p - 1/2)); two: (2p - 1) sqrt(2 / (4 p (1 - p))).
  t.ok(close(studentQuantile(0.9, 1), Math.tan(Math.PI * 0.4), 1e-12))
  t.ok(close(studentQuantile(0.9, 2), 0.8 * Math.sqrt(2 / (4 * 0.09)), 1e-12))
  t.ok(close(normalQuantile(0.975), 1.959963984540054, 1e-13))
  t.ok(close(normalQuantile(0.2), -0.8416212335729143, 1e-13))
  t.ok(close(1 - normalCdf(3), 0.0013498980316300957, 1e-11))
  t.ok(close(normalCdf(-6), 9.865876450376946e-10, 1e-12))
  t.equal(studentCdf(0, 5), 0.5)
  t.ok(close(studentCdf(-2, 7) + studentCdf(2, 7), 1, 1e-15))
  // I_x(2, 3) = x^2 (6 - 8x + 3x^2)
  t.ok(close(incompleteBeta(0.3, 2, 3), 0.09 * (6 - 2.4 + 0.27), 1e-13))
  t.throws(() => studentQuantile(0.9, 0), /one degree of freedom/)
  t.throws(() => normalQuantile(1), /between 0 and 1/)
  t.end()
})

void test("a mean across seeds", (t) => {
  // By hand: 1, 2, 3, 4: mean 2.5, s = sqrt(5/3), t_3 = 3.182446305284263; half = 3.1824 * 1.2910 / 2 = 2.0543.
  const interval = studentInterval([1, 2, 3, 4])
  t.ok(close(interval!.mean, 2.5, 1e-15))
  t.ok(close(interval!.standardDeviation!, Math.sqrt(5 / 3), 1e-14))
  t.ok(close(interval!.high - 2.5, (3.182446305284263 * Math.sqrt(5 / 3)) / 2, 1e-11))
  t.equal(studentInterval([1]), undefined, "one seed has no interval")
  t.equal(summarise([1]).standardDeviation, undefined)
  t.throws(() => summarise([]), /one value at least/)
  t.end()
})

void test("a proportion", (t) => {
  // Wilson 95 % for 546 of 1033 items: 0.4981 to 0.5588 (derived, four decimals).
  const { low, high, estimate } = wilsonInterval(546, 1033)
  t.equal(low.toFixed(4), "0.4981")
  t.equal(high.toFixed(4), "0.5588")
  t.ok(close(estimate, 546 / 1033, 1e-15))
  // By hand: 0 of 10: upper z^2 / (n + z^2) = 3.8415 / 13.8415.
  t.match(wilsonInterval(0, 10), { low: 0 })
  t.ok(close(wilsonInterval(0, 10).high, 1.959963984540054 ** 2 / (10 + 1.959963984540054 ** 2), 1e-12))
  t.ok(close(wilsonInterval(10, 10).low, 1 - wilsonInterval(0, 10).high, 1e-12))
  t.equal(wilsonInterval(10, 10).high, 1)
  t.throws(() => wilsonInterval(3, 2), /3 of 2/)
  t.throws(() => wilsonInterval(0, 0), /0 of 0/)
  t.end()
})
