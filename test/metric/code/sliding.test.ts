import { test } from "tap"
import {
  chunkedWindows,
  repeatedRatio,
  scoredTargets,
  slidingWindows,
  tailRepetitions,
  type ScoredWindow,
  type Tail,
} from "../../../src/metric/code/sliding.js"

const sets = (windows: readonly ScoredWindow[]): readonly (readonly number[])[] =>
  windows.map(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i))

void test("ten and eleven targets, windows of 4 every 2: the three tails", (t) => {
  // By hand from the rules of each tail.
  const shared = [
    [0, 1, 2, 3],
    [4, 5],
    [6, 7],
    [8, 9],
  ]
  t.strictSame(sets(slidingWindows(10, 4, 2, "A")), [...shared, [8, 9]])
  t.strictSame(sets(slidingWindows(10, 4, 2, "B")), [...shared, [8, 9]])
  t.strictSame(sets(slidingWindows(10, 4, 2, "C")), shared)
  t.strictSame(sets(slidingWindows(11, 4, 2, "A")), [...shared, [9, 10], [10]])
  t.strictSame(sets(slidingWindows(11, 4, 2, "B")), [...shared, [9, 10]])
  t.strictSame(sets(slidingWindows(11, 4, 2, "C")), [...shared, [10]])
  t.strictSame(
    slidingWindows(11, 4, 2, "C").map((w) => w.start),
    [0, 2, 4, 6, 8],
  )
  t.end()
})

void test("tail C scores each target once, for any sizes", (t) => {
  for (let targets = 1; targets < 60; targets++)
    for (let length = 1; length < 12; length++)
      for (let stride = 1; stride <= length; stride++) {
        const scored = sets(slidingWindows(targets, length, stride, "C")).flat()
        const every = Array.from({ length: targets }, (_, i) => i)
        if (scored.join() !== every.join()) t.fail(`${targets} targets, length ${length}, stride ${stride}`)
        for (const w of slidingWindows(targets, length, stride, "C"))
          if (w.from < w.start || w.to > w.start + w.inputs) t.fail("a target outside its window")
      }
  t.pass("59 * 66 cases")
  t.end()
})

/** Bytes per token behind printed nats per token and bits per byte. */
const fromLog = (loss: number, bpb: number): number => loss / (Math.LN2 * bpb)

void test("the published ratios of repeated tails", (t) => {
  // parameter-golf, FineWeb SP-1024: 62 021 845 targets hold 151 080 891 bytes; the scored ones are the first
  // 62 021 632 when chunked. Logs 2026-03-19_SlidingWindowEval (L = 1024), 2026-03-20_10L_Int5MLP (L = 2048): nats
  // per token / (ln 2 * bits per byte).
  const targets = 62_021_632
  const bytes = 151_080_363
  t.equal(scoredTargets(chunkedWindows(62_021_845, 1024)), targets)
  for (const [length, loss, bpb] of [
    [1024, 2.01348383, 1.19250007],
    [2048, 1.92987577, 1.14298416],
  ] as const) {
    const ratio = repeatedRatio(bytes, targets, 143, 64, tailRepetitions(length, 64))
    // Eight printed decimals give the ratio to about 3e-8.
    t.ok(Math.abs(ratio - fromLog(loss, bpb)) < 3e-8, `${ratio} against ${fromLog(loss, bpb)}`)
  }
  const windows = slidingWindows(targets, 1024, 64, "A")
  t.equal(scoredTargets(windows), targets + 15 * 64, "tail A scores the last 64 targets 15 times more")
  t.equal(scoredTargets(slidingWindows(targets, 2048, 64, "A")), targets + 31 * 64)
  t.equal(
    scoredTargets(slidingWindows(targets, 1024, 64, "B")),
    targets + 15 * 64,
    "a multiple of the stride",
  )
  t.equal(scoredTargets(slidingWindows(targets, 1024, 64, "C")), targets)
  t.end()
})

void test("chunks, and sizes that make no sense", (t) => {
  t.strictSame(sets(chunkedWindows(7, 3)), [
    [0, 1, 2],
    [3, 4, 5],
  ])
  t.strictSame(chunkedWindows(2, 3), [])
  t.strictSame(sets(slidingWindows(2, 4, 2, "C")), [[0, 1]], "a stream shorter than a window")
  t.throws(() => chunkedWindows(5, 0), /length must be a positive whole number, found 0/)
  t.throws(() => slidingWindows(5, 2, 3, "C" satisfies Tail), /a stride of 3 skips targets/)
  t.throws(() => slidingWindows(5, 2, 1.5, "C"), /stride/)
  t.end()
})
