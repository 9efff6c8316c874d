/**
 * Tau-leaping with exact gaps against the length mixture that they come from, and what steps of fixed size leave to the
 * end, by simulation. Random numbers are fixed by their seed, so each check is one outcome of the stated experiment.
 */
import t, { test } from "tap"
import { meanField, type FireRule, type StepGrid } from "../../src/diffusion/insertion/leap.js"
import { LINEAR } from "../../src/diffusion/insertion/schedule.js"
import { stream } from "../../src/diffusion/philox.js"
import { leapTexts, type FlexJob, type LeapSettings } from "../../src/samplers/flexmdm/leap.js"
import { lengthOf } from "../../src/samplers/flexmdm/row.js"
import { lengthForward, lengthLaw, MIXTURE } from "./length-oracle.js"

// Simulations take longer than the default of a file that is run directly.
t.setTimeout(600_000)

const [PAD, MASK] = [0, 1]
const jobOf = (lengths: ReadonlyMap<number, number>, canvas: number): FlexJob => ({
  forward: lengthForward(lengths),
  source: stream(11, "sample"),
  model: { schedules: LINEAR, padId: PAD, maskId: MASK, canvas, anchored: false },
})
const settings = (changes: Partial<LeapSettings>): LeapSettings => ({
  steps: 64,
  grid: "even",
  unmasking: { kind: "leap", fire: "exactly-one" },
  insertion: "poisson",
  overflow: "cancel",
  last: "argmax",
  choice: { temperature: 1, topP: 1 },
  specials: "excluded",
  ...changes,
})
const empty = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ index, prefix: [], suffix: [] }))

const CANVAS = 64
const published = { grid: "even", insert: "poisson", overflow: "cancel" } as const
/** Shares of the four lengths of the mixture, and of all others. */
const sharesOf = (law: Float64Array): readonly number[] => {
  const four = [...MIXTURE.keys()].map((length) => law[length]!)
  return [...four, 1 - four.reduce((a, b) => a + b, 0)]
}
const variation = (law: Float64Array): number =>
  law.reduce((sum, p, n) => sum + Math.abs(p - (MIXTURE.get(n) ?? 0)), 0) / 2
const meanOf = (law: Float64Array): number => law.reduce((sum, p, n) => sum + p * n, 0)

test("the law of tau-leaped lengths is that of the published simulations, and converges to the mixture", (t) => {
  // Vector I: the text's simulation of 4000 rows at N = 1024, and the published code's at N = 64 (overflow fills).
  for (const [steps, overflow, shares] of [
    [1024, "cancel", [0.105, 0.381, 0.371, 0.088]],
    [64, "fill", [0.0707, 0.256, 0.198, 0.0395]],
  ] as const) {
    const law = sharesOf(lengthLaw(MIXTURE, CANVAS, { ...published, steps, overflow }))
    shares.forEach((share, i) => {
      const error = 4 * Math.sqrt((share * (1 - share)) / 4000)
      t.ok(
        Math.abs(law[i]! - share) < error,
        `N = ${steps}, ${[...MIXTURE.keys()][i]!}: ${law[i]}, simulated ${share}`,
      )
    })
  }
  const laws = [256, 512, 1024, 2048].map((steps) => lengthLaw(MIXTURE, CANVAS, { ...published, steps }))
  const distances = laws.map(variation)
  const beyond = laws.map((law) => meanOf(law) - 26)
  t.comment(
    `N = 256, 512, 1024, 2048: total variation ${distances.join(", ")}; mean - 26: ${beyond.join(", ")}`,
  )
  // A discretisation of order ln(N)/N: each doubling leaves little more than half of the distance.
  for (const k of [1, 2, 3]) {
    t.ok(distances[k]! / distances[k - 1]! < 0.6, `${distances[k]} after ${distances[k - 1]}`)
    t.ok(beyond[k]! < 0.85 * beyond[k - 1]!, `mean beyond 26 by ${beyond[k]} after ${beyond[k - 1]}`)
  }
  t.end()
})

/** Chi-square with 4 degrees of freedom exceeds 23.51 with probability 1e-4. */
const LIMIT_4 = 23.51

test("the sampler's lengths have that law at N = 64 and at N = 1024, and at N = 1024 almost the mixture's", async (t) => {
  for (const [steps, overflow, rows] of [
    [64, "fill", 600],
    [64, "cancel", 600],
    [1024, "cancel", 100],
  ] as const) {
    const texts = await leapTexts(empty(rows), settings({ steps, overflow }), jobOf(MIXTURE, CANVAS))
    const lengths = texts.map(({ row }) => lengthOf(row, PAD))
    const four = [...MIXTURE.keys()].map((length) => lengths.filter((l) => l === length).length)
    const counts = [...four, rows - four.reduce((a, b) => a + b, 0)]
    const law = sharesOf(lengthLaw(MIXTURE, CANVAS, { ...published, steps, overflow }))
    const x2 = counts.reduce((sum, c, i) => sum + (c - rows * law[i]!) ** 2 / (rows * law[i]!), 0)
    t.ok(x2 < LIMIT_4, `N = ${steps}, ${overflow}: counts ${counts.join(" ")}, chi-square ${x2} of 4 degrees`)
    if (steps === 1024) {
      const mean = lengths.reduce((a, b) => a + b, 0) / rows
      // Standard deviation of the mixture 15.9; 26.17 in the stored simulation of 4000 rows.
      t.ok(Math.abs(mean - 26.17) < 4 * 15.9 * Math.sqrt(1 / rows + 1 / 4000), `mean length ${mean}`)
    }
  }
})

const LENGTH = 30
const forgotten = {
  kind: "confidence",
  by: "position",
  hazard: false,
  ranking: "logits",
  tokens: "argmax",
} as const
const CASES: readonly (readonly [string, StepGrid, FireRule, LeapSettings["unmasking"]])[] = [
  ["confidence without the hazard", "even", "no-hazard", forgotten],
  ["confidence with the hazard", "even", "rate", { ...forgotten, hazard: true }],
  ["tau", "even", "exactly-one", { kind: "leap", fire: "exactly-one" }],
  ["tau on the short grid", "short", "exactly-one", { kind: "leap", fire: "exactly-one" }],
]

test("the mean-field table of what steps leave behind, by simulation", async (t) => {
  for (const [steps, rows] of [
    [64, 100],
    [128, 60],
    [256, 30],
    [512, 15],
    [1024, 8],
    [4096, 2],
  ] as const) {
    for (const [name, grid, fire, unmasking] of CASES) {
      const texts = await leapTexts(
        empty(rows),
        settings({ steps, grid, unmasking }),
        jobOf(new Map([[LENGTH, 1]]), 64),
      )
      const tokens = rows * LENGTH
      const found = {
        masked: texts.reduce((sum, { revealedLast }) => sum + revealedLast, 0) / tokens,
        missing: 1 - texts.reduce((sum, { row }) => sum + lengthOf(row, PAD), 0) / tokens,
      }
      const expected = meanField(LINEAR, { steps, grid, fire })
      for (const of of ["masked", "missing"] as const) {
        const share = expected[of]
        // Four standard errors of nearly independent tokens, and one token in a row for what fluctuates beside them:
        // a count above what is eligible, a row that overshoots its length.
        const error = 4 * Math.sqrt((share * (1 - share)) / tokens) + 0.01
        t.ok(
          Math.abs(found[of] - share) < error,
          `N = ${steps}, ${name}, ${of}: ${found[of]}, table ${share}, within ${error}`,
        )
      }
    }
  }
})
