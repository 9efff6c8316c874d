import { fc } from "../../fuzz.js"
import { test } from "tap"
import { REPRODUCTION_VERDICTS, reproductionVerdict } from "../../../src/metric/statistics/reproduction.js"
import { splitMix32 } from "../../../src/metric/statistics/bootstrap.js"
import { normalQuantile, studentQuantile } from "../../../src/metric/statistics/distributions.js"
import { detectableShift } from "../../../src/metric/statistics/power.js"
import { close } from "../toy.js"

const published = { value: 1.7478, halfWidth: 0.00005 }

const verdict = (runs: readonly number[], margin = 0.01) =>
  reproductionVerdict({ published, runs, margin }).verdict

void test("the five verdicts", (t) => {
  t.equal(verdict([]), "not-attempted")
  t.equal(verdict([1.7478]), "underpowered", "one seed is never a reproduction")
  t.equal(verdict([1.7478], 100), "underpowered", "whatever the margin")
  t.equal(verdict([1.747, 1.7485, 1.748]), "within-noise")
  t.equal(verdict([1.7, 1.8, 1.74]), "underpowered", "the interval is wider than the margin")
  t.equal(verdict([1.9, 1.901, 1.899]), "worse")
  t.equal(verdict([1.6, 1.601, 1.599]), "better")
  t.equal(
    reproductionVerdict({ published: { value: 58 }, runs: [61, 61.2, 60.9], margin: 1, lowerIsBetter: false })
      .verdict,
    "better",
    "accuracy: higher is better",
  )
  t.strictSame(
    new Set(["within-noise", "better", "worse", "underpowered", "not-attempted"]),
    new Set(REPRODUCTION_VERDICTS),
  )
  t.end()
})

void test("the interval", (t) => {
  // By hand: runs 1, 2, 3 against one published seed, 2 +- 0.5: half = 4.302652729749464 sqrt(1/3 + 1) + 0.5.
  const half = 4.302652729749464 * Math.sqrt(4 / 3) + 0.5
  const result = reproductionVerdict({ published: { value: 2, halfWidth: 0.5 }, runs: [1, 2, 3], margin: 6 })
  t.match(result, { verdict: "within-noise", seeds: 3, difference: 0 })
  t.ok(close(result.high!, half, 1e-11) && close(-result.low!, half, 1e-11))
  // Welch with equal spreads and sizes: error sqrt(2/3), 4 degrees: 2.7764451051977987.
  const welch = reproductionVerdict({
    published: { value: 2, standardDeviation: 1, seeds: 3 },
    runs: [1, 2, 3],
    margin: 5,
  })
  t.ok(close(welch.high!, 2.7764451051977987 * Math.sqrt(2 / 3), 1e-11))
  // scipy.stats.ttest_ind_from_stats(2.161, 0.013747727084867604, 3, 2.21, 0.02, 5, equal_var=False): t = -4.0975858;
  // degrees of freedom by hand: (a + b)^2 / (a^2/2 + b^2/4), a = 6.3e-5, b = 8e-5.
  const unequal = reproductionVerdict({
    published: { value: 2.21, standardDeviation: 0.02, seeds: 5 },
    runs: [2.158, 2.176, 2.149],
    margin: 0.01,
  })
  const freedom = (6.3e-5 + 8e-5) ** 2 / (6.3e-5 ** 2 / 2 + 8e-5 ** 2 / 4)
  const error = Math.sqrt(6.3e-5 + 8e-5)
  t.ok(close(unequal.difference! / error, -4.097585849034728, 1e-10))
  t.ok(close(unequal.high! - unequal.difference!, studentQuantile(0.975, freedom) * error, 1e-9))
  t.ok(close(unequal.detectable!, detectableShift(freedom) * error, 1e-9))
  const tiny = reproductionVerdict({
    published: { value: 1, seeds: 100 },
    runs: [1.001, 1.0011, 1.0009],
    margin: 0.01,
  })
  t.match(tiny, { verdict: "worse", negligible: true }, "real, but within the margin")
  // Equal runs have no spread: then rounding alone is the interval.
  t.equal(reproductionVerdict({ published, runs: [1.7478, 1.7478], margin: 0.01 }).verdict, "within-noise")
  t.throws(() => reproductionVerdict({ published, runs: [1], margin: 0 }), /margin must be positive/)
  t.throws(() => reproductionVerdict({ published, runs: [Number.NaN], margin: 1 }), /finite values/)
  t.end()
})

void test("one run is never within noise, for any numbers", (t) => {
  fc.assert(
    fc.property(
      fc.double({ noNaN: true, min: -1e6, max: 1e6 }),
      fc.double({ noNaN: true, min: -1e6, max: 1e6 }),
      fc.double({ noNaN: true, min: 1e-6, max: 1e9 }),
      (value, run, margin) =>
        reproductionVerdict({ published: { value }, runs: [run], margin }).verdict === "underpowered",
    ),
  )
  t.pass()
  t.end()
})

void test("runs of the published experiment itself are called different once in twenty times", (t) => {
  const next = splitMix32(11)
  const draw = (): number => 2 + 0.02 * normalQuantile((next() + 0.5) / 4294967296)
  const trials = 400
  let different = 0
  for (let i = 0; i < trials; i++) {
    const { verdict: said } = reproductionVerdict({
      published: { value: draw() },
      runs: [draw(), draw(), draw()],
      margin: 0.01,
    })
    if (said === "better" || said === "worse") different++
  }
  // Binomial: 20 of 400, standard deviation 4.4; four of those. The published seed taken for the truth gives 66.
  t.ok(Math.abs(different - 0.05 * trials) < 17, `${different} of ${trials}`)
  t.end()
})
