import t from "tap"
import { blocksOf } from "../../../src/samplers/masked/blocks.js"
import { sampleTexts } from "../../../src/samplers/masked/sample.js"
import { bannedIds, checkSettings } from "../../../src/samplers/masked/settings.js"
import { frequencyEntropy, unigramEntropy } from "../../../src/metric/samples/unigram-entropy.js"
import { hostChooser, ruleOf } from "./host.js"
import { MODEL, SETTINGS, toyPredictor } from "./toy.js"

const near = (a: number, b: number): boolean => Math.abs(a - b) < 1e-14

void t.test("unigram entropy", (t) => {
  t.ok(near(frequencyEntropy([1, 2, 3, 4]), Math.log(4)), "four different tokens")
  t.equal(frequencyEntropy([5, 5, 5]), 0)
  t.equal(frequencyEntropy([]), 0)
  // Frequencies 1/2, 1/4, 1/4: 1.5 bits (by hand).
  t.ok(near(frequencyEntropy([7, 7, 8, 9]) / Math.LN2, 1.5))
  const { perText, pooled } = unigramEntropy([[1, 1], [2, 2], []])
  t.equal(perText, 0, "each text repeats itself")
  t.ok(near(pooled / Math.LN2, 1), "two texts of one token each: 1 bit together")
  t.end()
})

void t.test("every setting is checked with a sentence", (t) => {
  const wrong = (over: Partial<typeof SETTINGS>, model: Partial<typeof MODEL>, pattern: RegExp): void => {
    t.throws(() => checkSettings({ ...SETTINGS, ...over }, { ...MODEL, ...model }), pattern)
  }
  wrong({ count: 0 }, {}, /count: expected a whole number of at least 1, found 0/)
  wrong({ length: 2.5 }, {}, /length: expected a whole number/)
  wrong({ steps: -1 }, {}, /steps: .* found -1/)
  wrong({ seed: -1 }, {}, /seed: .* at least 0/)
  wrong({ block: 0 }, {}, /block: .* at least 1/)
  wrong({ temperature: -0.1 }, {}, /temperature: .* found -0.1; 0 takes the most probable/)
  wrong({ temperature: Number.NaN }, {}, /temperature/)
  for (const topP of [0, -1, 1.01, Number.NaN])
    wrong({ topP }, {}, /top-p: expected a number above 0 and at most 1/)
  wrong({ prefix: [0, 1], suffix: [2] }, {}, /the prompt takes 3 tokens and a text of 3 leaves no room/)
  wrong({ length: 4 }, {}, /length: 4 is more than the 3 tokens .* give a block/)
  wrong({ length: 4, block: 3 }, {}, /block: 3 tokens leave no context in a window of 3/)
  wrong({ length: 4, block: 1, suffix: [1] }, {}, /with a suffix at most the 3 tokens/)
  wrong({ sampler: "left-to-right", block: 2 }, {}, /one token at a time/)
  wrong({}, { kind: "causal" }, /samples left-to-right; leave out the sampler ancestral/)
  wrong({ sampler: "left-to-right", block: 2 }, { kind: "causal" }, /leave out the block/)
  wrong({ sampler: "left-to-right", suffix: [1] }, { kind: "causal" }, /cannot see what follows/)
  t.doesNotThrow(() => checkSettings({ ...SETTINGS, length: 9, block: 2 }, MODEL))
  t.doesNotThrow(() =>
    checkSettings({ ...SETTINGS, length: 9, sampler: "left-to-right" }, { ...MODEL, kind: "causal" }),
  )
  t.same(bannedIds(MODEL), [3, 4])
  t.same(bannedIds({ ...MODEL, boundary: "free" }), [3, 4, 5])
  t.end()
})

void t.test("blocks: where they lie, what they see, how steps are shared", (t) => {
  const model = { ...MODEL, window: 8 }
  const blocks = blocksOf({ ...SETTINGS, length: 12, steps: 6, block: 4, prefix: [0, 1] }, model)
  t.same(
    blocks.map(({ from, to, start, steps, stepsBefore, later }) => [
      from,
      to,
      start,
      steps,
      stepsBefore,
      later,
    ]),
    [
      [2, 6, 0, 2, 0, 2],
      [6, 10, 2, 2, 2, 0],
      [10, 12, 4, 2, 4, 0],
    ],
    "4, 4 and 2 of 10 tokens take floor(2.4), floor(4.8) - 2 and the rest of 6 steps; the window slides",
  )
  const few = blocksOf({ ...SETTINGS, length: 8, steps: 1, block: 2 }, model)
  t.same(
    few.map(({ steps, stepsBefore }) => [steps, stepsBefore]),
    [
      [1, 0],
      [1, 1],
      [1, 2],
      [1, 3],
    ],
  )
  const [one] = blocksOf(
    { ...SETTINGS, length: 8, prefix: [5, 1], suffix: [5] },
    { ...model, boundary: "free" },
  )
  t.same([one!.from, one!.to, one!.maskable], [2, 7, 6], "given boundaries are not among the maskable")
  t.end()
})

/** Visible shares exp(-sigma) of the rows a text asks for. */
const levels = async (over: Partial<typeof SETTINGS>): Promise<readonly number[]> => {
  const predictor = toyPredictor()
  const settings = { ...SETTINGS, cache: false, ...over }
  const chooser = hostChooser(predictor, ruleOf(settings, MODEL))
  await sampleTexts({ chooser, model: MODEL, settings })
  return predictor.rows.map(({ sigma }) => Math.exp(-sigma))
}

void t.test("noise levels: the schedule's own, or that of the share that is masked", async (t) => {
  const expect = (found: readonly number[], shares: readonly number[]): void => {
    t.ok(found.length === shares.length && shares.every((share, i) => near(found[i]!, share)), found.join())
  }
  // alpha(k / 3) = 1 - 0.999 k / 3 for k = 3, 2, 1.
  expect(await levels({}), [0.001, 0.334, 0.667])
  // One of three given: masked on average (2/3) 0.999 k / 2.
  expect(await levels({ prefix: [0], steps: 2 }), [1 - 0.666, 1 - 0.333])
  // Confidence: visible share 1 - masked / (maskable + 1) with 3, 2, 1 masked.
  expect(await levels({ sampler: "confidence" }), [0.25, 0.5, 0.75])
  expect(await levels({ sampler: "left-to-right" }), [0.25, 0.5, 0.75])
})
