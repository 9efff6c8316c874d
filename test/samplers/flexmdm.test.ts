/**
 * Samplers by simulation with exact predictions. Random numbers are fixed by their seed, so each check is one outcome of
 * the stated experiment; bounds are four standard errors or a chi-square of probability 1e-4.
 */
import t, { test } from "tap"
import { meanField, type FireRule, type StepGrid } from "../../src/diffusion/insertion/leap.js"
import { LINEAR } from "../../src/diffusion/insertion/schedule.js"
import { stream } from "../../src/diffusion/philox.js"
import { EVENT_DEFAULTS, eventTexts } from "../../src/samplers/flexmdm/events.js"
import { insertMasks } from "../../src/samplers/flexmdm/insert.js"
import { leapTexts, type FlexJob, type LeapSettings } from "../../src/samplers/flexmdm/leap.js"
import { lengthOf, startingRow, type RowRule } from "../../src/samplers/flexmdm/row.js"
import type { FlexForward } from "../../src/samplers/forward.js"
import { memoryForward } from "../../src/samplers/memory.js"
import { distance, golden } from "../diffusion/insertion/golden.js"
import { oracle, type Words } from "../diffusion/insertion/oracle.js"
import { lengthForward, missing, MIXTURE } from "./length-oracle.js"

// Simulations take longer than the default of a file that is run directly.
t.setTimeout(600_000)

const [PAD, MASK, A] = [0, 1, 2]
const jobOf = (forward: FlexForward, canvas: number, seed = 5): FlexJob => ({
  forward,
  source: stream(seed, "sample"),
  model: { schedules: LINEAR, padId: PAD, maskId: MASK, canvas, anchored: false },
})

const empty = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({ index: from + i, prefix: [], suffix: [] }))

const CHOICE = { temperature: 1, topP: 1 }
const settings = (changes: Partial<LeapSettings>): LeapSettings => ({
  steps: 64,
  grid: "even",
  unmasking: { kind: "leap", fire: "exactly-one" },
  insertion: "poisson",
  overflow: "fill",
  last: "argmax",
  choice: CHOICE,
  specials: "excluded",
  ...changes,
})

/** Chi-square of counts against probabilities. */
const chiSquare = (counts: readonly number[], probabilities: readonly number[]): number => {
  const n = counts.reduce((a, b) => a + b, 0)
  return counts.reduce((sum, c, i) => sum + (c - n * probabilities[i]!) ** 2 / (n * probabilities[i]!), 0)
}
/** Chi-square with 3 degrees of freedom exceeds 21.11 with probability 1e-4. */
const LIMIT_3 = 21.11

test("the oracle of the length mixture", async (t) => {
  const { oracle_insert_total_length_mix: v } = golden<{
    readonly oracle_insert_total_length_mix: {
      readonly cases: readonly { alpha: number; n: number; total: number; per_slot: number }[]
    }
  }>("vectors")
  for (const c of v.cases) t.ok(distance(missing(MIXTURE, c.n, c.alpha), c.total) < 1e-12)
})

const ROWS = 300

test("event-driven sampling reproduces the length mixture", async (t) => {
  for (const bound of ["fresh", "last"] as const) {
    const texts = await eventTexts(
      empty(ROWS),
      { ...EVENT_DEFAULTS, bound, margin: bound === "fresh" ? 1 : 1.3, choice: CHOICE },
      jobOf(lengthForward(MIXTURE), 64),
    )
    const lengths = texts.map(({ row }) => lengthOf(row, PAD))
    const counts = [...MIXTURE.keys()].map((length) => lengths.filter((l) => l === length).length)
    t.equal(
      counts.reduce((a, b) => a + b, 0),
      ROWS,
      `${bound}: no other length occurs`,
    )
    const x2 = chiSquare(counts, [...MIXTURE.values()])
    t.ok(x2 < LIMIT_3, `${bound}: counts ${counts.join(" ")}, chi-square ${x2} of 3 degrees`)
    const violations = texts.reduce((sum, text) => sum + text.violations, 0)
    const proposals = texts.reduce((sum, text) => sum + text.proposals, 0)
    if (bound === "fresh") t.equal(violations, 0, `of ${proposals} proposals none is above the bound`)
    const tokens = lengths.reduce((a, b) => a + b, 0)
    const passes = texts.reduce((sum, text) => sum + text.forwards, 0) / tokens
    t.comment(`${bound}: ${passes.toFixed(2)} passes a token, ${violations} of ${proposals} proposals above`)
    t.ok(bound === "fresh" ? passes < 4.4 : passes < 2.7, `${bound}: ${passes} passes a token`)
    t.ok(texts.every(({ row }) => row.every((token) => token === A || token === PAD)))
  }
})

test("an event reveals the surest mask where that is asked for", async (t) => {
  const order: number[] = []
  // Position j is surer than j + 1, whatever else is there.
  const forward = memoryForward(({ tokens }) => ({
    gaps: new Float64Array(tokens.length + 1).fill(tokens.length < 4 ? 1 : 0),
    logits: (position) => [-30, -30, 3 - 0.5 * position, 0],
  }))
  const reveals = async (confidence: "top_prob" | "prob_diff" | "entropy" | "position" | undefined) => {
    let leftmost = true
    const texts = await eventTexts(
      empty(20),
      {
        ...EVENT_DEFAULTS,
        ...(confidence === undefined ? {} : { confidence }),
        choice: { temperature: 0, topP: 1 },
      },
      {
        ...jobOf(forward, 8),
        onNews: (news) => {
          for (const { row, revealed } of news) {
            order.push(...revealed)
            // The row is that behind the event: masks left of what was revealed were passed over.
            if (revealed.length === 1 && row.subarray(0, revealed[0]).includes(MASK)) leftmost = false
          }
        },
      },
    )
    t.ok(texts.every(({ row }) => !row.includes(MASK)))
    return leftmost
  }
  for (const by of ["top_prob", "prob_diff", "entropy", "position"] as const) t.ok(await reveals(by), by)
  t.notOk(await reveals(undefined), "without it any mask is revealed")
  t.ok(order.length > 50)
})

test("event-driven sampling of words that can be enumerated", async (t) => {
  const words: Words = { ab: 0.3, ba: 0.2, aab: 0.4, b: 0.1 }
  const letters = [97, 98]
  const forward = memoryForward(({ tokens, t: time }) => {
    const found = oracle(words, LINEAR, tokens, time)
    // Steps of fixed size reach states that no word has.
    const possible = Number.isFinite(found.gaps[0])
    const masks = Array.from(tokens.keys()).filter((j) => tokens[j] === MASK)
    return {
      gaps: possible ? found.gaps : new Float64Array(tokens.length + 1),
      logits: (position) => {
        const out = new Float64Array(99).fill(Number.NEGATIVE_INFINITY)
        for (const id of letters)
          out[id] = possible ? Math.log(found.tokens[masks.indexOf(position)]!.get(id) ?? 0) : 0
        return out
      },
    }
  })
  const job = jobOf(forward, 4)
  // Exact predictions make every order exact: any mask, the leftmost, or the surest first.
  for (const confidence of [undefined, "position", "top_prob", "entropy"] as const) {
    const order = confidence === undefined ? {} : { confidence }
    const texts = await eventTexts(
      empty(600),
      { ...EVENT_DEFAULTS, ...order, bound: "fresh", margin: 1, choice: CHOICE },
      job,
    )
    const found = texts.map(({ row }) => String.fromCharCode(...row.filter((token) => token !== PAD)))
    const counts = Object.keys(words).map((word) => found.filter((w) => w === word).length)
    t.equal(
      counts.reduce((a, b) => a + b, 0),
      600,
      `${confidence ?? "any"}: no other word occurs`,
    )
    const x2 = chiSquare(counts, Object.values(words))
    t.ok(x2 < LIMIT_3, `${confidence ?? "any"}: counts ${counts.join(" ")}, chi-square ${x2} of 3 degrees`)
  }
  // The same in many small steps of exact survival: discretisation of order 1/N.
  const stepped = await leapTexts(
    empty(300),
    settings({
      steps: 100,
      unmasking: { kind: "leap", fire: "survival" },
      insertion: "survival",
      last: "draw",
      overflow: "cancel",
    }),
    job,
  )
  const words_ = stepped.map(({ row }) => String.fromCharCode(...row.filter((token) => token !== PAD)))
  for (const [word, p] of Object.entries(words)) {
    const share = words_.filter((w) => w === word).length / words_.length
    t.ok(Math.abs(share - p) < 4 * Math.sqrt((p * (1 - p)) / 300) + 0.03, `${word}: ${share}, truth ${p}`)
  }
})

test("tau-leaping with the published rule, N = 64", async (t) => {
  // One run of the published sampler with this oracle, 4000 rows: mean 26.717, shares below, 14.86 % MASK before the
  // last step. Standard errors here: 300 rows, and those of the stored run.
  const texts = await leapTexts(empty(ROWS), settings({}), jobOf(lengthForward(MIXTURE), 64))
  const lengths = texts.map(({ row }) => lengthOf(row, PAD))
  const mean = lengths.reduce((a, b) => a + b, 0) / ROWS
  const sd = Math.sqrt(lengths.reduce((sum, l) => sum + (l - mean) ** 2, 0) / (ROWS - 1))
  t.ok(
    Math.abs(mean - 26.717) < 4 * sd * Math.sqrt(1 / ROWS + 1 / 4000),
    `mean length ${mean}, published 26.717`,
  )
  for (const [length, share] of [
    [4, 0.07075],
    [16, 0.256],
    [32, 0.198],
    [64, 0.0395],
  ] as const) {
    const found = lengths.filter((l) => l === length).length / ROWS
    const error = Math.sqrt(share * (1 - share) * (1 / ROWS + 1 / 4000))
    t.ok(Math.abs(found - share) < 4 * error, `share of ${length}: ${found}, published ${share}`)
  }
})

const THIRTY = new Map([[30, 1]])
const sampled = async (changes: Partial<LeapSettings>, rows = 80) => {
  const texts = await leapTexts(
    empty(rows),
    settings({ overflow: "cancel", ...changes }),
    jobOf(lengthForward(THIRTY), 200),
  )
  const tokens = texts.reduce((sum, { row }) => sum + lengthOf(row, PAD), 0)
  return {
    masked: texts.reduce((sum, text) => sum + text.revealedLast, 0) / (30 * rows),
    missing: 1 - tokens / (30 * rows),
  }
}

test("what steps leave to the end, by simulation", async (t) => {
  const cases: readonly (readonly [string, StepGrid, FireRule, Partial<LeapSettings>])[] = [
    ["tau", "even", "exactly-one", {}],
    ["tau on the short grid", "short", "exactly-one", { grid: "short" }],
    ["survival", "even", "survival", { unmasking: { kind: "leap", fire: "survival" } }],
    [
      "confidence",
      "even",
      "rate",
      {
        unmasking: { kind: "confidence", by: "prob_diff", hazard: true, ranking: "logits", tokens: "argmax" },
      },
    ],
    [
      "confidence without the hazard",
      "even",
      "no-hazard",
      {
        unmasking: { kind: "confidence", by: "position", hazard: false, ranking: "rates", tokens: "argmax" },
      },
    ],
  ]
  for (const [name, grid, fire, changes] of cases) {
    const expected = meanField(LINEAR, { steps: 64, grid, fire })
    const found = await sampled(changes)
    // 2400 tokens, their outcomes nearly independent; a capped K adds up to a hundredth.
    const error = 4 * Math.sqrt((expected.masked * (1 - expected.masked)) / 2400) + 0.012
    t.ok(
      Math.abs(found.masked - expected.masked) < error,
      `${name}: ${found.masked}, mean field ${expected.masked}`,
    )
    t.ok(Math.abs(found.missing - expected.missing) < 0.04, `${name}: never inserted ${found.missing}`)
  }
  const [dropped, kept] = [
    meanField(LINEAR, { steps: 64, grid: "even", fire: "no-hazard" }),
    await sampled({}),
  ]
  t.ok(dropped.masked - kept.masked > 0.4, "a dropped hazard shows")
})

test("text k does not depend on its batch", async (t) => {
  const job = jobOf(lengthForward(MIXTURE), 64)
  const confidence = {
    kind: "confidence",
    by: "entropy",
    hazard: true,
    ranking: "logits",
    tokens: "draw",
  } as const
  for (const changes of [{}, { unmasking: confidence }, { insertion: "bernoulli" }] as const) {
    const given = settings({ steps: 16, ...changes })
    const together = await leapTexts(empty(5), given, job)
    const [alone] = await leapTexts(empty(1, 3), given, job)
    t.same(alone, together[3])
  }
  const events = { ...EVENT_DEFAULTS, choice: CHOICE }
  const together = await eventTexts(empty(5), events, job)
  const [alone] = await eventTexts(empty(1, 3), events, job)
  t.same(alone, together[3])
  t.notSame(together[2]!.row, together[3]!.row)
})

test("given text stays, and the rest grows where it may", async (t) => {
  const forward = memoryForward(({ tokens }) => ({
    gaps: new Float64Array(tokens.length + 1).fill(0.4),
    logits: () => [5, 5, 0, 0, 0, 0],
  }))
  for (const [anchored, prefix, suffix] of [
    [false, [3, 4], []],
    [false, [3, 4], [5, 3]],
    [true, [3], [5]],
    [false, [], [4]],
  ] as const) {
    const base = jobOf(forward, 24)
    const job = { ...base, model: { ...base.model, anchored } }
    const texts = Array.from({ length: 20 }, (_, index) => ({ index, prefix, suffix }))
    for (const done of [
      await leapTexts(texts, settings({ steps: 12, overflow: "clip" }), job),
      await leapTexts(texts, settings({ steps: 12, overflow: "cancel" }), job),
      await eventTexts(texts, { ...EVENT_DEFAULTS, choice: CHOICE }, job),
    ]) {
      for (const { row } of done) {
        const text = Array.from(row.slice(0, lengthOf(row, PAD)))
        t.same(text.slice(0, prefix.length), prefix)
        t.same(text.slice(text.length - suffix.length), suffix)
        t.ok(
          text.every((token) => token !== MASK && token !== PAD),
          "complete, and never PAD or MASK though the network prefers them",
        )
      }
      t.ok(
        done.some(({ row }) => lengthOf(row, PAD) > prefix.length + suffix.length),
        "something was generated",
      )
    }
  }
  // As published they may be drawn, which this network does at once.
  const broken = await leapTexts(
    empty(20),
    settings({ steps: 12, specials: "as-published", last: "draw" }),
    jobOf(forward, 24),
  )
  t.ok(
    broken.some(({ row }) => row.slice(lengthOf(row, PAD)).some((token) => token !== PAD)),
    "a PAD within a row is caught",
  )
})

test("masks are inserted in the slot whose gap asks for them", async (t) => {
  for (const where of ["front", "end"] as const) {
    // Until there are six tokens, one slot alone has a gap.
    const forward = memoryForward(({ tokens }) => {
      const gaps = new Float64Array(tokens.length + 1)
      gaps[where === "front" ? 0 : tokens.length] = Math.max(0, 6 - tokens.length)
      return { gaps, logits: (position) => [-30, -30, -30, 1, 0.1 * position] }
    })
    const rows = new Map<number, Int32Array>()
    let inserted = 0
    const job: FlexJob = {
      ...jobOf(forward, 16),
      onNews: (news) => {
        for (const { index, row, revealed, inserted: fresh } of news) {
          const before = Array.from(rows.get(index) ?? []).filter((token) => token !== PAD)
          const after = Array.from(row).filter((token) => token !== PAD)
          const [old, added] =
            where === "front"
              ? [after.slice(fresh), after.slice(0, fresh)]
              : [after.slice(0, after.length - fresh), after.slice(after.length - fresh)]
          rows.set(index, row)
          inserted += fresh
          // What was there stands as it was, but for what this step reveals.
          const kept = before.filter((_, j) => !revealed.includes(j))
          if (
            added.some((token) => token !== MASK) ||
            kept.join() !== old.filter((_, j) => !revealed.includes(j)).join()
          )
            t.fail(`${where}: ${before.join(" ")} became ${after.join(" ")}`)
        }
      },
    }
    for (const insertion of ["poisson", "bernoulli", "survival"] as const) {
      rows.clear()
      await leapTexts(empty(10), settings({ steps: 40, insertion, overflow: "cancel" }), job)
    }
    rows.clear()
    await eventTexts(empty(10), { ...EVENT_DEFAULTS, choice: CHOICE }, job)
    t.ok(inserted > 150, `${where}: ${inserted} masks`)
  }
})

test("overflow of the canvas", async (t) => {
  const rule: RowRule = { padId: 0, maskId: 1, prefix: 0, suffix: 0, anchored: false }
  const v = golden<{
    readonly insert_scatter: readonly {
      readonly xt: readonly number[]
      readonly after_unmask?: readonly number[]
      readonly counts: readonly number[]
      readonly fixed_gap?: readonly number[]
      readonly result: readonly number[]
      readonly result_fill?: readonly number[]
    }[]
  }>("vectors")
  t.equal(v.insert_scatter.length, 3)
  for (const c of v.insert_scatter) {
    const row = Int32Array.from(c.after_unmask ?? c.xt)
    const anchored = c.fixed_gap !== undefined
    const given = anchored ? { ...rule, anchored, prefix: 2, suffix: 1 } : rule
    t.same(Array.from(insertMasks(row, c.counts, given, "cancel").row), c.result)
    if (c.result_fill !== undefined)
      t.same(Array.from(insertMasks(row, c.counts, given, "fill").row), c.result_fill)
  }
  const row = Int32Array.of(5, 6, 0, 0, 0, 0)
  const clipped = insertMasks(row, [4, 2, 2], rule, "clip")
  // Room for 4 of 8: every second one that was asked for.
  t.same(Array.from(clipped.row), [1, 1, 5, 1, 6, 1])
  t.same([clipped.inserted, clipped.overflowed], [4, true])
  t.same(
    Array.from(insertMasks(row, [1, 2, 1], rule, "clip").row),
    [1, 5, 1, 1, 6, 1],
    "exactly full is no overflow",
  )
  t.notOk(insertMasks(row, [1, 2, 1], rule, "clip").overflowed)
  const infill: RowRule = { ...rule, prefix: 1, suffix: 1 }
  const filled = insertMasks(row, [9, 5, 9], infill, "fill").row
  t.notOk(filled.includes(6), "as published the text after the gap is lost")
  t.same(Array.from(insertMasks(row, [9, 5, 9], infill, "clip").row), [5, 1, 1, 1, 1, 6])
  t.throws(() => startingRow({ prefix: [2, 3], suffix: [4] }, 3, 0), /leaves no room to generate/)
  t.throws(() => startingRow({ prefix: [2, 3], suffix: [4, 5] }, 3, 0), /4 of the 3 places/)
})
