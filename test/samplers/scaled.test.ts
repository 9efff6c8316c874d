/**
 * Recorded runs at 8B conventions whose network is not evaluated here: rates of each step, and, where the order of
 * revealing needs no network, the states. Sources in golden/README.md.
 */
import { test } from "tap"
import { hazardAt } from "../../src/diffusion/insertion/schedule.js"
import { eligibleMasks, lengthOf, startingRow, type RowRule } from "../../src/samplers/flexmdm/row.js"
import { applyEvents } from "../../src/samplers/flexmdm/step.js"
import { jsonOf, tensorsOf } from "./replay.js"

const [PAD, MASK, SOME] = [198, 199, 500]

test("FlexMDM at 8B conventions", async (t) => {
  const { flex_sample } = jsonOf<{
    readonly flex_sample: {
      readonly cases: readonly { name: string; mode: string; steps: number; method: string; canvas: number }[]
    }
  }>("scaled")
  const tensors = tensorsOf("scaled")
  let [rates, states] = [0, 0]
  for (const c of flex_sample.cases) {
    const of = (part: string) => tensors[`flex_sample.${c.name}.${part}`]
    const [trace, counts, lambda, inserts] = ["trace", "unmask_counts", "unmask_lambda", "insert_counts"].map(
      (part) => of(part)!,
    ) as [never, never, never, never] as readonly NonNullable<ReturnType<typeof of>>[]
    const row = (part: string, r: number) => {
      const tensor = of(part)
      return tensor === undefined
        ? []
        : Array.from({ length: c.canvas }, (_, j) => tensor.at(r, j)).filter((id) => id !== PAD)
    }
    for (let r = 0; r < 2; r++) {
      const [prefix, suffix] =
        c.mode === "prompt" ? [row("prompt", r), []] : [row("prefix", r), row("suffix", r)]
      const rule: RowRule = {
        padId: PAD,
        maskId: MASK,
        prefix: prefix!.length,
        suffix: suffix!.length,
        anchored: false,
      }
      let before = startingRow({ prefix: prefix!, suffix: suffix! }, c.canvas, PAD)
      for (let s = 0; s < c.steps - 1; s++) {
        const masks = eligibleMasks(before, rule)
        const after = Int32Array.from({ length: c.canvas }, (_, j) => trace!.at(s, r, j))
        const mean = (masks.length * hazardAt({ kind: "linear" }, s / c.steps)) / c.steps
        t.ok(
          Math.abs(mean - lambda!.at(s, r)) < 1e-5 * Math.max(1, mean),
          `${c.name} step ${s} row ${r}: rate`,
        )
        rates++
        const count = counts!.at(s, r)
        if (c.method === "position" || count === 0 || count === masks.length) {
          const positions = masks.slice(0, count)
          const insertions = Array.from({ length: c.canvas + 1 }, (_, j) => inserts!.at(s, r, j))
          const events = { positions, tokens: positions.map(() => SOME), insertions }
          const found = applyEvents(before, events, rule, "fill", "after").row
          const shown = Array.from(after, (token, j) => (found[j] === SOME && token !== MASK ? SOME : token))
          t.same(
            Array.from(found),
            shown,
            `${c.name} step ${s} row ${r}: state of ${lengthOf(before, PAD)} tokens`,
          )
          states++
        }
        before = after
      }
    }
  }
  t.comment(`${rates} rates, ${states} states`)
  t.ok(states > 20)
})
