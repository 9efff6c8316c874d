/** Evaluators on a model that can be enumerated: values to printed digits, probabilities that sum to one. */
import { test } from "tap"
import { measureAutoregressive, type CausalScorer } from "../../src/evaluators/autoregressive/measure.js"
import { measureBlocks } from "../../src/evaluators/blocks.js"
import { measureConfidence } from "../../src/evaluators/confidence.js"
import type { Predictor } from "../../src/inference/predictor.js"
import { measureDiscreteElbo } from "../../src/evaluators/discrete-elbo/measure.js"
import { measureOrder, measurePaths, type FixedOrder } from "../../src/evaluators/orders.js"
import { measureSliding } from "../../src/evaluators/sliding/measure.js"
import type { ScoredWindows } from "../../src/inference/windows.js"
import { anyOrder } from "../../src/metric/code/any-order.js"
import { discreteElbo } from "../../src/metric/code/elbo.js"
import { importanceBound, mixtureNats } from "../../src/metric/code/importance.js"
import { total } from "../../src/inference/masking.js"
import { alongOrder, CAUSAL_TOY, crossEntropy, LENGTH, permutations, strings, TOY, X } from "../metric/toy.js"
import { MASK, options, toyScorer, visibleSet } from "./toy-scorer.js"

const toyPredictor = (): Predictor => {
  let forwards = 0
  return {
    batch: 3,
    vocabSize: 2,
    predict: (rows) => {
      forwards += rows.length
      return Promise.resolve(
        rows.map(({ inputIds, columns }) =>
          Float32Array.from(
            columns.flatMap((column) =>
              [0, 1].map((value) => {
                const x = Array.from(inputIds)
                x[column] = value
                return -crossEntropy(TOY, x, column, visibleSet(inputIds))
              }),
            ),
          ),
        ),
      )
    },
    forwards: () => forwards,
    dispose: () => Promise.resolve(),
  }
}

const windowsOf = (rows: readonly (readonly number[])[]): ScoredWindows => ({
  tokens: Int32Array.from(rows.flat()),
  count: rows.length,
  length: rows[0]!.length,
  starts: Int32Array.from(rows, (row, w) => w * row.length),
  available: rows.length,
})

const copies = (count: number): ScoredWindows => windowsOf(Array.from({ length: count }, () => [...X]))

/** The toy's answers pass through float32. */
const TOLERANCE = 1e-6
const near = (a: number, b: number, tolerance = TOLERANCE): boolean => Math.abs(a - b) <= tolerance

const meanAndError = (values: Float64Array): readonly [number, number] => {
  const mean = total(values) / values.length
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1)
  return [mean, Math.sqrt(variance / values.length)]
}

// Chain-rule lengths of x = (1, 0, 1) in nats, computed independently by enumeration in float64 (derived).
const ORDER_NATS: Readonly<Record<string, number>> = {
  "012": 3.2512712377568183,
  "021": 2.83976035837509,
  "102": 3.5380698680203793,
  "120": 3.7538500722368546,
  "201": 2.983543983288155,
  "210": 3.2388910541721287,
}
const ANY_ORDER = 3.267564428974904

void test("the any-order bound is the mean over all orders", async (t) => {
  const mean = total(Object.values(ORDER_NATS)) / 6
  t.ok(near(mean, ANY_ORDER, 1e-12))
  for (const draws of [1, 2, 3]) {
    const windows = copies(6000)
    const evidence = await measureBlocks(toyScorer(), windows, { ...options, block: LENGTH, draws, seed: 11 })
    t.ok(evidence.maskable.every((n) => n === LENGTH))
    const bits = anyOrder({ ...evidence, windows: windows.count })
    const [value, error] = meanAndError(bits.perWindowBits.map((b) => b * Math.LN2))
    t.ok(Math.abs(value - ANY_ORDER) < 4 * error, `${draws} draws: ${value} +- ${error}`)
    t.ok(error < 0.02, `the check has power: ${error}`)
    const counts = [0, 0, 0, 0]
    evidence.masked.forEach((k) => counts[k]!++)
    t.equal(counts[0], 0, "no empty mask set")
    for (const k of [1, 2, 3]) {
      // Sizes are uniform on 1..3; each of the 6000 windows is independent: 5 standard deviations.
      const expected = (6000 * draws) / 3
      t.ok(Math.abs(counts[k]! - expected) < 5 * Math.sqrt(6000 * draws * (2 / 9)), `size ${k}: ${counts[k]}`)
    }
    if (draws === LENGTH)
      t.same(counts.slice(1), [6000, 6000, 6000], "with as many draws as tokens each size occurs once")
  }
})

void test("fixed orders give the chain rule along them", async (t) => {
  const along = async (order: FixedOrder): Promise<number> =>
    total((await measureOrder(toyScorer(), copies(1), { ...options, order, seed: 0 })).nats)
  t.ok(near(await along("left-to-right"), ORDER_NATS["012"]!))
  t.ok(near(await along("right-to-left"), ORDER_NATS["210"]!))
  const count = 3000
  const { rank, nats } = await measureOrder(toyScorer(), copies(count), {
    ...options,
    order: "random",
    seed: 2,
  })
  const seen = new Map<string, number>()
  for (let w = 0; w < count; w++) {
    const ranks = Array.from(rank.subarray(w * LENGTH, (w + 1) * LENGTH))
    const order = [0, 1, 2].map((step) => ranks.indexOf(step)).join("")
    seen.set(order, (seen.get(order) ?? 0) + 1)
    const length = total(nats.subarray(w * LENGTH, (w + 1) * LENGTH))
    if (!near(length, ORDER_NATS[order] ?? Number.NaN)) t.fail(`order ${order}: ${length}`)
  }
  t.equal(seen.size, 6, "every order occurs")
  // Uniform over six orders: 5 standard deviations of a count.
  for (const [order, n] of seen)
    t.ok(Math.abs(n - count / 6) < 5 * Math.sqrt((count * 5) / 36), `${order}: ${n}`)
})

void test("noise levels follow the number of masked tokens", async (t) => {
  const scorer = toyScorer()
  await measureOrder(scorer, copies(1), { ...options, order: "left-to-right", seed: 0 })
  // Visible share 1 - k / (L + 1) with k = 3, 2, 1 of L = 3: 1/4, 2/4, 3/4.
  for (const [i, share] of [0.25, 0.5, 0.75].entries())
    t.ok(near(scorer.rows[i]!.sigma, -Math.log(share), 1e-12))
  const sets = toyScorer()
  await measureBlocks(sets, copies(20), { ...options, block: LENGTH, draws: 3, seed: 1 })
  for (const { sigma, columns } of sets.rows)
    if (!near(sigma, -Math.log(1 - columns.length / 4), 1e-12)) t.fail(`${columns.length} masked: ${sigma}`)
})

const codes: readonly { readonly name: string; readonly nats: (x: readonly number[]) => Promise<number> }[] =
  [
    ...(["left-to-right", "right-to-left", "random"] as const).map((order) => ({
      name: order,
      nats: async (x: readonly number[]) =>
        total((await measureOrder(toyScorer(), windowsOf([x]), { ...options, order, seed: 4 })).nats),
    })),
    {
      name: "confidence",
      nats: async (x) => total((await measureConfidence(toyPredictor(), windowsOf([x]), options)).nats),
    },
    {
      name: "mixture of 5 orders",
      nats: async (x) =>
        mixtureNats(
          (await measurePaths(toyScorer(), windowsOf([x]), { ...options, paths: 5, seed: 4 })).nats,
        ),
    },
    {
      name: "blocks of one",
      nats: async (x) =>
        total(
          (await measureBlocks(toyScorer(), windowsOf([x]), { ...options, block: 1, draws: 1, seed: 4 }))
            .nats,
        ),
    },
  ]

void test("every exact code sums to one over all strings", async (t) => {
  for (const { name, nats } of codes) {
    const lengths = await Promise.all(strings().map(nats))
    const sum = total(lengths.map((n) => Math.exp(-n)))
    t.ok(near(sum, 1, 1e-5), `${name}: ${sum}`)
  }
  for (const stride of [1, 2, 3]) {
    const sliding = await Promise.all(
      strings(2, 6).map(async (x) =>
        total(
          (
            await measureSliding(toyScorer(), windowsOf([x.slice(0, 3), x.slice(3)]), {
              ...options,
              stride,
              tail: "C",
            })
          ).nats,
        ),
      ),
    )
    const sum = total(sliding.map((n) => Math.exp(-n)))
    t.ok(near(sum, 1, 1e-5), `sliding, stride ${stride}: ${sum}`)
  }
  // An upper bound's expectation is no less than the code length of the mixture: its sum is at most one.
  const bounds = await Promise.all(
    strings().map(async (x) => {
      const evidence = await measureBlocks(
        toyScorer(),
        windowsOf(Array.from({ length: 400 }, () => [...x])),
        {
          ...options,
          block: LENGTH,
          draws: 3,
          seed: 1,
        },
      )
      return (anyOrder({ ...evidence, windows: 400 }).bits * Math.LN2) / 400
    }),
  )
  const sum = total(bounds.map((n) => Math.exp(-n)))
  t.ok(sum < 1, `any-order: ${sum}`)
})

void test("a receiver can follow the confidence order", async (t) => {
  for (const x of strings()) {
    const { rank, margin } = await measureConfidence(toyPredictor(), windowsOf([x]), options)
    // The sender transmits values in the order of revelation; the receiver knows the predictor alone.
    const sent = [0, 1, 2].map((step) => x[rank.indexOf(step)]!)
    const received = [MASK, MASK, MASK]
    for (const value of sent) {
      const columns = [0, 1, 2].filter((i) => received[i] === MASK)
      const [logProbs] = await toyPredictor().predict([
        { inputIds: Int32Array.from(received), sigma: 0, columns },
      ])
      const best = columns.map((_, i) => Math.max(logProbs![2 * i]!, logProbs![2 * i + 1]!))
      const chosen = columns[best.indexOf(Math.max(...best))]!
      const others = best.filter((_, i) => columns[i] !== chosen)
      const lead = Math.max(...best) - Math.max(...others)
      t.ok(
        margin![chosen] === lead || near(margin![chosen]!, lead),
        "the lead over the others, infinite at last",
      )
      received[chosen] = value
    }
    t.same(received, x)
    const order = [0, 1, 2].map((step) => rank.indexOf(step))
    const { nats } = await measureConfidence(toyPredictor(), windowsOf([x]), options)
    t.ok(near(total(nats), total(alongOrder(TOY, x, order))), `along ${order.join("")}`)
  }
})

void test("left to right of a causal model is the autoregressive code", async (t) => {
  const scorer: CausalScorer = {
    batch: 2,
    score: (rows) =>
      Promise.resolve(
        rows.map(({ inputIds, targets }) =>
          Float32Array.from(targets, (target, i) => {
            // Position i has seen the inputs up to i: the token before the row, then i targets.
            const x = [
              ...Array.from(inputIds).slice(1, i + 1),
              target,
              ...Array<number>(LENGTH - i - 1).fill(0),
            ]
            return crossEntropy(CAUSAL_TOY, x, i, 2 ** i - 1)
          }),
        ),
      ),
    forwards: () => 0,
    dispose: () => Promise.resolve(),
  }
  const windows = windowsOf(strings())
  const masked = await measureOrder(toyScorer(CAUSAL_TOY), windows, {
    ...options,
    order: "left-to-right",
    seed: 0,
  })
  const next = await measureAutoregressive(scorer, windows, 0, { tail: "C" })
  t.equal(next.nats.length, masked.nats.length)
  next.nats.forEach((value, i) => {
    if (!near(value, masked.nats[i]!)) t.fail(`token ${i}: ${value} and ${masked.nats[i]}`)
  })
  const backward = await measureOrder(toyScorer(CAUSAL_TOY), windows, {
    ...options,
    order: "right-to-left",
    seed: 0,
  })
  t.notOk(near(total(backward.nats), total(masked.nats), 1e-3), "the other direction is another code")
})

/** E over K independent orders of the mixture's length, nats, by enumeration of all 6^K tuples. */
const expectedMixture = (k: number): number => {
  const nats = permutations([0, 1, 2]).map((order) => total(alongOrder(TOY, X, order)))
  const tuples = (left: number): readonly (readonly number[])[] =>
    left === 0 ? [[]] : tuples(left - 1).flatMap((tuple) => nats.map((n) => [...tuple, n]))
  const all = tuples(k)
  return total(all.map(mixtureNats)) / all.length
}

void test("the importance-weighted bound falls with K towards the mixture of orders", async (t) => {
  const windows = 4000
  const evidence = await measurePaths(toyScorer(), copies(windows), { ...options, paths: 8, seed: 3 })
  const values = [1, 2, 4, 8].map((samples) => {
    const { perWindowBits } = importanceBound({ windows, paths: 8, nats: evidence.nats, samples })
    return meanAndError(perWindowBits.map((b) => b * Math.LN2))
  })
  for (const [i, k] of [1, 2, 4].entries()) {
    const [value, error] = values[i]!
    t.ok(Math.abs(value - expectedMixture(k)) < 4 * error, `K = ${k}: ${value} +- ${error}`)
  }
  t.ok(near(expectedMixture(1), ANY_ORDER, 1e-12), "one order: the any-order bound")
  for (let i = 1; i < values.length; i++)
    t.ok(values[i]![0] < values[i - 1]![0], `${values[i]![0]} < ${values[i - 1]![0]}`)
  // The mixture of all six orders: 3.2210370514015128 nats, computed independently by enumeration.
  t.ok(values[3]![0] > 3.2210370514015128)
})

void test("the T-step bound of the toy", async (t) => {
  // L_T in nats, computed independently by enumeration in float64 (derived).
  for (const [steps, expected] of [
    [1, 1.7149999939276694],
    [2, 2.476265409829755],
    [4, 2.8682980591583482],
    [16, 3.1673100205074727],
  ] as const) {
    const windows = 2000
    const evidence = await measureDiscreteElbo(toyScorer(), copies(windows), {
      ...options,
      steps,
      draws: 2,
      seed: 9,
    })
    const { perWindowBits } = discreteElbo({
      ...evidence,
      windows,
      content: new Int32Array(windows).fill(LENGTH),
      vocabSize: 2,
    })
    const [value, error] = meanAndError(perWindowBits.map((b) => b * Math.LN2))
    t.ok(Math.abs(value - expected) < 4 * error, `T = ${steps}: ${value} +- ${error}, expected ${expected}`)
    t.ok(error < 0.02)
  }
})
