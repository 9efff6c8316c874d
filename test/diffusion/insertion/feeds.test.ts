/**
 * What training is fed, read back from the feeds alone: the tokens of each clean row differ, so that what stands at a
 * position, or is asked of its MASK, tells where it came from, and with it every gap. Weights are those of the published
 * loss, section by section: hazard of the row's time over (rows x positions). Feeds are float32: 1e-6 relative.
 */
import t from "tap"
import { corruptionStreams } from "../../../src/diffusion/batch.js"
import { insertionBatch, type InsertionObjective } from "../../../src/diffusion/insertion/batch.js"
import { insertionFeeds } from "../../../src/diffusion/insertion/feeds.js"
import type { EndSlot } from "../../../src/diffusion/insertion/interpolant.js"

const [LENGTH, WIDTH, EOS, MASK, PAD] = [12, 14, 30, 31, 32]
const LENGTHS = [12, 9, 1, 12, 7, 11]
const ROWS = LENGTHS.length
const PROMPT = 2

/** Row r holds 0, 1, 2, ...; with an anchor its last token is EOS. */
const rowsOf = (endSlot: EndSlot) => {
  const tokens = new Int32Array(ROWS * LENGTH).fill(PAD)
  const fixed = new Uint8Array(ROWS * LENGTH)
  LENGTHS.forEach((n, r) => {
    for (let i = 0; i < n; i++) {
      const anchor = endSlot === "eos-anchor" && i === n - 1
      tokens[r * LENGTH + i] = anchor ? EOS : i
      fixed[r * LENGTH + i] = anchor || (r % 2 === 0 && i < PROMPT) ? 1 : 0
    }
  })
  return { tokens, fixed, length: LENGTH }
}

const BASE: InsertionObjective = {
  schedules: { insertion: { kind: "sine" }, unmasking: { kind: "linear" } },
  times: "stratified",
  timeMin: 0,
  timeMax: 0.999999,
  targets: "hidden",
  weight: "hazard",
  divisor: "canvas",
  fixed: "none",
}
/** alpha' / (1 - alpha) of alpha = sin(pi t / 2). */
const sine = (x: number): number =>
  ((Math.PI / 2) * Math.cos((Math.PI * x) / 2)) / (1 - Math.sin((Math.PI * x) / 2))
const linear = (x: number): number => 1 / (1 - x)

const CASES: readonly (readonly [string, Partial<InsertionObjective>, number, (x: number) => number])[] = [
  ["canvas", {}, ROWS * LENGTH, linear],
  ["a published constant", { divisor: 1024 }, ROWS * 1024, linear],
  ["8b", { weight: "8b" }, ROWS * LENGTH, (x) => 1 / (1 - x + 1e-6)],
  ["capped", { weightCap: 3 }, ROWS * LENGTH, linear],
]

for (const endSlot of ["extra", "eos-anchor"] as const)
  for (const [name, change, divisor, unmasking] of CASES)
    void t.test(`targets, gaps and weights of a batch: ${endSlot}, ${name}`, async (t) => {
      const objective = { ...BASE, ...change }
      const capped = (x: number): number =>
        Math.min(x, objective.weightCap ?? Number.POSITIVE_INFINITY) / divisor
      let [masks, missing, compared] = [0, 0, 0]
      for (let step = 0; step < 20; step++) {
        const given = rowsOf(endSlot)
        const states = insertionBatch(
          given,
          objective,
          { maskId: MASK, padId: PAD, boundaryId: EOS },
          endSlot,
          corruptionStreams(3),
          { step, micro: 0 },
        )
        const capacity = states.reduce((sum, state) => sum + state.masks.length, 0) + 3
        const feeds = insertionFeeds(
          states,
          { width: WIDTH, capacity },
          { targets: "hidden", endSlot, padId: PAD, classes: EOS + 1 },
        )
        const of = (key: string): ArrayLike<number> => feeds[key]!.data as ArrayLike<number>
        const near = (found: number, wanted: number, what: string): void => {
          compared++
          if (Math.abs(found - wanted) > 1e-6 * Math.max(1e-6, Math.abs(wanted)))
            t.fail(`step ${step}: ${what} is ${found}, not ${wanted}`)
        }
        let k = 0
        LENGTHS.forEach((n, r) => {
          // The times are float32 feeds; near 1 a hazard needs more digits than they have.
          const x = states[r]!.t
          near(of("time")[r]!, x, `time of row ${r}`)
          const sources: number[] = []
          for (let j = 0; j < WIDTH && of("inputIds")[r * WIDTH + j] !== PAD; j++) {
            const id = of("inputIds")[r * WIDTH + j]!
            if (id !== MASK) sources.push(id === EOS ? n - 1 : id)
            else {
              masks++
              t.equal(of("positions")[k], r * WIDTH + j)
              near(of("weights")[k]!, capped(unmasking(x)), `weight of a MASK of row ${r}`)
              sources.push(of("targets")[k++]!)
            }
          }
          const slots = sources.length + (endSlot === "extra" ? 1 : 0)
          t.equal(of("lengths")[r], slots)
          for (let j = 0; j < WIDTH; j++) {
            const gap = j >= slots ? 0 : (sources[j] ?? n) - (sources[j - 1] ?? -1) - 1
            missing += gap
            near(of("gapTargets")[r * WIDTH + j]!, gap, `gap ${j} of row ${r}`)
            near(
              of("gapWeights")[r * WIDTH + j]!,
              j >= slots ? 0 : capped(sine(x)),
              `weight of gap ${j} of row ${r}`,
            )
          }
          const fixed = given.fixed.subarray(r * LENGTH, r * LENGTH + n)
          fixed.forEach((is, i) => {
            if (is === 1)
              t.ok(
                sources.includes(i) &&
                  sources.every((source, j) => source !== i || of("inputIds")[r * WIDTH + j] !== MASK),
                `position ${i} of row ${r} is given`,
              )
          })
        })
        t.ok(
          Array.from(of("weights"))
            .slice(k)
            .every((w) => w === 0),
          "places without a MASK weigh nothing",
        )
      }
      t.ok(masks > 50 && missing > 200 && compared > 1000, `${masks} masks, ${missing} missing tokens`)
    })

void t.test("averaged targets are distributions, and their gaps lose no token", async (t) => {
  const given = rowsOf("extra")
  // Two tokens alone, so that a state lies in its row in many ways.
  const tokens = given.tokens.map((id) => (id === PAD ? PAD : id % 2))
  const states = insertionBatch(
    { ...given, tokens },
    { ...BASE, targets: "averaged" },
    { maskId: MASK, padId: PAD, boundaryId: EOS },
    "extra",
    corruptionStreams(3),
    { step: 0, micro: 0 },
  )
  const capacity = states.reduce((sum, state) => sum + state.masks.length, 0)
  const feeds = insertionFeeds(
    states,
    { width: WIDTH, capacity },
    { targets: "averaged", endSlot: "extra", padId: PAD, classes: 2 },
  )
  const soft = feeds["softTargets"]!.data as Float32Array
  const entropies = feeds["entropies"]!.data as Float32Array
  for (let k = 0; k < capacity; k++) {
    const [p, q] = [soft[2 * k]!, soft[2 * k + 1]!]
    t.ok(Math.abs(p + q - 1) < 1e-6)
    const nats = -[p, q].reduce((sum, each) => sum + (each > 0 ? each * Math.log(each) : 0), 0)
    t.ok(Math.abs(entropies[k]! - nats) < 1e-6)
  }
  const gaps = feeds["gapTargets"]!.data as Float32Array
  LENGTHS.forEach((n, r) => {
    const sum = gaps.subarray(r * WIDTH, (r + 1) * WIDTH).reduce((a, b) => a + b, 0)
    t.ok(Math.abs(sum - (n - states[r]!.tokens.length)) < 1e-5, `${sum} tokens are missing in row ${r}`)
  })
})
