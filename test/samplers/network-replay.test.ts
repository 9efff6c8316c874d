/**
 * Recorded runs of the published samplers over their own small networks: every token and every rate, the networks run by
 * an executor. Sources in test/families/{flexmdm,llada}/goldens/README.md and golden/README.md. Tokens must be equal
 * (the recorded tokens stay under Gaussian noise of 1e-4 on the logits, per case); rates agree within 1e-4 relative.
 */
import t from "tap"
import { insertShare } from "../../src/diffusion/insertion/leap.js"
import { hazardAt } from "../../src/diffusion/insertion/schedule.js"
import { stream } from "../../src/diffusion/philox.js"
import type { StoredTensor } from "../../src/files/safetensors.js"
import { mostConfident, windowOf, type Confidence } from "../../src/samplers/confidence.js"
import { openForward } from "../../src/samplers/executor/forward.js"
import {
  eligibleMasks,
  isOpenSlot,
  lengthOf,
  startingRow,
  type RowRule,
} from "../../src/samplers/flexmdm/row.js"
import { applyEvents, exactlyOneEvent } from "../../src/samplers/flexmdm/step.js"
import { lladaTexts, settle, type LladaSettings } from "../../src/samplers/llada/blocks.js"
import { blockPlans } from "../../src/samplers/llada/transfer.js"
import { argmaxRule } from "../../src/samplers/memory.js"
import { makeOnnxruntimeExecutor } from "../../src/engine/onnxruntime/index.js"
import {
  cpu,
  flexmdmNetwork,
  LLADA_MASK,
  LLADA_PAD,
  lladaNetwork,
  lladaTensors,
  lladaValues,
  tfjsExecutor,
} from "./networks.js"
import { secondRuns } from "./replay.js"

t.setTimeout(300_000)
const eager = await tfjsExecutor()
const compiled = await makeOnnxruntimeExecutor(cpu)
const LINEAR = { kind: "linear" } as const

const near = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-4 * Math.max(1, Math.abs(b))

for (const variant of ["F", "X"] as const)
  t.test(`tau-leaping over the ${variant} network`, async (t) => {
    const run = secondRuns().find(({ name }) => name === `b ${variant}_tau_net`)!
    const { network, values } = await flexmdmNetwork(variant)
    const forward = await openForward(eager, network, values, { canvas: run.length, padId: run.pad })
    let [call, rates, tokens] = [0, 0, 0]
    for (let s = 0; s < run.steps; s++) {
      const last = s === run.steps - 1
      const rows = Array.from({ length: run.rows }, (_, r) => run.state(s, r))
      const pass = await forward.forward(
        rows.map((row) => ({ tokens: row.slice(0, lengthOf(row, run.pad)), t: run.time(s) })),
      )
      const [reveals, inserts] = last ? [] : [run.calls[call++]!, run.calls[call++]!]
      for (const [r, row] of rows.entries()) {
        const rule: RowRule = {
          padId: run.pad,
          maskId: run.mask,
          prefix: run.prefix[r]!,
          suffix: run.suffix[r]!,
          anchored: variant === "X",
        }
        const masks = eligibleMasks(row, rule)
        const n = lengthOf(row, run.pad)
        if (last) {
          const at = masks.map((position) => ({ row: r, position, uniform: 0 }))
          const drawn = Array.from((await pass.draw(at, argmaxRule([]))).tokens)
          tokens += drawn.length
          t.same(applyEvents(row, { positions: masks, tokens: drawn }, rule, "fill").row, run.final(r))
          continue
        }
        const share = insertShare("poisson", LINEAR, run.time(s), run.time(1))
        Array.from(pass.gaps[r]!).forEach((gap, slot) => {
          if (!isOpenSlot(rule, slot, n)) return
          const recorded = inserts!.argument!.at(r, slot)
          t.ok(near(gap * share, recorded), `step ${s} row ${r} slot ${slot}: ${gap * share}, ${recorded}`)
          rates++
        })
        const fired = masks.flatMap((position) => {
          const counts = Array.from({ length: run.vocabulary }, (_, v) => reveals!.draw.at(r, position, v))
          const token = exactlyOneEvent(counts, run.mask)
          return token === undefined ? [] : [{ position, token }]
        })
        const next = applyEvents(
          row,
          {
            positions: fired.map(({ position }) => position),
            tokens: fired.map(({ token }) => token),
            insertions: Array.from({ length: inserts!.draw.shape[1]! }, (_, j) => inserts!.draw.at(r, j)),
          },
          rule,
          "fill",
        )
        t.same(next.row, run.state(s + 1, r), `step ${s} row ${r}: state`)
      }
    }
    t.ok(rates > 4 && tokens > 1, `${rates} rates, ${tokens} tokens of the last step`)
    await forward.dispose()
  })

const tensors = await lladaTensors()
const stored = (name: string): StoredTensor => tensors.get(name)!
const rowsOf = (name: string, from = 0, count?: number): readonly Int32Array[] => {
  const { shape, data } = stored(name)
  const width = shape.at(-1)!
  const all = Array.from(data as ArrayLike<number>)
  return Array.from({ length: count ?? shape.slice(0, -1).reduce((a, b) => a * b, 1) }, (_, r) =>
    Int32Array.from(all.slice((from + r) * width, (from + r + 1) * width)),
  )
}

interface Values {
  readonly llada_sample: {
    readonly cases: readonly {
      readonly i: number
      readonly gen_length: number
      readonly block_length: number
      readonly steps: number
      readonly temperature: number
      readonly cfg: number
      readonly remasking: LladaSettings["remasking"]
      readonly model_calls?: number
    }[]
  }
  readonly flex_sample: {
    readonly cases: readonly {
      readonly name: string
      readonly mode: "prompt" | "infill"
      readonly steps: number
      readonly method: Confidence
      readonly window: boolean
      readonly alpha: number
      readonly max_window: number
      readonly canvas: number
    }[]
  }
}
const values = lladaValues<Values>()

t.test("LLaDA's sampler, token by token", async (t) => {
  const loaded = await lladaNetwork(false)
  const forward = await openForward(compiled, loaded.network, loaded.values, {
    canvas: 41,
    padId: LLADA_PAD,
  })
  const prompts = rowsOf("llada_sample.prompt")
  const { cases } = values.llada_sample
  t.equal(cases.length, 10)
  for (const c of cases.filter(({ i }) => i < 8)) {
    const settings: LladaSettings = {
      length: c.gen_length,
      block: c.block_length,
      // The published code takes one step a block where there are fewer steps than blocks.
      steps: Math.max(c.steps, c.gen_length / c.block_length),
      remasking: c.remasking,
      choice: { temperature: 0, topP: 1 },
      guidance: c.cfg,
      specials: "as-published",
    }
    const texts = await lladaTexts(
      prompts.map((tokens, index) => ({ index, tokens })),
      settings,
      { forward: forward.masked, source: stream(0, "sample"), maskId: LLADA_MASK, banned: [] },
    )
    texts.forEach(({ row }, r) => t.same(row, rowsOf(`llada_sample.${c.i}.out`)[r], `case ${c.i} row ${r}`))
    // Steps that settle nothing are not taken here; each pass with guidance is two.
    const settling = blockPlans(0, settings).flatMap(({ counts }) => [...counts].filter((n) => n > 0))
    t.equal(texts[0]!.forwards, settling.length * (c.cfg === 0 ? 1 : 2), `case ${c.i}: passes`)
    if (settling.length === c.steps) t.equal(c.model_calls, settling.length)
  }
  for (const c of cases.filter(({ i }) => i >= 8)) {
    const u = stored(`llada_sample.${c.i}.u`)
    const uniform = u.data as ArrayLike<number>
    const length = prompts[0]!.length + c.gen_length
    let rows: readonly Int32Array[] = prompts.map((tokens) => {
      const row = new Int32Array(length).fill(LLADA_MASK)
      row.set(tokens)
      return row
    })
    let step = 0
    const plans = blockPlans(prompts[0]!.length, {
      length: c.gen_length,
      block: c.block_length,
      steps: c.steps,
    })
    for (const { to, counts } of plans)
      for (const count of counts) {
        const pass = await forward.masked.forward(rows)
        const probabilities = await fullProbabilities(pass, rows.length, length)
        const next = rows.map((row, r) => {
          const masks = Array.from({ length: to }, (_, j) => j).filter((j) => row[j] === LLADA_MASK)
          const candidates = masks.map((j) => {
            const p = probabilities[r]![j]!
            const flat = (step * rows.length + r) * length + j
            if (c.temperature === 0) {
              const token = p.indexOf(Math.max(...p))
              return { token, confidence: uniform[flat]! }
            }
            // exp(logit) / (-ln u)^T, in logarithms.
            const scores = p.map(
              (x, v) => Math.log(x) - c.temperature * Math.log(-Math.log(uniform[flat * 200 + v]!)),
            )
            const token = scores.indexOf(Math.max(...scores))
            return { token, confidence: p[token]! }
          })
          return settle(
            row,
            masks,
            {
              tokens: candidates.map(({ token }) => token),
              confidences: candidates.map(({ confidence }) => confidence),
            },
            count,
          )
        })
        rows = next
        step++
      }
    rows.forEach((row, r) => t.same(row, rowsOf(`llada_sample.${c.i}.out`)[r], `case ${c.i} row ${r}`))
  }
  await forward.dispose()
})

/** Probabilities of every id at every position. */
const fullProbabilities = async (
  pass: Awaited<ReturnType<Awaited<ReturnType<typeof openForward>>["masked"]["forward"]>>,
  rows: number,
  length: number,
): Promise<readonly (readonly (readonly number[])[])[]> => {
  const at = Array.from({ length: rows * length }, (_, k) => ({
    row: Math.floor(k / length),
    position: k % length,
  }))
  const byId = await Promise.all(Array.from({ length: 200 }, (_, id) => pass.probability(at, id)))
  return Array.from({ length: rows }, (_, r) =>
    Array.from({ length }, (_, j) => byId.map((p) => p[r * length + j]!)),
  )
}

t.test("FlexMDM from LLaDA, step by step", async (t) => {
  const loaded = await lladaNetwork(true)
  const { cases } = values.flex_sample
  t.equal(cases.length, 8)
  let [states, rates] = [0, 0]
  for (const c of cases) {
    const of = (part: string): string => `flex_sample.${c.name}.${part}`
    const forward = await openForward(compiled, loaded.network, loaded.values, {
      canvas: c.canvas,
      padId: LLADA_PAD,
    })
    const clean = (part: string, r: number): number[] =>
      tensors.has(of(part)) ? [...rowsOf(of(part))[r]!].filter((id) => id !== LLADA_PAD) : []
    const texts = [0, 1].map((r) => ({
      prefix: c.mode === "prompt" ? clean("prompt", r) : clean("prefix", r),
      suffix: c.mode === "prompt" ? [] : clean("suffix", r),
    }))
    const number = (part: string, ...index: readonly number[]): number => {
      const { shape, data } = stored(of(part))
      return (data as ArrayLike<number>)[index.reduce((flat, i, d) => flat * shape[d]! + i, 0)]!
    }
    let rows = texts.map((text) => startingRow(text, c.canvas, LLADA_PAD))
    for (let s = 0; s < c.steps; s++) {
      const time = s / c.steps
      const last = s === c.steps - 1
      const pass = await forward.forward(
        rows.map((row) => ({ tokens: row.slice(0, lengthOf(row, LLADA_PAD)), t: time })),
      )
      const share = insertShare("poisson", LINEAR, time, 1 / c.steps)
      const expected = last ? rowsOf(of("final")) : rowsOf(of("trace"), 2 * s, 2)
      const next = await Promise.all(
        rows.map(async (row, r) => {
          const rule: RowRule = {
            padId: LLADA_PAD,
            maskId: LLADA_MASK,
            prefix: texts[r]!.prefix.length,
            suffix: texts[r]!.suffix.length,
            anchored: false,
          }
          const masks = eligibleMasks(row, rule)
          const n = lengthOf(row, LLADA_PAD)
          const count = last ? masks.length : number("unmask_counts", s, r)
          const window = last
            ? masks
            : windowOf(masks, count, c.window ? { factor: c.alpha, most: c.max_window } : undefined)
          const at = window.map((position) => ({ row: r, position, uniform: 0 }))
          const ranking = { of: "logits" } as const
          const sure = last ? at.map(() => 0) : await pass.confidence(at, c.method, ranking, [])
          const chosen = mostConfident(sure, count).map((k) => at[k]!)
          const { tokens } = await pass.draw(chosen, argmaxRule([]))
          if (!last)
            Array.from(pass.gaps[r]!).forEach((gap, slot) => {
              if (!isOpenSlot(rule, slot, n)) return
              const recorded = number("insert_lambda", s, r, slot)
              rates++
              if (!near(gap * share, recorded))
                t.fail(`${c.name} step ${s} row ${r} slot ${slot}: ${gap * share}, recorded ${recorded}`)
            })
          const positions = chosen.map(({ position }) => position)
          const insertions = last
            ? {}
            : { insertions: Array.from({ length: c.canvas + 1 }, (_, j) => number("insert_counts", s, r, j)) }
          return applyEvents(row, { positions, tokens, ...insertions }, rule, "fill", "after").row
        }),
      )
      next.forEach((row, r) => {
        t.same(row, expected[r], `${c.name} step ${s} row ${r} (hazard ${hazardAt(LINEAR, time)})`)
        states++
      })
      rows = expected.map((row) => Int32Array.from(row))
    }
    await forward.dispose()
  }
  t.ok(states > 100 && rates > 300, `${states} states, ${rates} rates`)
})
