/**
 * The bound on toys of known entropy, its estimator, and its floor. Expected values: closed forms named beside them.
 * Exact integrals by Simpson's rule over t and enumeration over states; tolerance 1e-6.
 */
import t, { test } from "tap"
import {
  codeLengthIntegrand,
  estimateCodeLength,
  requireProper,
  totalCodeLength,
  type CodeLengthRule,
} from "../../../src/diffusion/insertion/code-length.js"
import { embeddingPosterior } from "../../../src/diffusion/insertion/embeddings.js"
import { contentFreeFloor } from "../../../src/diffusion/insertion/floor.js"
import { hittingTimes } from "../../../src/diffusion/insertion/hitting.js"
import { gapsOf, interpolate } from "../../../src/diffusion/insertion/interpolant.js"
import { bregman } from "../../../src/diffusion/insertion/loss.js"
import { hazardAt, LINEAR, type JointSchedule } from "../../../src/diffusion/insertion/schedule.js"
import { stratifiedTimes } from "../../../src/diffusion/insertion/times.js"
import { stream, uniforms } from "../../../src/diffusion/philox.js"
import { distance, golden } from "./golden.js"
import {
  asPrediction,
  ids,
  MASK,
  oracle,
  overTime,
  PAD,
  statesOf,
  type OraclePrediction,
  type Words,
} from "./oracle.js"

// Integrals take longer than the default of a file that is run directly.
t.setTimeout(600_000)

type Predict = (xt: Int32Array, t: number) => OraclePrediction

/** The bound of one word by enumeration and integration. */
const exactBound = (word: string, predict: Predict, rule: Partial<CodeLengthRule> = {}): number => {
  const schedules = rule.schedules ?? LINEAR
  const x1 = ids(word)
  return overTime((t) => {
    let sum = 0
    for (const { tokens, probability } of statesOf(x1, schedules, t)) {
      if (probability === 0) continue
      const posterior = embeddingPosterior(tokens, x1, { maskId: MASK })
      const { insert, unmask } = codeLengthIntegrand(
        { tokens, t, posterior },
        asPrediction(predict(tokens, t), posterior),
        { maskId: MASK, schedules, ...rule },
      )
      sum += probability * (insert + unmask)
    }
    return sum
  })
}

const meanBound = (words: Words, predict: Predict, rule?: Partial<CodeLengthRule>): number =>
  Object.entries(words).reduce((sum, [word, p]) => sum + p * exactBound(word, predict, rule), 0)

/** The published loss: gaps and tokens of the hidden indices. */
const publishedBound = (words: Words, predict: Predict): number =>
  Object.entries(words).reduce((sum, [word, p]) => {
    const x1 = ids(word)
    return (
      sum +
      p *
        overTime((t) =>
          statesOf(x1, LINEAR, t).reduce((total, { tokens, source, probability }) => {
            if (probability === 0) return total
            const { gaps, tokens: f } = predict(tokens, t)
            const trueGaps = gapsOf(source, x1.length, "extra")
            let terms = trueGaps.reduce((a, gap, j) => a + bregman(gap, gaps[j]!, 0), 0)
            let mask = 0
            tokens.forEach((token, j) => {
              if (token === MASK) terms -= Math.log(f[mask++]!.get(x1[source[j]!]!)!)
            })
            return total + probability * hazardAt({ kind: "linear" }, t) * terms
          }, 0),
        )
    )
  }, 0)

const oracleOf =
  (words: Words, schedules = LINEAR): Predict =>
  (xt, t) =>
    oracle(words, schedules, xt, t)

test("it is the entropy where predictions are the true posterior", async (t) => {
  for (const [words, nats] of [
    [{ a: 0.5, aa: 0.5 }, Math.LN2],
    [{ a: 0.25, aaa: 0.75 }, 0.25 * Math.log(4) - 0.75 * Math.log(0.75)],
    [{ aaaa: 1 }, 0],
  ] as const) {
    const bound = meanBound(words, oracleOf(words))
    t.ok(Math.abs(bound - nats) < 1e-6, `${JSON.stringify(words)}: ${bound}, entropy ${nats}`)
  }
  // The published targets on the same toys: 1.03972 and 1.7329 nats (integrated independently).
  t.ok(Math.abs(publishedBound({ a: 0.5, aa: 0.5 }, oracleOf({ a: 0.5, aa: 0.5 })) - 1.03972) < 1e-5)
  t.ok(Math.abs(publishedBound({ a: 0.25, aaa: 0.75 }, oracleOf({ a: 0.25, aaa: 0.75 })) - 1.7329) < 1e-4)
})

test("of each word it is exactly -ln p under the true posterior, whatever the schedules", async (t) => {
  const words: Words = { "": 0.1, ab: 0.2, ba: 0.15, aab: 0.25, bb: 0.1, abab: 0.2 }
  const joints: readonly JointSchedule[] = [
    LINEAR,
    { insertion: { kind: "sine" }, unmasking: { kind: "linear" } },
    { insertion: { kind: "linear" }, unmasking: { kind: "polynomial", exponent: 2 } },
  ]
  for (const schedules of joints) {
    for (const [word, p] of Object.entries(words)) {
      if (schedules !== LINEAR && word.length > 2) continue
      const bound = exactBound(word, oracleOf(words, schedules), { schedules })
      // Other schedules have shares that are themselves integrated numerically.
      const tolerance = schedules === LINEAR ? 1e-6 : 1e-4
      t.ok(Math.abs(bound + Math.log(p)) < tolerance, `${word}: ${bound}, -ln p ${-Math.log(p)}`)
    }
  }
})

test("slots around a run of masks count together", async (t) => {
  // After "?" a new mask before or after it gives the same state, and which of the two a model expects cannot matter.
  const words: Words = { a: 0.5, aa: 0.5 }
  const lopsided: Predict = (xt, time) => {
    const { gaps, tokens } = oracle(words, LINEAR, xt, time)
    if (xt.length !== 1 || xt[0] !== MASK) return { gaps, tokens }
    const sum = gaps[0]! + gaps[1]!
    return { gaps: Float64Array.of(0.9 * sum, 0.1 * sum), tokens }
  }
  t.ok(Math.abs(meanBound(words, lopsided) - Math.LN2) < 1e-6)
  const apart = meanBound(words, lopsided, { merge: "slots" })
  t.ok(apart > Math.LN2 + 0.01, `each slot on its own: ${apart}`)
})

/** A model of words of at most two letters, wrong on purpose; its gaps fall with t so that short words keep mass. */
const crooked: Predict = (xt, t) => {
  const open = xt.length < 2 ? (1 - t) * (1.3 - 0.5 * xt.length) : 0
  const gaps = Float64Array.from({ length: xt.length + 1 }, (_, j) => open * (1 + 0.4 * j))
  const masks = xt.filter((token) => token === MASK).length
  const known = xt.find((token) => token !== MASK) ?? 98
  return {
    gaps,
    tokens: Array.from({ length: masks }, (_, k) => {
      const a = (known === 97 ? 0.7 : 0.4) - 0.1 * k - 0.1 * t
      return new Map([
        [97, a],
        [98, 1 - a],
      ])
    }),
  }
}

const add = (x: Float64Array, k: Float64Array, by: number): Float64Array => x.map((v, i) => v + by * k[i]!)

/** p of every word under the crooked model: Kolmogorov's equations in tau = -ln(1 - t) by Runge and Kutta. */
const crookedLikelihoods = (): ReadonlyMap<string, number> => {
  const letters = ["?", "a", "b"]
  const states = ["", ...letters, ...letters.flatMap((x) => letters.map((y) => x + y))]
  const index = new Map(states.map((state, i) => [state, i]))
  const flow = (tau: number, p: Float64Array): Float64Array => {
    const change = new Float64Array(states.length)
    states.forEach((state, i) => {
      const { gaps, tokens } = crooked(ids(state), -Math.expm1(-tau))
      const move = (to: string, rate: number): void => {
        change[i]! -= rate * p[i]!
        change[index.get(to)!]! += rate * p[i]!
      }
      if (state.length < 2) gaps.forEach((g, j) => move(`${state.slice(0, j)}?${state.slice(j)}`, g))
      let mask = 0
      Array.from(state).forEach((c, j) => {
        if (c !== "?") return
        for (const [token, f] of tokens[mask++]!)
          move(state.slice(0, j) + String.fromCharCode(token) + state.slice(j + 1), f)
      })
    })
    return change
  }
  let p = new Float64Array(states.length)
  p[0] = 1
  const h = 0.01
  for (let tau = 0; tau < 40; tau += h) {
    const k1 = flow(tau, p)
    const k2 = flow(tau + h / 2, add(p, k1, h / 2))
    const k3 = flow(tau + h / 2, add(p, k2, h / 2))
    const k4 = flow(tau + h, add(p, k3, h))
    p = p.map(
      (v, i) => v + (h / 6) * (k1[i]! + 2 * k2[i]! + 2 * k3[i]! + k4[i]!),
    ) as Float64Array<ArrayBuffer>
  }
  return new Map(states.map((state, i) => [state, p[i]!]))
}

test("never below the exact code length of a model that can be enumerated", async (t) => {
  const likelihoods = crookedLikelihoods()
  const complete = [...likelihoods].filter(([word]) => !word.includes("?"))
  t.ok(Math.abs(complete.reduce((sum, [, p]) => sum + p, 0) - 1) < 1e-9, "every text is complete at the end")
  for (const [word, p] of complete) {
    const exact = -Math.log(p)
    const merged = exactBound(word, crooked)
    const apart = exactBound(word, crooked, { merge: "slots" })
    t.ok(merged >= exact - 1e-6, `${word}: bound ${merged}, exact ${exact}`)
    t.ok(merged <= apart + 1e-9, `${word}: runs ${merged}, slots ${apart}`)
    t.ok(merged < exact + 1, `${word}: not vacuous`)
  }
})

test("mutations of the bound are caught", async (t) => {
  const likelihoods = crookedLikelihoods()
  const exact = (word: string): number => -Math.log(likelihoods.get(word)!)
  const words = ["ab", "ba", "aa", "a"]
  const below = (predict: Predict, rule?: Partial<CodeLengthRule>): boolean =>
    words.some((word) => exactBound(word, predict, rule) < exact(word) - 1e-3)
  t.notOk(below(crooked))
  // A gap shifted by a slot, an expectation divided by the number of slots, and probabilities that sum to 2.
  const truth: Words = { ab: 0.5, abb: 0.5 }
  const entropy = Math.LN2
  const changed = (change: (p: OraclePrediction) => OraclePrediction): number =>
    meanBound(truth, (xt, time) => change(oracle(truth, LINEAR, xt, time)), { gapFloor: 1e-6 })
  t.ok(Math.abs(changed((p) => p) - entropy) < 1e-4)
  const shifted = changed(({ gaps, tokens }) => ({
    gaps: Float64Array.from(gaps, (_, j) => gaps[(j + 1) % gaps.length]!),
    tokens,
  }))
  t.ok(shifted > entropy + 0.1, `gap shifted: ${shifted}`)
  const normalised = changed(({ gaps, tokens }) => ({ gaps: gaps.map((g) => g / gaps.length), tokens }))
  t.ok(normalised > entropy + 0.1, `wrong normaliser: ${normalised}`)
  const doubled = changed(({ gaps, tokens }) => ({
    gaps,
    tokens: tokens.map((map) => new Map([...map].map(([token, p]) => [token, 2 * p]))),
  }))
  t.ok(doubled < entropy - 0.1, "mass 2 would fall below the entropy, which no bound does")
  // With PAD allowed, mass leaks to it: the bound is larger by what leaks.
  const leaking = changed(({ gaps, tokens }) => ({
    gaps,
    tokens: tokens.map((map) => new Map([[PAD, 0.2], ...[...map].map(([k, p]) => [k, 0.8 * p] as const)])),
  }))
  // E[number of tokens] = 2.5, each revealed once: 2.5 ln(1 / 0.8).
  t.ok(Math.abs(leaking - entropy - 2.5 * Math.log(1.25)) < 1e-4, `PAD allowed: ${leaking}`)
  t.throws(
    () => requireProper({ ...LINEAR, insertion: { kind: "geometric", min: 10, max: 0.01 } }),
    /give linear, sine, cosine or polynomial/,
  )
  requireProper(LINEAR)
})

test("the estimate is unbiased, and its variance is that of the estimates", async (t) => {
  const words: Words = { ab: 0.3, aab: 0.5, b: 0.2 }
  const x1 = ids("aab")
  const exact = exactBound("aab", crookedWide(words))
  const source = stream(11, "eval-mask")
  const [strata, rounds] = [8, 2]
  const estimates = Array.from({ length: 1500 }, (_, e) => {
    const integrands: number[] = []
    for (let r = 0; r < rounds; r++) {
      const times = stratifiedTimes(uniforms(source, [e, r, 0], strata), 0)
      times.forEach((time, k) => {
        const u = uniforms(source, [e, r, k + 1], 2 * x1.length)
        const { tokens } = interpolate(
          x1,
          (i) => hittingTimes(LINEAR, [u[2 * i]!, u[2 * i + 1]!], { offset: 0 }),
          time,
          { padId: PAD, maskId: MASK, endSlot: "extra" },
        )
        const posterior = embeddingPosterior(tokens, x1, { maskId: MASK })
        const prediction = asPrediction(crookedWide(words)(tokens, time), posterior)
        const { insert, unmask } = codeLengthIntegrand({ tokens, t: time, posterior }, prediction, {
          maskId: MASK,
          schedules: LINEAR,
        })
        integrands.push(insert + unmask)
      })
    }
    return estimateCodeLength(integrands, strata)
  })
  const n = estimates.length
  const mean = estimates.reduce((sum, { nats }) => sum + nats, 0) / n
  const variance = estimates.reduce((sum, { nats }) => sum + (nats - mean) ** 2, 0) / (n - 1)
  const error = Math.sqrt(variance / n)
  t.ok(Math.abs(mean - exact) < 4 * error, `${mean} +- ${error}, exact ${exact} (4 standard errors)`)
  const stated = estimates.reduce((sum, { variance: v }) => sum + v!, 0) / n
  t.ok(Math.abs(stated / variance - 1) < 0.25, `stated variance ${stated}, observed ${variance}`)
  const sum = totalCodeLength(estimates)
  t.ok(distance(sum.nats, mean * n) < 1e-9)
  t.ok(distance(sum.variance!, stated * n) < 1e-9)
})
/** The true posterior with gaps a tenth too large and tokens mixed with the uniform distribution. */
function crookedWide(words: Words): Predict {
  return (xt, t) => {
    const { gaps, tokens } = oracle(words, LINEAR, xt, t)
    return {
      gaps: gaps.map((g) => 1.1 * g),
      tokens: tokens.map((map) => new Map([97, 98].map((id) => [id, 0.9 * (map.get(id) ?? 0) + 0.05]))),
    }
  }
}

test("estimates of few draws", async (t) => {
  t.same(estimateCodeLength([3], 1), { nats: 3, variance: undefined, draws: 1 })
  // One draw in each of four strata: ((1-2)^2 + (4-7)^2) / 16.
  t.same(estimateCodeLength([1, 2, 4, 7], 4), { nats: 3.5, variance: 10 / 16, draws: 4 })
  // Two draws in each of two strata: variances 2 and 8 of single draws, halved, over 4.
  t.same(estimateCodeLength([1, 2, 3, 6], 2), { nats: 3, variance: (1 + 4) / 4, draws: 4 })
  t.throws(() => estimateCodeLength([1, 2, 3], 2), /whole rounds/)
})

test("a protected slot in which a token is missing has no code", async (t) => {
  const x1 = ids("ab")
  const tokens = ids("b")
  const posterior = embeddingPosterior(tokens, x1, { maskId: MASK })
  const rule: CodeLengthRule = { maskId: MASK, schedules: LINEAR }
  const prediction = { gaps: [1, 0.5], logProbs: [] }
  t.equal(
    codeLengthIntegrand({ tokens, t: 0.5, posterior }, prediction, { ...rule, open: (slot) => slot > 0 })
      .insert,
    Number.POSITIVE_INFINITY,
  )
  const open = codeLengthIntegrand({ tokens, t: 0.5, posterior }, prediction, rule)
  t.equal(open.insert, 2 * 0.5, "h = 2; phi(1, 1) = 0 and phi(0, 0.5) = 0.5")
  t.throws(
    () => codeLengthIntegrand({ tokens, t: 0.5, posterior }, { gaps: [1, 2, 3], logProbs: [] }, rule),
    /a state of 1 tokens has 2 slots/,
  )
})

test("content-free floor", async (t) => {
  const { insertion_loss_floor_content_free: floors } = golden<{
    readonly insertion_loss_floor_content_free: Readonly<Record<string, number>>
  }>("vectors")
  for (const [length, nats] of Object.entries(floors))
    t.ok(distance(contentFreeFloor(Number(length)), nats) < 1e-9, `${length} tokens`)
  // The same from the published loss by enumeration.
  t.ok(Math.abs(publishedBound({ aaa: 1 }, oracleOf({ aaa: 1 })) - contentFreeFloor(3)) < 1e-6)
})
