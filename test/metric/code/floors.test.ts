import { test } from "tap"
import {
  bigramFloor,
  compressedBitsPerByte,
  FloorCounts,
  floorVerdict,
  trigramFloor,
  uniformFloor,
  unigramFloor,
  type FloorInput,
} from "../../../src/metric/code/floors.js"
import { bootstrapRatio, quantile } from "../../../src/metric/statistics/bootstrap.js"

const close = (a: number, b: number): boolean => Math.abs(a - b) < 1e-12
const train = Uint16Array.of(0, 1, 0, 1, 0, 2, 1, 1)
const input = (score: readonly number[], previous: readonly number[] = []): FloorInput => ({
  train,
  score: Uint16Array.from(score),
  previous,
  vocabSize: 3,
})

void test("floors worked out by hand on eight tokens of three kinds", (t) => {
  t.ok(close(uniformFloor(1024), 10))
  // Counts 3, 4, 1 plus one each: 4/11, 5/11, 2/11.
  const p = [4 / 11, 5 / 11, 2 / 11]
  t.ok(close(unigramFloor(input([0, 1, 2])).bits, -Math.log2(p[0]! * p[1]! * p[2]!)))
  // Bigrams 01 10 01 10 02 21 11: after 0 there are three (two distinct), after 1 three (0 twice, 1 once).
  const after0 = (y: number): number => ([0, 2, 1][y]! + 2 * p[y]!) / 5
  const after1 = (y: number): number => ([2, 1, 0][y]! + 2 * p[y]!) / 5
  t.ok(close(bigramFloor(input([1, 0, 2], [0])).bits, -Math.log2(after0(1) * after1(0) * after0(2))))
  t.ok(close(bigramFloor(input([1])).bits, -Math.log2(p[1]!)), "without context: the unigram")
  // After 0 1: 0 twice (one distinct), so (2 + 1 * p(0|1)) / 3.
  t.ok(close(trigramFloor(input([0], [0, 1])).bits, -Math.log2((2 + after1(0)) / 3)))
  t.ok(
    close(trigramFloor(input([2], [2, 2])).bits, -Math.log2(p[2]! / 2)),
    "2 2 is unseen; after 2 one token was seen, another one: (0 + 1 * p) / 2",
  )
  t.end()
})

void test("every floor is a probability: over all continuations it sums to one", (t) => {
  for (const floor of [unigramFloor, bigramFloor, trigramFloor]) {
    for (const previous of [[], [1], [0, 1], [2, 1], [2, 2]]) {
      const sum = [0, 1, 2].reduce((total, token) => total + 2 ** -floor(input([token], previous)).bits, 0)
      t.ok(close(sum, 1), `${floor.name} after ${previous.join(" ")}`)
    }
  }
  t.end()
})

void test("a stream counted in parts has the floors of the whole, to the last bit", (t) => {
  const scored = input([1, 0, 2, 0, 1], [0, 1])
  for (const cuts of [[0], [1], [4], [0, 0, 1, 2, 7, 8], [1, 2, 3, 4, 5, 6, 7]]) {
    const counts = new FloorCounts(scored, 3)
    for (const [i, cut] of [...cuts, train.length].entries())
      counts.add(train.subarray(i === 0 ? 0 : cuts[i - 1], cut))
    const bits = [counts.unigram(), counts.bigram(), counts.trigram()].map((each) =>
      each.reduce((sum, one) => sum + one, 0),
    )
    const whole = [unigramFloor, bigramFloor, trigramFloor].map((floor) => floor(scored).bits)
    t.same(bits, whole, `cut at ${cuts.join(" ")}`)
  }
  t.throws(() => new FloorCounts(scored, 2).trigram(), { message: /no triples/ })
  t.end()
})

void test("labels and compressors", (t) => {
  t.equal(floorVerdict(9.51, 8.65), "untrained", "the published head-count ablation against its unigram")
  t.equal(floorVerdict(4.26, 8.65), "trained")
  t.equal(compressedBitsPerByte(100, 400), 2)
  t.end()
})

void test("bootstrap of a ratio of sums", (t) => {
  const pairs = Array.from({ length: 200 }, (_, i) => ({
    numerator: 10 + ((i * 37) % 11),
    denominator: 4 + ((i * 17) % 3),
  }))
  const result = bootstrapRatio(pairs)
  const ratio = pairs.reduce((s, p) => s + p.numerator, 0) / pairs.reduce((s, p) => s + p.denominator, 0)
  t.equal(result.estimate, ratio)
  t.ok(result.low < ratio && ratio < result.high)
  // Delta method for a ratio estimator: sd of (numerator - ratio * denominator) / (mean denominator * sqrt n).
  const residuals = pairs.map((p) => p.numerator - ratio * p.denominator)
  const sd = Math.sqrt(residuals.reduce((s, r) => s + r * r, 0) / (pairs.length - 1))
  const delta = sd / (pairs.reduce((s, p) => s + p.denominator, 0) / pairs.length) / Math.sqrt(pairs.length)
  // 2000 resamples give the standard error to about 1/sqrt(2 * 2000) = 1.6 %; 8 % is five of those.
  t.ok(Math.abs(result.standardError / delta - 1) < 0.08, `${result.standardError} against ${delta}`)
  t.same(bootstrapRatio(pairs), result, "the same interval every time")
  t.throws(() => bootstrapRatio(pairs.slice(0, 1)), /two windows at least/)
  t.equal(quantile([1, 2, 3, 4], 0.5), 2.5)
  t.end()
})
