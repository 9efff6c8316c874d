/** Every recorded run of the published samplers, step by step from its recorded draws. Tokens must be equal. */
import { test } from "tap"
import { insertShare } from "../../src/diffusion/insertion/leap.js"
import { hazardAt } from "../../src/diffusion/insertion/schedule.js"
import { choiceDistribution, probabilitiesOf } from "../../src/samplers/choice.js"
import { mostConfident, windowOf } from "../../src/samplers/confidence.js"
import { applyEvents, eulerWeights, exactlyOneEvent } from "../../src/samplers/flexmdm/step.js"
import { eligibleMasks, isOpenSlot, lengthOf, type RowRule } from "../../src/samplers/flexmdm/row.js"
import { argmaxRule, passOf } from "../../src/samplers/memory.js"
import { scheduleOf } from "../diffusion/insertion/golden.js"
import { firstRuns, secondRuns, type Run, type Tensor } from "./replay.js"

const LINEAR = { kind: "linear" } as const

const ruleOf = (run: Run, row: number): RowRule => ({
  padId: run.pad,
  maskId: run.mask,
  prefix: run.prefix[row]!,
  suffix: run.suffix[row]!,
  anchored: run.variant === "X",
})

/** Gumbel-max of xlm-core over a filtered distribution, with its recorded uniforms [B, L, k or V]. */
const gumbelToken = (run: Run, logits: Float64Array, u: Tensor, row: number, position: number): number => {
  const p = choiceDistribution(logits, {
    temperature: run.temperature,
    topP: run.topP ?? 1,
    nucleus: "strict",
    banned: [],
    ...(run.topK === undefined ? {} : { topK: run.topK }),
  })
  const width = u.shape[2]!
  const ids = Array.from(p.keys())
  // With top-k the noise is drawn for the k kept tokens, most probable first.
  if (width < p.length) ids.sort((a, b) => p[b]! - p[a]! || a - b)
  let [best, token] = [Number.NEGATIVE_INFINITY, -1]
  ids.slice(0, width).forEach((id, k) => {
    const noise = -Math.log(-Math.log(u.at(row, position, k) + 1e-10) + 1e-10)
    const score = Math.log(p[id]!) + noise
    if (score > best) [best, token] = [score, id]
  })
  return token
}

interface Outcome {
  readonly transitions: number
  readonly differing: readonly string[]
  readonly skipped: number
}

const replay = async (run: Run): Promise<Outcome> => {
  let call = 0
  let [transitions, skipped] = [0, 0]
  const differing: string[] = []
  const take = () => run.calls[call++]!
  for (let s = 0; s < run.steps; s++) {
    const last = s === run.steps - 1
    const pass = passOf(({ row, position }) => run.logits!(s, row, position))
    const masks = Array.from({ length: run.rows }, (_, r) => eligibleMasks(run.state(s, r), ruleOf(run, r)))
    let events: readonly { positions: readonly number[]; tokens: readonly number[] }[]
    let uncomparable = new Set<number>()
    if (last && run.sampler !== "euler") {
      if (run.logits === undefined) break
      events = await Promise.all(
        masks.map(async (positions, row) => {
          const at = positions.map((position) => ({ row, position, uniform: 0 }))
          return { positions, tokens: Array.from((await pass.draw(at, argmaxRule([]))).tokens) }
        }),
      )
    } else if (run.sampler === "confidence") {
      const { draw } = take()
      const counts = masks.map((_, r) => draw.at(r))
      const noise = run.variant === "X" && run.calls[call]?.fn === "rand_like" ? take().draw : undefined
      events = await Promise.all(
        masks.map(async (eligible, row) => {
          const window = windowOf(eligible, counts[row]!, run.window)
          if (counts[row]! > window.length) uncomparable.add(row)
          const hazard = hazardAt(LINEAR, run.time(s))
          const ranking =
            run.variant === "8B" ? ({ of: "logits" } as const) : ({ of: "rates", hazard } as const)
          const at = window.map((position) => ({ row, position }))
          const sure = await pass.confidence(at, run.confidence, ranking, [])
          const positions = mostConfident(sure, counts[row]!).map((k) => window[k]!)
          if (noise !== undefined)
            return {
              positions,
              tokens: positions.map((j) => gumbelToken(run, run.logits!(s, row, j), noise, row, j)),
            }
          const draws = positions.map((position) => ({ row, position, uniform: 0 }))
          return { positions, tokens: Array.from((await pass.draw(draws, argmaxRule([]))).tokens) }
        }),
      )
    } else if (run.sampler === "euler") {
      const { draw, argument } = take()
      const chosen = (r: number, j: number): number =>
        run.name.startsWith("a") || draw.shape.length === 2 ? draw.at(r * run.length + j, 0) : draw.at(r, j)
      if (argument !== undefined && !last)
        masks.forEach((positions, r) => {
          for (const j of positions) {
            const events_ = hazardAt(LINEAR, run.time(s)) / run.steps
            const weights = eulerWeights(probabilitiesOf(run.logits!(s, r, j)), events_, run.mask)
            const sum = Array.from({ length: run.vocabulary }, (_, v) =>
              argument.at(r * run.length + j, v),
            ).reduce((a, b) => a + b, 0)
            weights.forEach((w, v) => {
              if (Math.abs(w - argument.at(r * run.length + j, v) / sum) > 1e-5)
                differing.push(`${run.name} step ${s} row ${r}: Euler weight of ${v} at ${j}`)
            })
          }
        })
      events = masks.map((eligible, r) => {
        const positions = eligible.filter((j) => chosen(r, j) !== run.mask)
        return { positions, tokens: positions.map((j) => chosen(r, j)) }
      })
    } else {
      const { draw } = take()
      const noise = run.topK !== undefined || run.topP !== undefined ? take().draw : undefined
      events = masks.map((eligible, r) => {
        const fired = eligible.flatMap((j) => {
          const counts = Array.from({ length: run.vocabulary }, (_, v) => draw.at(r, j, v))
          const token = exactlyOneEvent(counts, run.mask)
          if (token === undefined) return []
          return [
            { j, token: noise === undefined ? token : gumbelToken(run, run.logits!(s, r, j), noise, r, j) },
          ]
        })
        return { positions: fired.map(({ j }) => j), tokens: fired.map(({ token }) => token) }
      })
    }
    const insertions = last ? undefined : take()
    for (let r = 0; r < run.rows; r++) {
      const rule = ruleOf(run, r)
      const row = run.state(s, r)
      if (insertions?.argument !== undefined && run.gaps !== undefined) {
        const dt = run.time(1)
        const share = insertShare("poisson", scheduleOf(run.insertion), run.time(s), dt)
        const n = lengthOf(row, run.pad)
        run.gaps(s, r).forEach((gap, j) => {
          if (!isOpenSlot(rule, j, n) || run.sampler === "euler") return
          const recorded = insertions.argument!.at(r, j)
          if (Math.abs(gap * share - recorded) > 1e-4 * Math.max(1, recorded))
            differing.push(
              `${run.name} step ${s} row ${r} slot ${j}: rate ${gap * share}, recorded ${recorded}`,
            )
        })
      }
      const slots = insertions === undefined ? 0 : insertions.draw.shape[1]!
      const found = last
        ? applyEvents(row, events[r]!, rule, "fill").row
        : applyEvents(
            row,
            { ...events[r]!, insertions: Array.from({ length: slots }, (_, j) => insertions!.draw.at(r, j)) },
            rule,
            "fill",
            run.variant === "8B" ? "after" : "before",
          ).row
      if (uncomparable.has(r)) {
        skipped++
        continue
      }
      transitions++
      const expected = last ? run.final(r) : run.state(s + 1, r)
      if (found.join() !== expected.join())
        differing.push(
          `${run.name} step ${s} row ${r}: from ${row.join(" ")} found ${found.join(" ")} recorded ${expected.join(" ")}`,
        )
    }
  }
  return { transitions, differing, skipped }
}

test("recorded runs", async (t) => {
  let [transitions, skipped] = [0, 0]
  const runs = [...firstRuns(), ...secondRuns()]
  t.equal(runs.length, 14 + 35)
  for (const run of runs) {
    const outcome = await replay(run)
    transitions += outcome.transitions
    skipped += outcome.skipped
    t.same(outcome.differing, [], run.name)
  }
  t.comment(`${transitions} transitions, ${skipped} with more events than eligible masks left out`)
})
