/** LLaDA's block sampler. Sources in golden/README.md. */
import { test } from "tap"
import { stream } from "../../src/diffusion/philox.js"
import { lladaTexts, settle, type LladaJob, type LladaSettings } from "../../src/samplers/llada/blocks.js"
import { blockPlans, transferCounts } from "../../src/samplers/llada/transfer.js"
import { memoryMaskedForward } from "../../src/samplers/memory.js"
import { golden } from "../diffusion/insertion/golden.js"
import { jsonOf } from "./replay.js"

test("tokens settled by each step", async (t) => {
  const { transfer_tokens: cases } = jsonOf<{
    readonly transfer_tokens: readonly { masks: number; steps: number; counts: readonly number[] }[]
  }>("scaled")
  t.equal(cases.length, 7)
  for (const c of cases) t.same(Array.from(transferCounts(c.masks, c.steps)), c.counts)
  const { llada_transfer_tokens_gen1024: table } = golden<{
    readonly llada_transfer_tokens_gen1024: Readonly<
      Record<string, { first: number; steps_that_move_tokens: number }>
    >
  }>("vectors")
  for (const [steps, { first, steps_that_move_tokens }] of Object.entries(table)) {
    const counts = transferCounts(1024, Number(steps))
    t.equal(counts[0], first)
    t.equal(counts.filter((c) => c > 0).length, steps_that_move_tokens)
  }
  const plans = blockPlans(3, { length: 32, block: 8, steps: 64 })
  t.same(
    plans.map(({ from, to }) => [from, to]),
    [
      [3, 11],
      [11, 19],
      [19, 27],
      [27, 35],
    ],
  )
  t.throws(() => blockPlans(0, { length: 10, block: 4, steps: 8 }), /do not divide/)
  t.throws(() => blockPlans(0, { length: 8, block: 2, steps: 3 }), /fewer than the 4 blocks/)
})

test("the surest candidates settle", async (t) => {
  const row = Int32Array.of(7, 0, 0, 0, 0)
  const candidates = { tokens: [3, 4, 5], confidences: [0.2, 0.9, 0.5] }
  t.same(Array.from(settle(row, [1, 2, 3], candidates, 2)), [7, 0, 4, 5, 0])
})

const MASK = 0
/** Logits that depend on what is already there, so that the order of settling shows. */
const network = (tokens: Int32Array) =>
  Array.from(tokens, (_, j) =>
    Array.from({ length: 6 }, (_, v) =>
      v === MASK ? 9 : Math.sin(7 * j + 3 * v + 0.1 * tokens.reduce((a, b) => a + b, 0)),
    ),
  )
const job: LladaJob = {
  forward: memoryMaskedForward(network),
  source: stream(3, "sample"),
  maskId: MASK,
  banned: [],
}
const settings: LladaSettings = {
  length: 8,
  block: 4,
  steps: 8,
  remasking: "low_confidence",
  choice: { temperature: 0, topP: 1 },
  guidance: 0,
  specials: "excluded",
}
const prompts = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({ index: from + i, tokens: [1 + ((from + i) % 5), 2] }))

test("greedy decoding equals a plain loop", async (t) => {
  const [text] = await lladaTexts(prompts(1), settings, job)
  const row = Int32Array.of(1, 2, ...Array.from({ length: 8 }, () => MASK))
  for (const [from, to] of [
    [2, 6],
    [6, 10],
  ] as const) {
    for (let s = 0; s < 4; s++) {
      const logits = network(row)
      let [best, at, token] = [-1, -1, -1]
      for (let j = from; j < to; j++) {
        if (row[j] !== MASK) continue
        const sum = logits[j]!.slice(1).reduce((a, x) => a + Math.exp(x), 0)
        logits[j]!.forEach((x, v) => {
          if (v !== MASK && Math.exp(x) / sum > best) [best, at, token] = [Math.exp(x) / sum, j, v]
        })
      }
      row[at] = token
    }
  }
  t.same(text!.row, row)
  t.equal(text!.forwards, 8)
  const [more] = await lladaTexts(prompts(1), { ...settings, steps: 64 }, job)
  t.same(more!.row, row, "steps beyond the tokens change nothing")
  t.equal(more!.forwards, 8, "and are not taken")
})

test("text k does not depend on its batch; MASK may be settled as published alone", async (t) => {
  for (const changes of [
    { remasking: "random" as const, choice: { temperature: 1, topP: 1 } },
    { choice: { temperature: 0.7, topP: 0.9 }, guidance: 1.5, steps: 4 },
  ]) {
    const together = await lladaTexts(prompts(4), { ...settings, ...changes }, job)
    const [alone] = await lladaTexts(prompts(1, 2), { ...settings, ...changes }, job)
    t.same(alone, together[2])
    t.ok(together.every(({ row }) => !row.includes(MASK)))
  }
  const [published] = await lladaTexts(prompts(1), { ...settings, specials: "as-published" }, job)
  t.ok(published!.row.includes(MASK))
})

test("guidance", async (t) => {
  const pass = await job.forward.forward([Int32Array.of(1, 0)], {
    scale: 2,
    unconditional: [Int32Array.of(0, 0)],
  })
  const [given, without] = [network(Int32Array.of(1, 0))[1]!, network(Int32Array.of(0, 0))[1]!]
  const guided = given.map((x, v) => without[v]! + 3 * (x - without[v]!))
  const best = guided.indexOf(Math.max(...guided.slice(1)))
  const { tokens } = await pass.draw([{ row: 0, position: 1, uniform: 0 }], {
    temperature: 0,
    topP: 1,
    banned: [MASK],
  })
  t.equal(tokens[0], best)
})
