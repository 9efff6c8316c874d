/**
 * Samplers draw from the law they state: frequencies against enumerated probabilities, Pearson's test at the level
 * 0.001 with fixed seeds (27 strings, 26 degrees of freedom, critical value 54.052).
 */
import t from "tap"
import { sampleTexts } from "../../../src/samplers/masked/sample.js"
import type { SampledModel, SamplingSettings } from "../../../src/samplers/masked/settings.js"
import { hostChooser, ruleOf } from "./host.js"
import {
  causalToyPredictor,
  chiSquare,
  codeOf,
  CRITICAL_26,
  JOINT,
  KINDS,
  LENGTH,
  MODEL,
  posterior,
  SETTINGS,
  strings,
  toyPredictor,
} from "./toy.js"

const COUNT = 20_000

const countsOf = async (
  settings: Partial<SamplingSettings>,
  {
    predictor = toyPredictor(512),
    model = MODEL,
  }: { predictor?: ReturnType<typeof causalToyPredictor>; model?: SampledModel } = {},
): Promise<readonly number[]> => {
  const counts = strings.map(() => 0)
  const whole = { ...SETTINGS, count: COUNT, ...settings }
  const chooser = hostChooser(predictor, ruleOf(whole, model))
  const texts = await sampleTexts({ chooser, model, settings: whole })
  for (const { tokens } of texts) counts[codeOf(tokens)]!++
  return counts
}

const hidden = [MODEL.maskId, MODEL.maskId, MODEL.maskId]

/** Product of the marginals: what one step of independent draws gives. */
const product = strings.map((x) => x.reduce((p, v, i) => p * posterior(hidden, i)[v]!, 1))

/** Law of the T-step chain: the mean over the T^L equally likely reveal steps; equal steps draw independently. */
const chainLaw = (steps: number): readonly number[] => {
  const law = strings.map(() => 0)
  for (let n = 0; n < steps ** LENGTH; n++) {
    const reveal = [n % steps, Math.floor(n / steps) % steps, Math.floor(n / steps ** 2)]
    strings.forEach((x, code) => {
      let p = steps ** -LENGTH
      for (let i = 0; i < LENGTH; i++) {
        const row = x.map((v, j) => (reveal[j]! > reveal[i]! ? v : MODEL.maskId))
        p *= posterior(row, i)[x[i]!]!
      }
      law[code]! += p
    })
  }
  return law
}

void t.test("the enumerated laws are distributions and differ", (t) => {
  for (const law of [JOINT, product, chainLaw(2), chainLaw(4)])
    t.ok(Math.abs(law.reduce((a, b) => a + b, 0) - 1) < 1e-12)
  // A sample of the one law is rejected as the other: the tests below have power.
  t.ok(
    chiSquare(
      product.map((p) => COUNT * p),
      JOINT,
    ) >
      4 * CRITICAL_26,
  )
  t.ok(
    chiSquare(
      chainLaw(4).map((p) => COUNT * p),
      JOINT,
    ) > CRITICAL_26,
  )
  t.ok(
    chiSquare(
      chainLaw(2).map((p) => COUNT * p),
      chainLaw(4),
    ) > CRITICAL_26,
  )
  t.end()
})

void t.test("ancestral: one step gives the product of marginals, many the joint", async (t) => {
  const one = chiSquare(await countsOf({ steps: 1 }), product)
  t.ok(one < CRITICAL_26, `T=1: ${one}`)
  for (const steps of [2, 4]) {
    const some = chiSquare(await countsOf({ steps }), chainLaw(steps))
    t.ok(some < CRITICAL_26, `T=${steps}: ${some}`)
  }
  // Two of three positions share a step of 4096 in at most 3/4096 of the texts: far below what the test can see.
  const many = chiSquare(await countsOf({ steps: 4096 }), JOINT)
  t.ok(many < CRITICAL_26, `T=4096: ${many}`)
})

void t.test("one token at a time is the joint, with a masked and with a next-token network", async (t) => {
  const masked = chiSquare(await countsOf({ sampler: "left-to-right" }), JOINT)
  t.ok(masked < CRITICAL_26, `masked: ${masked}`)
  const blocks = chiSquare(await countsOf({ block: 1 }), JOINT)
  t.ok(blocks < CRITICAL_26, `ancestral in blocks of one: ${blocks}`)
  const causal = chiSquare(
    await countsOf(
      { sampler: "left-to-right" },
      { predictor: causalToyPredictor(512), model: { ...MODEL, kind: "causal" } },
    ),
    JOINT,
  )
  t.ok(causal < CRITICAL_26, `next-token: ${causal}`)
})

void t.test("semi-autoregressive: each block its chain, given the blocks before", async (t) => {
  // Blocks of two with one step each: the first two tokens independent, the third given both.
  const law = strings.map((x) => {
    const first = posterior(hidden, 0)[x[0]!]! * posterior(hidden, 1)[x[1]!]!
    return first * posterior([x[0]!, x[1]!, MODEL.maskId], 2)[x[2]!]!
  })
  const found = chiSquare(await countsOf({ block: 2, steps: 2 }), law)
  t.ok(found < CRITICAL_26, String(found))
})

void t.test("confidence: the law of candidates and their ranking, enumerated", async (t) => {
  // Two steps reveal floor(3/2) = 1 and then 2 positions: the surest of three candidates, then two given it.
  const law = strings.map(() => 0)
  const marginals = [0, 1, 2].map((i) => posterior(hidden, i))
  for (const candidate of strings) {
    const p = candidate.reduce((q, v, i) => q * marginals[i]![v]!, 1)
    const confidence = candidate.map((v, i) => Math.fround(Math.log(marginals[i]![v]!)))
    const kept = [0, 1, 2].sort((a, b) => confidence[b]! - confidence[a]! || a - b).slice(0, 1)
    const row = candidate.map((v, i) => (kept.includes(i) ? v : MODEL.maskId))
    const open = [0, 1, 2].filter((i) => !kept.includes(i))
    for (let a = 0; a < KINDS; a++) {
      for (let b = 0; b < KINDS; b++) {
        const x = [...row]
        x[open[0]!] = a
        x[open[1]!] = b
        law[codeOf(x)]! += p * posterior(row, open[0]!)[a]! * posterior(row, open[1]!)[b]!
      }
    }
  }
  const found = chiSquare(await countsOf({ sampler: "confidence", steps: 2 }), law)
  t.ok(found < CRITICAL_26, String(found))
  t.ok(
    chiSquare(
      law.map((p) => COUNT * p),
      JOINT,
    ) > CRITICAL_26,
    "which is not the joint",
  )
})

/** Temperature 1/2: squares over their sum. */
const change = (p: readonly number[]): readonly number[] => {
  const squares = p.map((q) => q * q)
  const sum = squares[0]! + squares[1]! + squares[2]!
  return squares.map((q) => q / sum)
}

void t.test("temperature and nucleus act on each draw", async (t) => {
  const law = strings.map((x) =>
    x.reduce(
      (p, v, i) =>
        p *
        change(
          posterior(
            x.map((u, j) => (j < i ? u : MODEL.maskId)),
            i,
          ),
        )[v]!,
      1,
    ),
  )
  const found = chiSquare(await countsOf({ sampler: "left-to-right", temperature: 0.5 }), law)
  t.ok(found < CRITICAL_26, String(found))
  const narrow = await countsOf({ sampler: "left-to-right", topP: 0.01, count: 50 })
  const greedy = await countsOf({ sampler: "left-to-right", temperature: 0, count: 50 })
  t.same(narrow, greedy, "a nucleus of one token is the most probable one")
  t.equal(Math.max(...greedy), 50)
})
