/** Schedule, times and chain. Expected values: float64 arithmetic of the formulas, recomputed with Python. */
import { test } from "tap"
import { chain, terminalNats } from "../../src/diffusion/reveal.js"
import {
  alpha,
  countWeight,
  dsigma,
  maskProbability,
  sigma,
  sigmaOfVisible,
  timeWeight,
} from "../../src/diffusion/schedule.js"
import { timesFromUniforms, uniformsForTimes } from "../../src/diffusion/times.js"

const schedule = { kind: "log-linear", eps: 1e-3 } as const
const relative = (actual: number, expected: number): number =>
  Math.abs(actual - expected) / Math.max(Math.abs(expected), 1e-300)

test("alpha, sigma and weights at eps = 0.001", async (t) => {
  // Columns: t, alpha = 1 - 0.999 t, sigma = -ln alpha, 0.999/alpha, 0.999/(1 - alpha). Tolerance 1e-12 relative.
  for (const [time, a, s, published, nelbo] of [
    [0.001, 0.999001, 0.0009994993330835057, 0.999998999000001, 1000],
    [0.1, 0.9001, 0.10524941071909748, 1.1098766803688478, 10],
    [0.25, 0.75025, 0.2873487946616606, 1.3315561479506832, 4],
    [0.5, 0.5005, 0.6921476802268619, 1.9960039960039961, 2],
    [0.75, 0.25075, 1.383298852140092, 3.9840478564307076, 4 / 3],
    [0.9, 0.1009, 2.2936253516225737, 9.900891972249752, 10 / 9],
    [0.99, 0.01099, 4.510769510566602, 90.90081892629618, 100 / 99],
    [1, 0.001, 6.907755278982136, 999, 1],
  ] as const) {
    t.ok(relative(alpha(schedule, time), a) < 1e-12, `alpha(${time})`)
    t.ok(relative(sigma(schedule, time), s) < 1e-12, `sigma(${time})`)
    t.ok(relative(dsigma(schedule, time), published) < 1e-12, `dsigma(${time})`)
    t.ok(relative(timeWeight("dsigma", schedule, time), published) < 1e-12, `published weight(${time})`)
    t.ok(relative(timeWeight("nelbo", schedule, time), nelbo) < 1e-12, `NELBO weight(${time})`)
    t.ok(relative(maskProbability(schedule, time), 1 - a) < 1e-12, `mask probability(${time})`)
    t.ok(
      relative(timeWeight("dsigma", schedule, time) / timeWeight("nelbo", schedule, time), Math.expm1(s)) <
        1e-9,
      "published / NELBO = expm1(sigma)",
    )
  }
  t.equal(sigma(schedule, 0), 0)
  t.equal(timeWeight("clamped-inverse-t", schedule, 0.001), 100)
  t.equal(timeWeight("clamped-inverse-t", schedule, 0.5), 2)
  t.equal(countWeight(30, 12), 2.5)
  t.equal(sigmaOfVisible(schedule, 0), -Math.log(1e-3))
  t.equal(sigmaOfVisible(schedule, 2), 0)
})

test("the mass of the published weight is -ln eps - (1 - eps)", async (t) => {
  // Integral over alpha of (1 - alpha)/alpha: 5.908755278982137 for eps = 0.001, 1.402585 for eps = 0.1. Midpoint rule.
  for (const [eps, mass] of [
    [1e-3, 5.908755278982137],
    [0.1, Math.log(10) - 0.9],
  ] as const) {
    const s = { kind: "log-linear", eps } as const
    const n = 200_000
    let sum = 0
    for (let i = 0; i < n; i++) {
      const time = (i + 0.5) / n
      sum += (timeWeight("dsigma", s, time) * maskProbability(s, time)) / n
    }
    t.ok(relative(sum, mass) < 1e-5, `eps ${eps}: ${sum}`)
  }
})

test("half of the published weight lies below a visible share of 0.02", async (t) => {
  // Closed form of the share below a: (ln(a/eps) - (a - eps)) / mass = 0.5037833068061626 at a = 0.02.
  const n = 400_000
  let [below, all] = [0, 0]
  for (let i = 0; i < n; i++) {
    const time = (i + 0.5) / n
    const w = timeWeight("dsigma", schedule, time) * maskProbability(schedule, time)
    all += w
    if (alpha(schedule, time) < 0.02) below += w
  }
  t.ok(Math.abs(below / all - 0.5037833068061626) < 1e-4, `${below / all}`)
})

test("the chain of four steps", async (t) => {
  const steps = chain(schedule, 4)
  // alpha_k = 1 - 0.999 k/4; r_k = 1/k.
  for (const [i, expected] of [0.75025, 0.5005, 0.25075, 0.001].entries()) {
    t.ok(relative(steps[i]!.alpha, expected) < 1e-12)
    t.ok(relative(steps[i]!.reveal, 1 / (i + 1)) < 1e-12)
    t.equal(steps[i]!.sigma, sigma(schedule, (i + 1) / 4))
  }
})

test("the chain reveals everything that it masks", async (t) => {
  for (const T of [1, 8, 128, 512]) {
    const steps = chain(schedule, T)
    const mass = steps.reduce((s, { reveal, alpha: a }) => s + reveal * (1 - a), 0)
    // sum r_k (1 - alpha_k) = 1 - alpha_T = 0.999.
    t.ok(Math.abs(mass - 0.999) < 1e-12, `T = ${T}: ${mass}`)
    t.ok(steps.every(({ k, reveal }) => relative(reveal, 1 / k) < 1e-9))
  }
  t.equal(chain(schedule, 3)[0]!.reveal, 1)
})

/** Expected bits of a uniform model over 1024 values with T = 128. */
const bits = (maskable: number, content: number): number =>
  chain(schedule, 128).reduce((s, { reveal, alpha: a }) => s + reveal * (1 - a) * maskable * 10, 0) +
  terminalNats(schedule, content, 1024) / Math.LN2

test("a uniform model over 1024 values costs ten bits per token in expectation", async (t) => {
  // 2048 tokens: 20 480 bits; with three boundary tokens free, 2045 maskable and 2048 in the terminal term: 20 450.03.
  t.ok(Math.abs(bits(2048, 2048) - 20_480) < 1e-7)
  t.ok(Math.abs(bits(2045, 2048) - 20_450.03) < 1e-7)
})

test("antithetic pairs: five uniforms, their reflections, eight kept", async (t) => {
  const range = { kind: "antithetic-pairs", timeMin: 1e-5, timeMax: 1 - 1e-5 } as const
  t.equal(uniformsForTimes("antithetic-pairs", 8), 5)
  // parameter-golf PR #1241: cat(u, 1 - u)[:8].clamp(1e-5, 1 - 1e-5).
  t.same(
    [...timesFromUniforms(range, 8, [0.25, 0, 0.5, 0.875, 0.125])],
    [0.25, 1e-5, 0.5, 0.875, 0.125, 0.75, 1 - 1e-5, 0.5],
  )
  t.equal(uniformsForTimes("antithetic-pairs", 1), 1)
  t.same([...timesFromUniforms(range, 3, [0.25, 0.5])], [0.25, 0.5, 0.75])
  t.throws(() => timesFromUniforms(range, 8, [0.1]), /need 5 uniforms, found 1/)
})

test("stratified times fall one into each stratum, scaled into the range", async (t) => {
  const range = { kind: "stratified", timeMin: 0, timeMax: 1 } as const
  t.same([...timesFromUniforms(range, 4, [0.5])], [0.125, 0.375, 0.625, 0.875])
  const scaled = timesFromUniforms({ ...range, timeMin: 0.5, timeMax: 1 }, 2, [0.5])
  t.same([...scaled], [0.625, 0.875])
  t.equal(uniformsForTimes("stratified", 4), 1)
})

test("independent times are the uniforms, clamped", async (t) => {
  const range = { kind: "independent", timeMin: 0.01, timeMax: 0.99 } as const
  t.same([...timesFromUniforms(range, 3, [0, 0.5, 0.999])], [0.01, 0.5, 0.99])
})
