/** Steps of fixed size. Table: percentages of the final tokens, computed independently, to their last digit. */
import { test } from "tap"
import {
  fireChance,
  meanField,
  stepSize,
  stepTime,
  type FireRule,
  type StepGrid,
} from "../../../src/diffusion/insertion/leap.js"
import { LINEAR } from "../../../src/diffusion/insertion/schedule.js"
import { distance, golden } from "./golden.js"

const share = (steps: number, grid: StepGrid, fire: FireRule) => meanField(LINEAR, { steps, grid, fire })

test("what steps leave behind on average", async (t) => {
  // N; confidence without and with the hazard, tau on both grids: still MASK at the last step; never inserted on both.
  for (const [steps, forgotten, confidence, tauEven, tauShort, missingEven, missingShort] of [
    [64, 62.9, 7.4, 12.4, 15.4, 1.56, 3.08],
    [128, 63.1, 4.2, 7.4, 9.4, 0.78, 1.55],
    [256, 63.1, 2.4, 4.3, 5.6, 0.39, 0.78],
    [512, 63.2, 1.3, 2.4, 3.2, 0.2, 0.39],
    [1024, 63.2, 0.73, 1.4, 1.8, 0.1, 0.2],
    [4096, 63.2, 0.22, 0.41, 0.56, 0.02, 0.05],
  ] as const) {
    for (const [found, expected] of [
      [share(steps, "even", "no-hazard").masked, forgotten],
      [share(steps, "even", "rate").masked, confidence],
      [share(steps, "even", "exactly-one").masked, tauEven],
      [share(steps, "short", "exactly-one").masked, tauShort],
      [share(steps, "even", "exactly-one").missing, missingEven],
      [share(steps, "short", "exactly-one").missing, missingShort],
    ] as const) {
      const digit = expected < 1 || missingEven === expected || missingShort === expected ? 0.01 : 0.1
      t.ok(
        Math.abs(100 * found - expected) <= 0.51 * digit,
        `N = ${steps}: ${100 * found} %, table ${expected} %`,
      )
    }
  }
  t.ok(
    share(512, "even", "rate").masked < 0.015,
    "confidence with the hazard leaves less than 1.5 % at N = 512",
  )
  const exact = meanField(LINEAR, { steps: 64, grid: "even", fire: "survival", insert: "survival" })
  // sum over i of (1/N) prod (1 - 1/(N - k)): with exact survival what is left at the last step is H_63 / 64.
  const harmonic = Array.from({ length: 63 }, (_, j) => 1 / (j + 1)).reduce((a, b) => a + b, 0)
  t.ok(distance(exact.masked, harmonic / 64) < 1e-12)
})

test("one event and at least one", async (t) => {
  const { tau_one_event: cases } = golden<{
    readonly tau_one_event: readonly { lam: number; p_exactly_one: number; p_at_least_one: number }[]
  }>("vectors")
  const linear = { kind: "linear" } as const
  for (const c of cases) {
    t.ok(distance(fireChance("exactly-one", linear, 0, c.lam), c.p_exactly_one) < 1e-14)
    t.ok(distance(fireChance("at-least-one", linear, 0, c.lam), c.p_at_least_one) < 1e-14)
    t.ok(distance(fireChance("normalised", linear, 0, c.lam), c.lam / (1 + c.lam)) < 1e-14)
    t.ok(distance(fireChance("survival", linear, 0, c.lam), c.lam) < 1e-14)
  }
  t.equal(fireChance("no-hazard", linear, 0.9, 0.01), 0.01)
  t.ok(distance(fireChance("rate", linear, 0.9, 0.01), 0.1) < 1e-12, "the hazard at 0.9 is 10")
})

test("grids", async (t) => {
  t.equal(stepSize("even", 8), 0.125)
  t.ok(distance(stepSize("short", 8), 0.11111) < 1e-14, "(1 - 1e-5) / 9")
  t.equal(stepTime("even", 8, 7), 0.875)
})
