/** The continuous-time NELBO: its expectation on a model that can be enumerated, its noise, and a run's table rows. */
import tap, { test } from "tap"
import { measureContinuous } from "../../src/evaluators/continuous-nelbo/measure.js"
import { contractOf } from "../../src/evaluators/index.js"
import { evaluationRows } from "../../src/analysis/evaluation-rows.js"
import { ratioInterval } from "../../src/analysis/run-table.js"
import { continuousElbo, stratifiedTimes } from "../../src/metric/code/continuous-elbo.js"
import { continuousSizeWeights } from "../../src/metric/code/any-order.js"
import { boundConflict } from "../../src/metric/contract/estimator-kinds.js"
import type { ScoredWindows } from "../../src/inference/windows.js"
import { LENGTH, meanNatsBySize, TOY, X } from "../metric/toy.js"
import { masked, measure, sharp, uniform } from "./harness.js"
import { rule, toyScorer } from "./toy-scorer.js"

tap.setTimeout(540_000)

const copies = (count: number): ScoredWindows => ({
  tokens: Int32Array.from({ length: count * LENGTH }, (_, i) => X[i % LENGTH]!),
  count,
  length: LENGTH,
  starts: Int32Array.from({ length: count }, (_, w) => w * LENGTH),
  available: count,
})

const COUNT = 12_000

/** Nats a window of the toy at x = (1, 0, 1), with the standard error over independent windows. */
const estimate = async (eps: number, draws: number) => {
  const evidence = await measureContinuous(toyScorer(), copies(COUNT), {
    schedule: { kind: "log-linear", eps },
    rule,
    draws,
    seed: 5,
  })
  const content = new Int32Array(COUNT).fill(LENGTH)
  const bits = continuousElbo({ ...evidence, windows: COUNT, draws, eps, content, vocabSize: 2 })
  const nats = bits.perWindowBits.map((b) => b * Math.LN2)
  const value = nats.reduce((a, b) => a + b, 0) / COUNT
  const spread = nats.reduce((sum, n) => sum + (n - value) ** 2, 0) / (COUNT - 1)
  return { value, error: Math.sqrt(spread / COUNT), bits, evidence }
}

void test("its expectation is the any-order NELBO, and with eps the integral down to alpha = eps", async (t) => {
  // By enumeration in float64 (derived): the mean over all six orders, and the continuous NELBO at eps = 1e-3 with its
  // prior term, both of x = (1, 0, 1).
  const EXACT = { 0: 3.267564428974904, 0.001: 3.267931 } as const
  for (const eps of [0, 0.001] as const) {
    const weights = continuousSizeWeights(eps, LENGTH)
    const sizes = meanNatsBySize(TOY, X)
    const exact = sizes.reduce((sum, n, k) => sum + weights[k]! * n, 0) + LENGTH * eps * Math.LN2
    t.ok(Math.abs(exact - EXACT[eps]) < 1e-6, `enumerated at eps ${eps}: ${exact}`)
    for (const draws of [1, 4]) {
      const { value, error } = await estimate(eps, draws)
      t.ok(Math.abs(value - exact) < 4 * error, `eps ${eps}, ${draws} draws: ${value} +- ${error}, ${exact}`)
      t.ok(error < 0.06, `the check has power: ${error}`)
    }
  }
})

void test("times are one in each stratum, masks have the schedule's share", async (t) => {
  t.same([...stratifiedTimes([0.5, 0.5, 0.5, 0.5])], [0.125, 0.375, 0.625, 0.875])
  const { evidence, bits } = await estimate(0, 4)
  for (let w = 0; w < COUNT; w++)
    for (let j = 0; j < 4; j++)
      if (Math.floor(4 * evidence.times[w * 4 + j]!) !== j) t.fail(`window ${w}, draw ${j}`)
  const share = evidence.masked.reduce((a, b) => a + b, 0) / (COUNT * 4 * LENGTH)
  // A mean of 144 000 Bernoulli draws at mean rate 1/2: 5 standard deviations.
  t.ok(Math.abs(share - 0.5) < 5 * Math.sqrt(0.25 / (COUNT * 4 * LENGTH)), `${share}`)
  // Differences of neighbours hold the trend over times too, so they never say less than the noise that is there.
  const spread = bits.perWindowBits.reduce((sum, b) => sum + (b - bits.bits / COUNT) ** 2, 0)
  t.ok(bits.monteCarloVariance! > 0.9 * spread, `${bits.monteCarloVariance} and ${spread}`)
  t.ok(bits.monteCarloVariance! < 3 * spread, `${bits.monteCarloVariance} and ${spread}`)
})

void test("evidence of the wrong size or time is refused; time 0 costs nothing", (t) => {
  const input = { windows: 1, draws: 2, eps: 0, times: [0, 0.5], nats: [0, 1], content: [3], vocabSize: 2 }
  t.equal(continuousElbo(input).bits, 1 / Math.LN2)
  t.throws(() => continuousElbo({ ...input, nats: [1] }), /nats has 1 entries, expected 2/)
  t.throws(() => continuousElbo({ ...input, times: [0, 1.5] }), /draw 1 of window 0 is at time 1.5/)
  t.equal(continuousElbo({ ...input, draws: 1, times: [0.5], nats: [1] }).monteCarloVariance, undefined)
  t.end()
})

void test("from a spec to rows: contract, interval, draws' own error; a uniform model costs log2 V a token", async (t) => {
  const experiment = masked("maskable")
  const kind = { kind: "continuous-nelbo", draws: 64, seed: 3 } as const
  const { summary } = await measure(experiment, uniform(experiment), kind)
  const error = Math.sqrt(summary.monteCarloVariance!)
  t.ok(Math.abs(summary.bits - 10 * summary.tokens) < 4 * error, `${summary.bits} +- ${error}`)
  t.ok(error < 0.2 * summary.bits, `the check has power: ${error}`)
  // eps log2 V a token.
  t.ok(Math.abs(summary.terminalBits - 1e-3 * 10 * summary.tokens) < 1e-9)
  const contract = contractOf(summary.evaluation, { ...summary.context, denominator: { kind: "tokens" } })
  t.match(contract, { bound: "upper-bound", estimator: { kind: "continuous-elbo", draws: 64, eps: 1e-3 } })
  t.equal(boundConflict(contract.estimator, contract.bound), undefined)
  const rows = evaluationRows(summary, { ratioInterval }, false, {})
  t.same(
    rows.map(({ id }) => id),
    ["test/bits-per-byte", "test/bits-per-token", "test/nats-per-token", "test/terminal"],
  )
  t.equal(rows[1]!.boundKind, "upper-bound")
  const { value, interval } = rows[1]!
  t.ok(interval !== null && interval.low < value! && value! < interval.high, "over windows")
  t.ok(rows[1]!.drawError! > 0, "the standard error of the mask draws alone")

  // Another model, the same expectation as the any-order bound of it: within four standard errors of both.
  const parameters = sharp(experiment)
  const one = (await measure(experiment, parameters, { ...kind, draws: 256 })).summary
  const other = (await measure(experiment, parameters, { kind: "any-order", draws: 64, seed: 4 })).summary
  const both = Math.sqrt(one.monteCarloVariance! + other.monteCarloVariance!)
  t.ok(
    Math.abs(one.bits - one.terminalBits - other.bits) < 4 * both + 0.01 * other.bits,
    "near the any-order bound",
  )
})
