import * as fc from "fast-check"
import { test } from "tap"
import { REPRODUCTION_VERDICTS, reproductionVerdict } from "../../../src/metric/statistics/reproduction.js"
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
  // By hand: runs 1, 2, 3 against 2 +- 0.5: half = 4.302652729749464 / sqrt 3 + 0.5.
  const half = 4.302652729749464 / Math.sqrt(3) + 0.5
  const result = reproductionVerdict({ published: { value: 2, halfWidth: 0.5 }, runs: [1, 2, 3], margin: 5 })
  t.match(result, { verdict: "within-noise", seeds: 3, difference: 0 })
  t.ok(close(result.high!, half, 1e-11) && close(-result.low!, half, 1e-11))
  // Welch with equal spreads and sizes: error sqrt(2/3), 4 degrees: 2.7764451051977987.
  const welch = reproductionVerdict({
    published: { value: 2, standardDeviation: 1, seeds: 3 },
    runs: [1, 2, 3],
    margin: 5,
  })
  t.ok(close(welch.high!, 2.7764451051977987 * Math.sqrt(2 / 3), 1e-11))
  const tiny = reproductionVerdict({ published: { value: 1 }, runs: [1.001, 1.0011, 1.0009], margin: 0.01 })
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
