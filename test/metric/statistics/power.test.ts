import { test } from "tap"
import {
  detectableShift,
  minimumDetectable,
  testPower,
  valuesNeeded,
} from "../../../src/metric/statistics/power.js"
import { close } from "../toy.js"

void test("power of the two-sided t test", (t) => {
  // scipy 1.17.1: integrate.quad of 2 df s chi2.pdf(df s^2, df) norm.cdf(shift - c s) over s, c = t.ppf(0.975, df),
  // both tails; the shift by optimize.brentq at power 0.8. Relative tolerance 1e-9.
  for (const [freedom, shift, power1, power3] of [
    [1, 16.334008869921096, 0.07298889446967005, 0.18613206160658743],
    [2, 5.653489266197128, 0.09520175549788397, 0.3874001285259713],
    [3, 4.255898686515599, 0.11127491551700931, 0.5327926072613419],
    [9, 3.1496328864506165, 0.1459499502531788, 0.7611566204263246],
    [99, 2.8291263278141017, 0.16769954719246738, 0.8439471027373987],
  ] as const) {
    t.ok(close(detectableShift(freedom), shift, 1e-9), `${freedom} degrees of freedom`)
    t.ok(close(testPower(0, freedom), 0.05, 1e-9), "without a difference: the level")
    t.ok(close(testPower(1, freedom), power1, 1e-9))
    t.ok(close(testPower(-3, freedom), power3, 1e-9), "either sign")
  }
  t.throws(() => detectableShift(2, { power: 0.01 }), /between 0.050 and 1, found 0.01/)
  t.throws(() => detectableShift(2, { power: 1 }), /found 1/)
  t.end()
})

void test("what can be detected", (t) => {
  // The shifts above: n = 3 has two degrees of freedom, two groups of 3 have four (3.761059553825019, as above).
  t.ok(close(minimumDetectable(1, 3), 5.653489266197128 / Math.sqrt(3), 1e-9))
  t.ok(close(minimumDetectable(2, 3, { twoGroups: true }), 2 * 3.761059553825019 * Math.sqrt(2 / 3), 1e-9))
  t.equal(minimumDetectable(1, 1), Infinity)
  // Large n: (1.959964 + 0.841621) / sqrt n.
  t.ok(close(minimumDetectable(1, 10_000), 0.02801585, 1e-3))
  for (const effect of [3.3, 1, 0.2]) {
    const n = valuesNeeded(1, effect)
    t.ok(minimumDetectable(1, n) <= effect && minimumDetectable(1, n - 1) > effect, `${n} for ${effect}`)
  }
  t.equal(valuesNeeded(0, 1), 2)
  t.throws(() => valuesNeeded(1, 0), /must be positive/)
  t.end()
})
