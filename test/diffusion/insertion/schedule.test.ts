/** Schedules, hitting times, times. Sources: golden/README.md; tolerances beside each comparison. */
import { fc } from "../../fuzz.js"
import { test } from "tap"
import { hittingTimes, stateShares } from "../../../src/diffusion/insertion/hitting.js"
import {
  alphaAt,
  alphaDerivative,
  alphaInverse,
  arrivalWithin,
  complementAt,
  complementInverse,
  hazardAt,
  LINEAR,
  scheduleMismatch,
  type AlphaSchedule,
} from "../../../src/diffusion/insertion/schedule.js"
import { evaluationTimes8b, stratifiedTimes, times8b } from "../../../src/diffusion/insertion/times.js"
import { distance, furthest, golden, scheduleOf, type StoredSchedule } from "./golden.js"

const ALL: readonly AlphaSchedule[] = [
  { kind: "linear" },
  { kind: "sine" },
  { kind: "cosine" },
  { kind: "polynomial", exponent: 2 },
  { kind: "polynomial", exponent: 0.5 },
  { kind: "geometric", min: 10, max: 0.01 },
]

const number = (x: number | string): number =>
  typeof x === "number" ? x : Number(x.replace("inf", "Infinity"))
/** float32 arithmetic of the published code: 2e-6, and what 1 - alpha loses near t = 1. */
const hazardTolerance = (alpha: number): number => 2e-6 + 1e-7 / (1 - alpha)

test("values of the published code", async (t) => {
  const first = golden<
    readonly {
      readonly impl: string
      readonly spec: StoredSchedule
      readonly t: readonly number[]
      readonly alpha: readonly number[]
      readonly dalpha: readonly number[]
      readonly hazard: readonly number[]
      readonly inv_at: readonly number[]
      readonly inv: readonly number[]
    }[]
  >("schedules-a")
  t.equal(first.length, 10)
  for (const { impl, spec, inv_at, inv, ...c } of first) {
    const s = scheduleOf(spec)
    c.t.forEach((time, i) => {
      t.ok(distance(alphaAt(s, time), c.alpha[i]!) < 2e-6, `${impl} ${spec.type} alpha(${time})`)
      t.ok(distance(alphaDerivative(s, time), c.dalpha[i]!) < 2e-6, `${impl} ${spec.type} alpha'(${time})`)
      const error = distance(hazardAt(s, time), c.hazard[i]!)
      t.ok(error < hazardTolerance(c.alpha[i]!), `${impl} ${spec.type} hazard(${time}): ${error}`)
    })
    // The inverse of a steep float32 function: 1e-5.
    t.ok(
      furthest(
        inv_at.map((a) => alphaInverse(s, a)),
        inv,
      ) < 1e-5,
      `${impl} ${spec.type} inverse`,
    )
  }
  const second = golden<{
    readonly t: readonly number[]
    readonly a: readonly number[]
    readonly schedules: Readonly<
      Record<
        string,
        { readonly config: StoredSchedule } & Readonly<
          Record<"alpha" | "alpha_dot" | "hazard" | "inverse", readonly (number | string)[]>
        >
      >
    >
  }>("schedules-b")
  for (const [name, c] of Object.entries(second.schedules)) {
    const s = scheduleOf(c.config)
    second.t.forEach((time, i) => {
      const alpha = number(c.alpha[i]!)
      t.ok(distance(alphaAt(s, time), alpha) < 2e-6, `${name} alpha(${time})`)
      t.ok(distance(alphaDerivative(s, time), number(c.alpha_dot[i]!)) < 2e-6, `${name} alpha'(${time})`)
      const expected = number(c.hazard[i]!)
      // At t = 1 float32 gives whatever cancellation leaves; the true value is infinite.
      if (alpha < 1)
        t.ok(distance(hazardAt(s, time), expected) < hazardTolerance(alpha), `${name} hazard(${time})`)
    })
    second.a.forEach((a, i) => {
      const expected = number(c.inverse[i]!)
      if (Number.isFinite(expected))
        t.ok(distance(alphaInverse(s, a), expected) < 1e-5, `${name} inverse(${a})`)
    })
  }
})

test("the geometric schedule in float64", async (t) => {
  const v = golden<{
    readonly "geometric_10_0.01": readonly { t: number; alpha: number; dalpha: number; hazard: number }[]
    readonly geometric_inverse: readonly { a: number; t: number }[]
  }>("vectors")
  const s: AlphaSchedule = { kind: "geometric", min: 10, max: 0.01 }
  for (const c of v["geometric_10_0.01"]) {
    t.ok(distance(alphaAt(s, c.t), c.alpha) < 1e-12)
    t.ok(distance(alphaDerivative(s, c.t), c.dalpha) < 1e-12)
    t.ok(distance(hazardAt(s, c.t), c.hazard) < 1e-12)
  }
  for (const c of v.geometric_inverse) t.ok(distance(alphaInverse(s, c.a), c.t) < 1e-12)
})

test("laws of every schedule", async (t) => {
  const unit = fc.double({ min: 0.001, max: 0.999, noNaN: true })
  for (const s of ALL) {
    const name = JSON.stringify(s)
    fc.assert(
      fc.property(unit, (time) => {
        const h = 1e-6
        const slope = (alphaAt(s, time + h) - alphaAt(s, time - h)) / (2 * h)
        return (
          distance(alphaDerivative(s, time), slope) < 1e-5 &&
          distance(alphaAt(s, time) + complementAt(s, time), 1) < 1e-12 &&
          distance(hazardAt(s, time), alphaDerivative(s, time) / complementAt(s, time)) < 1e-9 &&
          distance(alphaInverse(s, alphaAt(s, time)), time) < 1e-9 &&
          distance(complementInverse(s, complementAt(s, time)), time) < 1e-9
        )
      }),
    )
    t.pass(name)
    // Steps compose: surviving 0.2..0.5 and 0.5..0.9 is surviving 0.2..0.9.
    const survive = (from: number, to: number): number => 1 - arrivalWithin(s, from, to)
    t.ok(distance(survive(0.2, 0.5) * survive(0.5, 0.9), survive(0.2, 0.9)) < 1e-12, name)
  }
  // Leading term of each at a distance e from 1: 1/e for all but geometric; the textbook form would give noise.
  for (const s of ALL.slice(0, 5)) {
    const order = s.kind === "sine" ? 2 : 1
    t.ok(Math.abs((hazardAt(s, 1 - 1e-9) * 1e-9) / order - 1) < 1e-6, `${s.kind} near 1`)
  }
  t.equal(arrivalWithin({ kind: "linear" }, 0.75, 1), 1, "everything that can arrive has arrived at 1")
})

test("hitting times", async (t) => {
  const { hitting, time } = golden<{
    readonly hitting: { U1: number; U2: number; T1: number; T2: number }
    readonly time: {
      readonly u: readonly number[]
      readonly stratified_eps1e6: readonly number[]
      readonly low_disc_8B: { readonly rank0_of2: readonly number[]; readonly rank1_of2: readonly number[] }
    }
  }>("vectors")
  for (const rule of ["joint", "threshold-8b"] as const) {
    const times = hittingTimes(LINEAR, [hitting.U1, hitting.U2], { rule })
    t.ok(distance(times.insertion, hitting.T1) < 1e-14)
    t.ok(distance(times.unmasking, hitting.T2) < 1e-14, "the rules agree where unmasking is linear")
  }
  t.ok(furthest(stratifiedTimes(time.u), time.stratified_eps1e6) < 1e-14)
  for (const rank of [0, 1] as const) {
    const expected = rank === 0 ? time.low_disc_8B.rank0_of2 : time.low_disc_8B.rank1_of2
    t.ok(furthest(times8b(time.u, { lowDiscrepancy: true, rank, world: 2 }), expected) < 1e-14)
  }
  t.same(Array.from(evaluationTimes8b(3)), [0.001, 0.5005, 1], "the last example of the evaluation has t = 1")
  const run = golden<Readonly<Record<string, readonly number[]>>>("times")
  t.ok(furthest(stratifiedTimes(run["u"]!), run["t_F_and_X"]!) < 1e-6)
  t.ok(furthest(times8b(run["u"]!, { lowDiscrepancy: true }), run["t_8B_low_discrepancy_world1"]!) < 1e-6)
  const scaled = golden<Readonly<Record<string, readonly number[]>>>("scaled")
  t.ok(furthest(times8b(scaled["times.iid.u"]!, { lowDiscrepancy: false }), scaled["times.iid.t"]!) < 1e-6)
  t.ok(
    furthest(
      times8b(scaled["times.low_discrepancy.u"]!, { lowDiscrepancy: true }),
      scaled["times.low_discrepancy.t"]!,
    ) < 1e-6,
  )
})

test("shares of absent, masked and clean tokens", async (t) => {
  // Closed form of the linear pair, six digits.
  for (const [time, absent, masked, clean] of [
    [0.25, 0.75, 0.215762, 0.034238],
    [0.5, 0.5, 0.346574, 0.153426],
    [0.75, 0.25, 0.346574, 0.403426],
    [0.9, 0.1, 0.230259, 0.669741],
  ] as const) {
    const shares = stateShares(LINEAR, time)
    t.ok(furthest([shares.absent, shares.masked, shares.clean], [absent, masked, clean]) < 5e-7)
  }
  // The general rule by simulation: 40 000 tokens on a lattice of uniforms, whose error is below 1e-3.
  const joint = { insertion: { kind: "sine" }, unmasking: { kind: "polynomial", exponent: 2 } } as const
  const n = 200
  let [masked, clean] = [0, 0]
  for (let i = 0; i < n * n; i++) {
    const u: readonly [number, number] = [(Math.floor(i / n) + 0.5) / n, ((i % n) + 0.5) / n]
    const times = hittingTimes(joint, u, { offset: 0 })
    if (0.6 >= times.unmasking) clean++
    else if (0.6 >= times.insertion) masked++
  }
  const shares = stateShares(joint, 0.6)
  t.ok(Math.abs(shares.masked - masked / n ** 2) < 2e-3, `${shares.masked} and ${masked / n ** 2}`)
  t.ok(Math.abs(shares.clean - clean / n ** 2) < 2e-3)
})

test("sampling with other schedules than those of training is said", async (t) => {
  t.equal(
    scheduleMismatch(LINEAR, { insertion: { kind: "linear" }, unmasking: { kind: "linear" } }),
    undefined,
  )
  t.match(
    scheduleMismatch({ ...LINEAR, insertion: { kind: "geometric", min: 10, max: 0.01 } }, LINEAR),
    /insertion linear for geometric\(10, 0\.01\)/,
  )
})
