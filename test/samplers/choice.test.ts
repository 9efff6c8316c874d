/** Choice of tokens and positions, Poisson counts. */
import { test } from "tap"
import { poissonCount, poissonUniforms } from "../../src/diffusion/poisson.js"
import { stream, uniforms } from "../../src/diffusion/philox.js"
import { choiceDistribution, strictNucleus } from "../../src/samplers/choice.js"
import { confidenceOf, mostConfident, softmaxOfRates, windowOf } from "../../src/samplers/confidence.js"
import { exactlyOneEvent } from "../../src/samplers/flexmdm/step.js"
import { golden } from "../diffusion/insertion/golden.js"

const kept = (p: Float64Array): readonly number[] => Array.from(p.keys()).filter((id) => p[id]! > 0)

test("both nucleus filters", async (t) => {
  const { nucleus_strict: v } = golden<{
    readonly nucleus_strict: {
      readonly probs: readonly number[]
      readonly p: number
      readonly kept: readonly number[]
      readonly standard_nucleus_would_keep: readonly number[]
    }
  }>("vectors")
  const logits = v.probs.map(Math.log)
  const rule = { temperature: 1, topP: v.p, banned: [] }
  t.same(kept(choiceDistribution(logits, { ...rule, nucleus: "strict" })), v.kept)
  t.same(kept(choiceDistribution(logits, rule)), v.standard_nucleus_would_keep)
  t.same(kept(strictNucleus(Float64Array.of(0.6, 0.4), 0.5)), [0], "the first is always kept")
  t.same(kept(strictNucleus(Float64Array.of(0.25, 0.5, 0.25), 1)), [0, 1, 2])
  t.same(kept(choiceDistribution(logits, { ...rule, topP: 1, topK: 3 })), [0, 1, 2])
  t.same(
    kept(choiceDistribution(logits, { ...rule, topP: 0.55, topK: 3 })),
    [0, 1],
    "of the mass of the kept: .526, .842",
  )
  t.same(kept(choiceDistribution(logits, { ...rule, banned: [0], topK: 1, topP: 1 })), [1])
})

test("confidences", async (t) => {
  const p = [0.5, 0.3, 0.2]
  t.equal(confidenceOf("top_prob", p, 7), 0.5)
  t.equal(confidenceOf("prob_diff", p, 7), 0.2)
  t.ok(confidenceOf("position", p, 3) > confidenceOf("position", p, 4))
  const negentropy = p.reduce((sum, x) => sum + x * Math.log(x), 0)
  t.ok(Math.abs(confidenceOf("entropy", p, 0) - negentropy) < 1e-9)
  t.same(mostConfident([0.1, 0.9, 0.5, 0.9], 2), [1, 3])
  t.same(mostConfident([0.1, 0.9], 5), [0, 1], "never more than there are")
  t.same(mostConfident([1, 1, 1], 1), [0], "the first of equals")
  t.same(windowOf([3, 5, 8, 9], 1, { factor: 2.9, most: 32 }), [3, 5])
  t.same(windowOf([3, 5, 8, 9], 4, { factor: 15, most: 3 }), [3, 5, 8])
  t.same(windowOf([3, 5], 4, undefined), [3, 5])
  const twice = softmaxOfRates(Float64Array.from(p), 2)
  const sum = Math.exp(1) + Math.exp(0.6) + Math.exp(0.4)
  t.ok(Math.abs(twice[0]! - Math.exp(1) / sum) < 1e-15)
  // Ranked by a second softmax, one sure token among many beats none: the order of top_prob turns round.
  const wide = Float64Array.from({ length: 100 }, (_, v) => (v === 0 ? 0.6 : 0.4 / 99))
  t.ok(confidenceOf("top_prob", wide, 0) > confidenceOf("top_prob", p, 0))
  t.ok(
    confidenceOf("top_prob", softmaxOfRates(wide, 1), 0) <
      confidenceOf("top_prob", softmaxOfRates(Float64Array.from(p), 1), 0),
  )
})

test("one Poisson event", async (t) => {
  t.equal(exactlyOneEvent([0, 1, 0], 2), 1)
  t.equal(exactlyOneEvent([1, 1, 0], 2), undefined)
  t.equal(exactlyOneEvent([0, 2, 0], 2), undefined)
  t.equal(exactlyOneEvent([0, 1, 5], 2), 1, "MASK is no event")
  t.equal(exactlyOneEvent([0, 0, 1], 2), undefined)
})

test("Poisson counts", async (t) => {
  t.equal(
    poissonCount(0, () => 0.999),
    0,
  )
  // e^-2 = 0.1353, e^-2 (1 + 2) = 0.4060, + 2 = 0.6767
  for (const [u, k] of [
    [0.135, 0],
    [0.136, 1],
    [0.405, 1],
    [0.407, 2],
    [0.677, 3],
  ] as const)
    t.equal(
      poissonCount(2, () => u),
      k,
    )
  t.ok(poissonCount(1, () => 1 - 2 ** -53) < 30, "the largest uniform ends")
  t.equal(poissonUniforms(1200), 3)
  t.throws(() => poissonCount(Number.NaN, () => 0.5), /finite mean/)
  const source = stream(1, "sample")
  for (const mean of [0.3, 7, 700]) {
    const n = 4000
    const counts = Array.from({ length: n }, (_, i) => {
      const u = uniforms(source, [i], poissonUniforms(mean))
      return poissonCount(mean, (k) => u[k]!)
    })
    const average = counts.reduce((a, b) => a + b, 0) / n
    const variance = counts.reduce((sum, c) => sum + (c - average) ** 2, 0) / (n - 1)
    t.ok(Math.abs(average - mean) < 4 * Math.sqrt(mean / n), `mean ${average} of ${mean}`)
    t.ok(Math.abs(variance / mean - 1) < 4 * Math.sqrt((2 + 1 / mean) / n), `variance ${variance} of ${mean}`)
  }
})
