/**
 * Mutations of FlexMDM's loss and samplers: the checks that hold the true functions fail for each wrong one. Expected values
 * are the worked examples of the reference (test/diffusion/insertion/golden/README.md) or closed forms stated beside them.
 */
import { test } from "tap"
import { bregman, batchLoss, rowLoss, rowWeights, type RowLoss } from "../../src/diffusion/insertion/loss.js"
import { gapsOf, type EndSlot } from "../../src/diffusion/insertion/interpolant.js"
import { fireChance, insertShare } from "../../src/diffusion/insertion/leap.js"
import { hazardAt, type JointSchedule } from "../../src/diffusion/insertion/schedule.js"
import { chooseToken } from "../../src/samplers/choice.js"
import { insertMasks } from "../../src/samplers/flexmdm/insert.js"

const linear: JointSchedule = { insertion: { kind: "linear" }, unmasking: { kind: "linear" } }

/** Whether a check holds of a function: no exception, and true. */
type Check<F> = (f: F) => boolean

const near = (found: number, expected: number, tolerance = 1e-9): boolean =>
  Math.abs(found - expected) <= tolerance * Math.max(1, Math.abs(expected))

/** Each mutant fails the check that the function passes. */
const caught = <F>(name: string, truth: F, mutants: Readonly<Record<string, F>>, check: Check<F>): void => {
  test(name, (t) => {
    t.ok(check(truth), "the function itself passes")
    for (const [mutation, mutant] of Object.entries(mutants)) t.notOk(check(mutant), mutation)
    t.end()
  })
}

// Vector A at t = .5: cross-entropy ln 4 at one mask, gaps [0, 1, 1, 0], predictions [.5, 1, 2, 1e-9]; unmask 2 ln 4,
// insert 1.6136773942, over 8 positions .3465735903 and .2017096743.
const example = { crossEntropies: [Math.log(4)], gaps: [0, 1, 1, 0], predicted: [0.5, 1, 2, 1e-9] }

caught<(t: number) => { readonly unmask: number; readonly insert: number }>(
  "hazards of the loss",
  (t) => rowWeights(linear, t),
  {
    "hazard dropped": () => ({ unmask: 1, insert: 1 }),
    "hazard of insertion dropped": (t) => ({ ...rowWeights(linear, t), insert: 1 }),
    "time in place of what is left": (t) => ({ unmask: 1 / t, insert: 1 / t }),
  },
  (weights) =>
    [0.25, 0.5, 0.9].every(
      (t) => near(weights(t).unmask, 1 / (1 - t)) && near(weights(t).insert, 1 / (1 - t)),
    ),
)

caught<(x: number, y: number) => number>(
  "divergence of gaps",
  bregman,
  {
    "arguments exchanged": (x, y) => bregman(y, x),
    "off by one": (x, y) => bregman(x + 1, y),
    "squared error": (x, y) => (x - y) ** 2,
    "without its linear part": (x, y) => bregman(x, y) - (y - x),
  },
  // Vector D.
  (f) =>
    near(f(0, 0.5), 0.4999858776) &&
    near(f(1, 1), 0) &&
    near(f(1, 2), 0.3068528194) &&
    near(f(3, 0), 41.7423695399) &&
    near(f(2, 0.5), 1.2725887222),
)

caught<(terms: typeof example, t: number) => RowLoss>(
  "loss of a row",
  (terms, t) => rowLoss({ ...terms, weights: rowWeights(linear, t) }),
  {
    "gaps shifted by a slot": ({ gaps, ...terms }, t) =>
      rowLoss({ ...terms, gaps: [...gaps.slice(1), 0], weights: rowWeights(linear, t) }),
    "the last slot forgotten": ({ gaps, predicted, ...terms }, t) =>
      rowLoss({
        ...terms,
        gaps: gaps.slice(1),
        predicted: predicted.slice(1),
        weights: rowWeights(linear, t),
      }),
    "weights dropped": (terms) => rowLoss({ ...terms, weights: { unmask: 1, insert: 1 } }),
  },
  (loss) => near(loss(example, 0.5).unmask, 2.7725887222) && near(loss(example, 0.5).insert, 1.6136773942),
)

caught<(row: RowLoss, positions: number) => number>(
  "normaliser",
  (row, positions) => batchLoss([row], positions).total,
  {
    "masks alone": (row) => batchLoss([row], 1).total,
    "tokens alone, without PAD": (row) => batchLoss([row], 5).total,
    "rows forgotten": (row, positions) => 2 * batchLoss([row, row], positions).total,
  },
  (total) => near(total({ unmask: 2.7725887222, insert: 1.6136773942 }, 8), 0.3465735903 + 0.2017096743),
)

const ids = { padId: 0, maskId: 1 }

caught<(source: readonly number[], length: number, end: EndSlot) => ArrayLike<number>>(
  "gaps of the survivors",
  gapsOf,
  {
    "off by one in slots": (source, length, end) => Array.from(gapsOf(source, length, end), (gap) => gap + 1),
    "gap shifted": (source, length, end) => {
      const [first, ...rest] = gapsOf(source, length, end)
      return [...rest, first!]
    },
    "end slot forgotten": (source, length, end) => Array.from(gapsOf(source, length, end)).slice(0, -1),
    "distances without the minus one": (source, length, end) =>
      Array.from(gapsOf(source, length, end), (gap, j) => (j === 0 ? gap : gap + 1)),
  },
  (gaps) => {
    // Vectors A (t = .5: survivors 0, 2, 4 of 5 tokens) and C (t = .5, an anchor at 4).
    const extra = Array.from(gaps([0, 2, 4], 5, "extra"))
    const anchored = Array.from(gaps([0, 2, 4], 5, "eos-anchor"))
    return extra.join() === "0,1,1,0" && anchored.join() === "0,1,1"
  },
)

caught<(t: number, dt: number) => number>(
  "chance that a mask is revealed",
  (t, dt) => fireChance("survival", linear.unmasking, t, dt),
  {
    "hazard dropped": (_t, dt) => dt,
    "two events cancel": (t, dt) => fireChance("exactly-one", linear.unmasking, t, dt),
    "hazard at the end of the step": (t, dt) => Math.min(1, hazardAt(linear.unmasking, t + dt) * dt),
  },
  // What is left after N steps of dt = 1/N is 1 - t: the product of survivals telescopes.
  (chance) => {
    let left = 1
    for (let i = 0; i < 15; i++) left *= 1 - chance(i / 16, 1 / 16)
    return near(left, 1 / 16)
  },
)

caught<(t: number, dt: number) => number>(
  "share of the missing tokens that arrive",
  (t, dt) => insertShare("survival", linear.insertion, t, dt),
  {
    "hazard dropped": (_t, dt) => dt,
    "of the whole length, not of what is missing": (t, dt) => dt * (1 - t),
  },
  (share) => {
    let missing = 1
    for (let i = 0; i < 31; i++) missing *= 1 - share(i / 32, 1 / 32)
    return near(missing, 1 / 32)
  },
)

caught<(row: Int32Array, counts: readonly number[]) => Int32Array>(
  "masks are inserted before their tokens",
  (row, counts) => insertMasks(row, counts, { ...ids, prefix: 0, suffix: 0, anchored: false }, "cancel").row,
  {
    "off by one in slots": (row, counts) =>
      insertMasks(
        row,
        [0, ...counts.slice(0, -1)],
        { ...ids, prefix: 0, suffix: 0, anchored: false },
        "cancel",
      ).row,
    "beyond the canvas": (row, counts) =>
      insertMasks(
        row,
        counts.map((count) => 2 * count),
        { ...ids, prefix: 0, suffix: 0, anchored: false },
        "fill",
      ).row,
    "an anchor where there is none": (row, counts) =>
      insertMasks(row, counts, { ...ids, prefix: 0, suffix: 1, anchored: true }, "cancel").row,
  },
  // Vector G: [5, 6, 7] with counts [1, 0, 2, 1] in eight places.
  (insert) => insert(Int32Array.of(5, 6, 7, 0, 0, 0, 0, 0), [1, 0, 2, 1]).join() === "1,5,6,1,1,7,1,0",
)

caught<(logits: readonly number[], uniform: number) => number>(
  "MASK and PAD are never drawn",
  (logits, uniform) => chooseToken(logits, { temperature: 1, topP: 1, banned: [0, 1] }, uniform),
  {
    "PAD allowed": (logits, uniform) =>
      chooseToken(logits, { temperature: 1, topP: 1, banned: [1] }, uniform),
    "MASK allowed": (logits, uniform) =>
      chooseToken(logits, { temperature: 1, topP: 1, banned: [0] }, uniform),
    "greedy over everything": (logits, uniform) =>
      chooseToken(logits, { temperature: 0, topP: 1, banned: [] }, uniform),
  },
  (choose) => {
    // PAD and MASK are the most probable by far; of the others 2 has 1/4 and 3 has 3/4 of what is left.
    const logits = [9, 8, 0, Math.log(3)]
    const drawn = Array.from({ length: 400 }, (_, i) => choose(logits, (i + 0.5) / 400))
    return drawn.every((token) => token >= 2) && drawn.filter((token) => token === 2).length === 100
  },
)
