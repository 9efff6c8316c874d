import { test } from "tap"
import { chain } from "../../../src/diffusion/reveal.js"
import {
  discreteElbo,
  revealProbabilities,
  uniformElboBits,
  uniformElboVariance,
} from "../../../src/metric/code/elbo.js"

const alphasOf = (steps: number): number[] => [
  1,
  ...chain({ kind: "log-linear", eps: 1e-3 }, steps).map((s) => s.alpha),
]
const close = (a: number, b: number, relative: number): boolean => Math.abs(a - b) <= relative * Math.abs(b)

void test("reveal probabilities are 1/k for the log-linear schedule", (t) => {
  // Derived: alpha is linear in t, so (alpha_{k-1} - alpha_k) / (1 - alpha_k) = 1/k for every T.
  for (const steps of [4, 8, 128]) {
    revealProbabilities(alphasOf(steps)).forEach((r, i) =>
      t.ok(close(r, 1 / (i + 1), 1e-11), `T = ${steps}, k = ${i + 1}`),
    )
  }
  const alphas = alphasOf(128)
  const revealed = revealProbabilities(alphas).reduce((sum, r, i) => sum + r * (1 - alphas[i + 1]!), 0)
  t.ok(close(revealed, 0.999, 1e-12), "sum of r_k (1 - alpha_k) is 1 - alpha_T")
  t.end()
})

void test("a uniform model over 1024 tokens", (t) => {
  const alphas = alphasOf(128)
  // Arithmetic: 2048 tokens of 10 bits; with 3 free tokens 2045 * 10 + 3 * 0.01.
  t.ok(close(uniformElboBits(2048, 0, alphas, 1024), 20480, 1e-12))
  t.ok(close(uniformElboBits(2045, 3, alphas, 1024), 20450.03, 1e-12))
  // Standard deviations of one window's estimate computed independently in float64; the T = 128 one was also
  // simulated with 2000 draws (84.5).
  const expected = {
    8: 209.6633971733877,
    16: 174.51545771712543,
    32: 139.86131874661748,
    128: 84.18753300100039,
    512: 48.214931371993764,
  }
  for (const [steps, sd] of Object.entries(expected)) {
    t.ok(close(Math.sqrt(uniformElboVariance(2048, alphasOf(Number(steps)), 1024)), sd, 1e-9), `T = ${steps}`)
  }
  t.end()
})

void test("evidence is summed with its weights", (t) => {
  // Two windows, T = 2, two draws, by hand: alphas 1, 0.5005, 0.001; r = 1, 1/2; V = 1024.
  const alphas = alphasOf(2)
  const nats = [2, 4, 10, 14, 0, 2, 6, 6].map((bits) => bits * Math.LN2)
  const input = {
    windows: 2,
    steps: 2,
    draws: 2,
    alphas,
    nats,
    masked: new Int32Array(8),
    content: [5, 3],
    vocabSize: 1024,
  }
  const result = discreteElbo(input)
  // Window 0: 3 + 12/2 + 5 * 0.001 * 10 = 9.05; window 1: 1 + 6/2 + 3 * 0.001 * 10 = 4.03.
  t.ok(close(result.perWindowBits[0]!, 9.05, 1e-12))
  t.ok(close(result.perWindowBits[1]!, 4.03, 1e-12))
  t.ok(close(result.bits, 13.08, 1e-12))
  t.ok(close(result.terminalBits, 0.08, 1e-10))
  // Draws (2,4), (10,14), (0,2), (6,6): variances of the means 1, 4, 1, 0; weighted by r^2: 1 + 4/4 + 1 + 0 = 3.
  t.ok(close(result.monteCarloVariance!, 3, 1e-11))
  t.equal(
    discreteElbo({ ...input, draws: 1, nats: nats.slice(0, 4), masked: new Int32Array(4) })
      .monteCarloVariance,
    undefined,
  )
  t.throws(() => discreteElbo({ ...input, nats: nats.slice(1) }), /nats has 7 entries, expected 8/)
  t.throws(() => discreteElbo({ ...input, alphas: [1] }), /2 steps need 3 alphas/)
  t.end()
})
