/** States, gaps, targets and losses against runs of the published code; sources in golden/README.md. */
import { fc } from "../../fuzz.js"
import { test } from "tap"
import { hittingTimes, type HittingTimes } from "../../../src/diffusion/insertion/hitting.js"
import { infillRow } from "../../../src/diffusion/insertion/infill-row.js"
import {
  gapsOf,
  interpolate,
  padInterpolant,
  paddingProblem,
} from "../../../src/diffusion/insertion/interpolant.js"
import { batchLoss, bregman, rowLoss, rowWeights } from "../../../src/diffusion/insertion/loss.js"
import { hazardAt, type JointSchedule } from "../../../src/diffusion/insertion/schedule.js"
import { distance, golden, scheduleOf, type StoredSchedule } from "./golden.js"

type Matrix = readonly (readonly number[])[]
interface Case {
  readonly name: string
  readonly joint: JointSchedule
  readonly scaled: boolean
  readonly anchored: boolean
  readonly pad: number
  readonly mask: number
  readonly eos?: number
  readonly x1: Matrix
  readonly t: readonly number[]
  readonly T1?: Matrix
  readonly T2?: Matrix
  readonly U1?: Matrix
  readonly U2?: Matrix
  readonly fixed?: readonly (readonly (number | boolean)[])[] | undefined
  readonly xt: Matrix
  readonly st: Matrix
  readonly targets: Matrix
  readonly gaps: Matrix
  readonly valid: readonly (readonly (number | boolean)[])[]
  readonly weights: { readonly unmask: readonly number[]; readonly insert: readonly number[] }
}

const fromFirst = (): readonly Case[] =>
  golden<readonly First[]>("interpolants-a").map((c, i) => ({
    ...c,
    name: `a${i} ${c.kind}`,
    joint: { insertion: scheduleOf(c.insert), unmasking: scheduleOf(c.unmask) },
    scaled: c.kind.startsWith("8B"),
    anchored: c.kind.startsWith("X"),
    fixed: c.fixed ?? c.prompt_indices,
    targets: c.unmask_target,
    valid: c.gap_valid,
    weights: { unmask: c.unmask_weight_row, insert: c.insert_weight_row },
  }))
interface First extends Omit<Case, "targets" | "valid" | "weights" | "joint"> {
  readonly kind: string
  readonly insert: StoredSchedule
  readonly unmask: StoredSchedule
  readonly prompt_indices?: readonly (readonly number[])[]
  readonly unmask_target: Matrix
  readonly gap_valid: readonly (readonly number[])[]
  readonly unmask_weight_row: readonly number[]
  readonly insert_weight_row: readonly number[]
}

interface Second extends Omit<Case, "targets" | "valid" | "weights" | "joint"> {
  readonly variant: string
  readonly insert_schedule: string
  readonly unmask_schedule: string
  readonly unmasked: Matrix
  readonly gaps_mask: readonly (readonly boolean[])[]
  readonly unmask_weight: readonly number[]
  readonly insert_weight: readonly number[]
  readonly infill?: {
    readonly input_ids: Matrix
    readonly prefix_cutoff: readonly number[]
    readonly boundary_tokens: readonly number[]
    readonly u_prefix: readonly number[]
    readonly u_suffix: readonly number[]
    readonly row: Matrix
    readonly fixed: readonly (readonly boolean[])[]
  }
}
const second = (): readonly Second[] => golden<{ readonly cases: readonly Second[] }>("interpolants-b").cases
const fromSecond = (): readonly Case[] =>
  second().map((c) => ({
    ...c,
    name: `b ${c.name}`,
    joint: { insertion: scheduleOf(c.insert_schedule), unmasking: scheduleOf(c.unmask_schedule) },
    scaled: c.variant === "F8",
    anchored: c.variant === "X",
    targets: c.unmasked,
    valid: c.gaps_mask,
    weights: { unmask: c.unmask_weight, insert: c.insert_weight },
  }))

const fromScaled = (): readonly Case[] => {
  const all = golden<Readonly<Record<string, Matrix & readonly number[]>>>("scaled")
  return ["linear.free", "linear.prompt", "geometric.free", "geometric.prompt"].map((name) => {
    const at = (part: string): Matrix & readonly number[] => all[`interp.${name}.${part}`]!
    return {
      name: `scaled ${name}`,
      joint: { insertion: scheduleOf(name.split(".")[0]!), unmasking: { kind: "linear" } },
      scaled: true,
      anchored: false,
      pad: 198,
      mask: 199,
      x1: at("x1"),
      t: at("t"),
      T1: at("insertion_time"),
      T2: at("unmasking_time"),
      U1: at("u_insert"),
      U2: at("u_unmask"),
      fixed: at("prompt"),
      xt: at("xt"),
      st: at("st"),
      targets: at("target"),
      gaps: at("gaps"),
      valid: at("gap_valid"),
      weights: { unmask: at("w_unmask"), insert: at("w_insert") },
    }
  })
}

const ones = (xs: readonly (number | boolean)[]): readonly number[] => xs.map(Number)

test("the published interpolants", async (t) => {
  const cases = [...fromFirst(), ...fromSecond(), ...fromScaled()]
  t.equal(cases.length, 12 + 17 + 4)
  for (const c of cases) {
    const endSlot = c.anchored ? "eos-anchor" : "extra"
    const rule = c.scaled ? "threshold-8b" : "joint"
    c.x1.forEach((x1, r) => {
      const label = `${c.name} row ${r}`
      if (paddingProblem(x1, c.pad) !== undefined) {
        t.equal(c.name, "b F/pad_inside_row", "refused: PAD within a row")
        return
      }
      const fixed = (i: number): boolean => Boolean(c.fixed?.[r]?.[i]) || x1[i] === c.eos
      const given = (i: number): HittingTimes =>
        c.T1 === undefined || c.T2 === undefined
          ? hittingTimes(c.joint, [c.U1![r]![i]!, c.U2![r]![i]!], { rule })
          : { insertion: c.T1[r]![i]!, unmasking: c.T2[r]![i]! }
      if (c.T1 !== undefined && c.U1 !== undefined && c.U2 !== undefined && c.name !== "b F/boundary") {
        x1.forEach((_, i) => {
          if (fixed(i) && c.anchored) return
          const u: readonly [number, number] = [c.U1![r]![i]!, c.U2![r]![i]!]
          const times = hittingTimes(c.joint, u, { rule })
          // float32 inverses: 1e-5, and square roots of rounding near the ends of sine, cosine and powers.
          const steep =
            c.joint.insertion.kind === "linear" && c.joint.unmasking.kind === "linear" ? 1e-6 : 2e-3
          t.ok(distance(times.insertion, c.T1![r]![i]!) < steep, `${label} T1 of ${i}`)
          t.ok(distance(times.unmasking, c.T2![r]![i]!) < steep, `${label} T2 of ${i}`)
        })
      }
      const found = padInterpolant(
        interpolate(x1, given, c.t[r]!, { padId: c.pad, maskId: c.mask, endSlot, fixed }),
        x1,
        { padId: c.pad, endSlot },
      )
      t.same(Array.from(found.tokens), c.xt[r], `${label} x_t`)
      t.same(Array.from(found.source), c.st[r], `${label} source`)
      t.same(Array.from(found.targets), c.targets[r], `${label} targets`)
      t.same(Array.from(found.gaps), c.gaps[r], `${label} gaps`)
      t.same(Array.from(found.gapValid), ones(c.valid[r]!), `${label} valid slots`)
      const weights = rowWeights(c.joint, c.t[r]!, c.scaled ? "8b" : "hazard")
      const tolerance = 2e-6 + 1e-7 / Math.max(1e-6, 1 - c.t[r]! ** 2)
      // At t = 1 the hazard of a float32 time is infinite or noise.
      if (c.t[r]! < 1) {
        t.ok(distance(weights.insert, c.weights.insert[r]!) < 30 * tolerance, `${label} insertion weight`)
        t.ok(distance(weights.unmask, c.weights.unmask[r]!) < 30 * tolerance, `${label} unmasking weight`)
      }
    })
  }
})

test("infilling rows of the published collator", async (t) => {
  const cases = second().filter((c) => c.infill !== undefined)
  t.equal(cases.length, 3)
  for (const { infill: c, pad } of cases) {
    c!.input_ids.forEach((row, r) => {
      const tokens = row.filter((id) => id !== pad)
      const found = infillRow(tokens, c!.prefix_cutoff[r]!, [c!.u_prefix[r]!, c!.u_suffix[r]!], {
        boundary: c!.boundary_tokens,
        width: row.length,
        padId: pad,
      })
      t.same(Array.from(found.tokens), c!.row[r])
      t.same(Array.from(found.fixed), ones(c!.fixed[r]!))
    })
  }
  const all = golden<Readonly<Record<string, Matrix & readonly number[]>>>("scaled")
  all["infill.flex.input"]!.forEach((row, r) => {
    const tokens = row.filter((id) => id !== 198)
    const u: readonly [number, number] = [all["infill.flex.u_prefix"]![r]!, all["infill.flex.u_suffix"]![r]!]
    const options = { boundary: [150, 151, 152], width: 40, padId: 198 }
    const found = infillRow(tokens, all["infill.flex.cutoff"]![r]!, u, options)
    t.same(Array.from(found.tokens), all["infill.flex.output"]![r])
    t.same(Array.from(found.fixed), all["infill.flex.prompt"]![r])
  })
  const options = { boundary: [8, 9], width: 9, padId: 0 }
  t.throws(() => infillRow([1, 2, 3], 2, [0, 0], options), /at least 2 must follow/)
  t.throws(() => infillRow([1, 2, 3, 4, 5, 6], 1, [0, 0], options), /needs 10 places/)
  for (const u of [0, 1 - 2 ** -53]) {
    const row = infillRow([1, 2, 3, 4], 0, [u, u], { boundary: [], width: 4, padId: 0 })
    t.ok(row.start < row.end && row.end < 4, "middle and suffix hold at least one token each")
  }
})

test("gaps account for every absent token", async (t) => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })),
        {
          maxLength: 20,
        },
      ),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (times, at) => {
        const x1 = times.map((_, i) => 10 + i)
        const all = times.map(([a, b]) => ({ insertion: a, unmasking: a + b * (1 - a) }))
        const state = interpolate(x1, (i) => all[i]!, at, { padId: 0, maskId: 1, endSlot: "extra" })
        const total = state.gaps.reduce((a, b) => a + b, 0)
        return (
          total === x1.length - state.tokens.length &&
          state.tokens.every((token, j) => token === 1 || token === x1[state.source[j]!])
        )
      },
    ),
  )
  t.same(Array.from(gapsOf([1, 4], 6, "extra")), [1, 2, 1])
  t.same(Array.from(gapsOf([1, 5], 6, "eos-anchor")), [1, 3])
  t.throws(
    () =>
      interpolate([5, 6], () => ({ insertion: 0, unmasking: 0 }), 0, {
        padId: 0,
        maskId: 1,
        endSlot: "eos-anchor",
      }),
    /the last token of a row is fixed/,
  )
})

test("worked micro-examples", async (t) => {
  const v = golden<Readonly<Record<string, unknown>>>("vectors")
  interface Worked {
    readonly x1: readonly number[]
    readonly T1: readonly number[]
    readonly T2: readonly number[]
    readonly fixed?: readonly number[]
    readonly t: number
    readonly xt: readonly number[]
    readonly st: readonly number[]
    readonly gaps: readonly number[]
    readonly gap_mask: readonly boolean[]
    readonly targets: readonly number[]
  }
  let seen = 0
  for (const [name, endSlot] of [
    ["interpolant_end_slot", "extra"],
    ["interpolant_prompt_mask", "extra"],
    ["interpolant_eos_anchor", "eos-anchor"],
  ] as const) {
    for (const c of v[name] as readonly Worked[]) {
      const fixed = (i: number): boolean => c.fixed?.[i] === 1
      const times = (i: number): HittingTimes => ({ insertion: c.T1[i]!, unmasking: c.T2[i]! })
      const state = interpolate(c.x1, times, c.t, { padId: 0, maskId: 1, endSlot, fixed })
      const found = padInterpolant(state, c.x1, { padId: 0, endSlot })
      t.same(Array.from(found.tokens), c.xt)
      t.same(Array.from(found.source), c.st)
      t.same(Array.from(found.gaps), c.gaps)
      t.same(Array.from(found.gapValid), ones(c.gap_mask))
      t.same(Array.from(found.targets), c.targets)
      seen++
    }
  }
  t.ok(seen >= 7)
  for (const c of v["bregman"] as readonly { x: number; y: number; value: number }[])
    t.ok(distance(bregman(c.x, c.y), c.value) < 1e-12, `phi(${c.x}, ${c.y})`)
  t.equal(bregman(2, 2, 0), 0)
  t.equal(bregman(0, 3, 0), 3)
  t.equal(bregman(0, 0, 0), 0)
  t.equal(bregman(1, 0, 0), Number.POSITIVE_INFINITY)
  const c = v["loss_end_slot_t0.5"] as {
    readonly ce: readonly number[]
    readonly g: readonly number[]
    readonly divide_by: Readonly<Record<string, readonly [number, number]>>
    readonly unmask_sum: number
    readonly insert_sum: number
    readonly unmask_weight_8B: number
  }
  const linear: JointSchedule = { insertion: { kind: "linear" }, unmasking: { kind: "linear" } }
  const row = rowLoss({
    crossEntropies: c.ce,
    gaps: [0, 1, 1, 0],
    predicted: c.g,
    weights: rowWeights(linear, 0.5),
  })
  t.ok(distance(row.unmask, c.unmask_sum) < 1e-12)
  t.ok(distance(row.insert, c.insert_sum) < 1e-12)
  for (const [divisor, [unmask, insert]] of Object.entries(c.divide_by)) {
    const loss = batchLoss([row], Number(divisor))
    t.ok(distance(loss.unmask, unmask) < 1e-12)
    t.ok(distance(loss.insert, insert) < 1e-12)
    t.equal(loss.total, loss.unmask + loss.insert)
  }
  t.ok(distance(rowWeights(linear, 0.5, "8b").unmask, c.unmask_weight_8B) < 1e-12)
})

interface LossCase {
  readonly name: string
  readonly variant: string
  readonly insert_schedule: string
  readonly unmask_schedule: string
  readonly mask: number
  readonly t: readonly number[]
  readonly xt: Matrix
  readonly unmasked: Matrix
  readonly gaps: Matrix
  readonly gaps_mask: readonly (readonly boolean[])[]
  readonly maskedLogits: readonly Matrix[]
  readonly gapsPredicted: Matrix
  readonly gapGradients: Matrix
  readonly unmask_loss: number
  readonly insertion_loss: number
  readonly divisor: number
}

test("losses of given predictions, and their gradient by the gaps", async (t) => {
  const cases = golden<readonly LossCase[]>("losses")
  t.equal(cases.length, 5)
  for (const c of cases) {
    const joint = { insertion: scheduleOf(c.insert_schedule), unmasking: scheduleOf(c.unmask_schedule) }
    const rule = c.variant === "F8" ? "8b" : "hazard"
    const rows = c.t.map((time, r) => {
      const valid = c.gaps[r]!.flatMap((gap, j) => (c.gaps_mask[r]![j]! ? [{ gap, at: j }] : []))
      const targets = c.xt[r]!.flatMap((token, j) => (token === c.mask ? [c.unmasked[r]![j]!] : []))
      const weights = rowWeights(joint, time, rule)
      for (const { gap, at } of valid) {
        const y = c.gapsPredicted[r]![at]!
        // Below the floor of the Bregman term its gradient is 0.
        const slope = y < 1e-6 ? 0 : (weights.insert * (1 - Math.max(gap, 1e-6) / y)) / c.divisor
        if (time < 1)
          t.ok(
            distance(slope, c.gapGradients[r]![at]!) < 1e-4,
            `${c.name} row ${r} slot ${at}: d loss / d gap`,
          )
      }
      return rowLoss({
        crossEntropies: targets.map((target, k) => {
          const logits = c.maskedLogits[r]![k]!
          return Math.log(logits.reduce((sum, x) => sum + Math.exp(x), 0)) - logits[target]!
        }),
        gaps: valid.map(({ gap }) => gap),
        predicted: valid.map(({ at }) => c.gapsPredicted[r]![at]!),
        weights,
      })
    })
    const loss = batchLoss(rows, c.divisor / rows.length)
    // The published sums are float32, with hazards that lose digits near t = 1: 1e-4 relative.
    t.ok(distance(loss.unmask, c.unmask_loss) < 1e-4, `${c.name}: ${loss.unmask}, published ${c.unmask_loss}`)
    t.ok(
      distance(loss.insert, c.insertion_loss) < 1e-4,
      `${c.name}: ${loss.insert}, published ${c.insertion_loss}`,
    )
    if (c.unmask_loss > 0) {
      const dropped = batchLoss(
        rows.map((row, r) => ({ ...row, unmask: row.unmask / hazardAt(joint.unmasking, c.t[r]!) })),
        c.divisor / rows.length,
      )
      t.ok(distance(dropped.unmask, c.unmask_loss) > 1e-3, `${c.name}: a loss without the hazard is caught`)
    }
  }
})
