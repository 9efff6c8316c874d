/** The network without a fault of one text, by hand, and what samplers make of it. */
import t from "tap"
import { exactLengthChance } from "../../src/diffusion/insertion/ceiling.js"
import { LINEAR } from "../../src/diffusion/insertion/schedule.js"
import { stream } from "../../src/diffusion/philox.js"
import { EVENT_DEFAULTS, eventTexts } from "../../src/samplers/flexmdm/events.js"
import { knownForward } from "../../src/samplers/flexmdm/known.js"
import { leapTexts, type FlexJob, type LeapSettings } from "../../src/samplers/flexmdm/leap.js"

t.setTimeout(120_000)

const [PAD, MASK, BOS, EOS] = [0, 1, 2, 3]
const TEXT = [9, 5, 7, 5, 20, 11, 8, 30, 6]
const known = (text: readonly number[]) =>
  knownForward({ tokens: [BOS, ...text, EOS], prefix: 1, suffix: 1, maskId: MASK })

void t.test("gaps and tokens of a state are the means over the places where it may lie", async (t) => {
  // b M c of the text a b c d c, whose places are b at 1, and (MASK, c) at (2, 4) or (3, 4), both as probable.
  const tokens = Int32Array.of(BOS, 41, MASK, 42, EOS)
  const pass = await known([40, 41, 42, 43, 42]).forward([{ tokens, t: 0.5 }])
  const [gaps] = pass.gaps
  t.same([...(gaps as Float64Array)], [0, 1, 0.5, 0.5, 0, 0], "before each token, and behind the end")
  const at = { row: 0, position: 2 }
  t.same([...(await pass.probability([at], 42))], [0.5])
  t.same([...(await pass.probability([at], 43))], [0.5])
  t.same([...(await pass.probability([at], 40))], [0], "not there")
  t.same([...(await pass.probability([at], 77))], [0], "not of the text")
  const draw = (uniform: number, temperature: number, banned: readonly number[] = []) =>
    pass.draw([{ ...at, uniform }], { temperature, topP: 1, banned })
  t.same(await draw(0.49, 1), { tokens: Int32Array.of(42), probabilities: Float64Array.of(0.5) })
  t.equal((await draw(0.51, 1)).tokens[0], 43)
  t.equal((await draw(0.9, 0)).tokens[0], 42, "of equals the first")
  t.same(await draw(0.1, 1, [MASK, 42]), { tokens: Int32Array.of(43), probabilities: Float64Array.of(1) })
  t.same([...(await pass.confidence([at], "prob_diff", { of: "logits" }, []))], [0])
  t.same([...(await pass.confidence([at], "prob_diff", { of: "logits" }, [42]))], [1])
  t.end()
})

void t.test("a state that is not of the text misses nothing", async (t) => {
  const tokens = Int32Array.of(BOS, 42, 41, MASK, EOS)
  const pass = await known([40, 41, 42]).forward([{ tokens, t: 0.5 }])
  t.same([...(pass.gaps[0] as Float64Array)], [0, 0, 0, 0, 0, 0])
  t.same(
    [...(await pass.probability([{ row: 0, position: 3 }], 41))].map((p) => p.toFixed(12)),
    [(1 / 3).toFixed(12)],
  )
  t.end()
})

const job = (text: readonly number[], seed: number): FlexJob => ({
  forward: known(text),
  source: stream(seed, "sample"),
  model: { schedules: LINEAR, padId: PAD, maskId: MASK, canvas: 24, anchored: true },
})
const starts = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ index, prefix: [BOS], suffix: [EOS] }))
const exactOf = (rows: readonly { readonly row: Int32Array }[], text: readonly number[]): number =>
  rows.filter(({ row }) => row.filter((token) => token !== PAD).join() === [BOS, ...text, EOS].join()).length

void t.test("from event to event it writes its text every time", async (t) => {
  for (const temperature of [0, 1]) {
    const settings = { ...EVENT_DEFAULTS, choice: { temperature, topP: 1 } }
    const made = await eventTexts(starts(200), settings, job(TEXT, 3))
    t.equal(exactOf(made, TEXT), 200, `temperature ${temperature}`)
    t.equal(
      made.reduce((sum, { violations }) => sum + violations, 0),
      0,
    )
  }
  t.end()
})

const steps = (changes: Partial<LeapSettings>): LeapSettings => ({
  steps: 2,
  grid: "even",
  unmasking: { kind: "leap", fire: "exactly-one" },
  insertion: "poisson",
  overflow: "cancel",
  last: "argmax",
  choice: { temperature: 0, topP: 1 },
  specials: "excluded",
  ...changes,
})

void t.test("in two steps nothing is revealed before the end: exact where the length is", async (t) => {
  for (const text of [TEXT.slice(0, 1), TEXT.slice(0, 3)]) {
    const rows = 3000
    const share = exactOf(await leapTexts(starts(rows), steps({}), job(text, 4)), text) / rows
    const chance = exactLengthChance(text.length, {
      grid: "even",
      steps: 2,
      rule: "poisson",
      schedule: LINEAR.insertion,
    })
    // Four standard errors.
    t.ok(Math.abs(share - chance) < 4 * Math.sqrt((chance * (1 - chance)) / rows), `${share}, ${chance}`)
  }
  t.end()
})

void t.test(
  "with more steps it is exact less often than its length could be, and seldom far less",
  async (t) => {
    const confident = {
      kind: "confidence",
      by: "prob_diff",
      hazard: false,
      ranking: "logits",
      tokens: "argmax",
    } as const
    for (const unmasking of [steps({}).unmasking, confident]) {
      const [rows, count] = [300, 128]
      const made = await leapTexts(starts(rows), steps({ steps: count, unmasking }), job(TEXT, 5))
      const share = exactOf(made, TEXT) / rows
      const chance = exactLengthChance(TEXT.length, {
        grid: "even",
        steps: count,
        rule: "poisson",
        schedule: LINEAR.insertion,
      })
      const error = 4 * Math.sqrt((chance * (1 - chance)) / rows)
      // A token that is revealed divides the row, and a part that has one too many cannot be mended by another: each of L
      // tokens alone has the chance of one token.
      const apart = exactLengthChance(1, {
        grid: "even",
        steps: count,
        rule: "poisson",
        schedule: LINEAR.insertion,
      })
      t.ok(share < chance + error, `${unmasking.kind}: ${share}, at most ${chance}`)
      t.ok(
        share > apart ** TEXT.length - error,
        `${unmasking.kind}: ${share}, at least ${apart ** TEXT.length}`,
      )
    }
    t.end()
  },
)
