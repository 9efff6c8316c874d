import { test } from "tap"
import {
  batchFeeds,
  CapacityError,
  corruptBatch,
  corruptionStreams,
  gatherFeeds,
  nextTokenFeeds,
  shiftRight,
  type DiffusionObjective,
} from "../../src/diffusion/batch.js"
import { countOfTime, maskByCount, maskByProbability } from "../../src/diffusion/corrupt.js"
import { alpha } from "../../src/diffusion/schedule.js"

const ids = { maskId: 1024, padId: 1025, boundaryId: 1 }
const objective: DiffusionObjective = {
  schedule: { kind: "log-linear", eps: 1e-3 },
  weight: "dsigma",
  times: "antithetic-pairs",
  timeMin: 1e-5,
  timeMax: 1 - 1e-5,
  boundary: "free",
}
const [ROWS, LENGTH] = [8, 64]
/** Row r: 64 - 7r tokens, the last of them a boundary, then PAD. */
const tokens = Int32Array.from({ length: ROWS * LENGTH }, (_, i) => {
  const [r, c] = [Math.floor(i / LENGTH), i % LENGTH]
  const end = LENGTH - 7 * r
  return c < end - 1 ? 2 + ((i * 37) % 1000) : c === end - 1 ? 1 : 1025
})
const streams = corruptionStreams(42)
const place = { step: 3, micro: 1 }
const batch = corruptBatch(tokens, LENGTH, objective, ids, streams, place)

test("the special positions stay visible", async (t) => {
  const rule = { ...ids, boundary: "free" } as const
  t.same(maskByProbability(rule, [5, 1, 1025, 6, 7], 0.5, [0, 0, 0, 0.49, 0.5]), [0, 3])
  t.same(maskByProbability({ ...rule, boundary: "maskable" }, [5, 1, 1025, 6], 1, [0, 0, 0, 0.9]), [0, 1, 3])
  t.same(maskByCount(rule, [5, 1, 1025, 6, 7], 2, [0.9, 0, 0, 0.1, 0.2]), [3, 4])
  t.throws(() => maskByCount(rule, [5, 1], 2, [0, 0]), /cannot mask 2 of 1/)
  for (const p of batch.positions) t.ok(tokens[p] !== 1 && tokens[p] !== 1025, `position ${p}`)
})

test("inputs, targets and positions agree", async (t) => {
  const masked = new Set(batch.positions)
  t.ok(masked.size > 50)
  batch.inputIds.forEach((id, p) => {
    if (id !== (masked.has(p) ? 1024 : tokens[p])) t.fail(`position ${p}`)
  })
  t.same(
    [...batch.targets],
    Array.from(batch.positions, (p) => tokens[p]),
  )
  t.same(
    [...batch.positions],
    [...batch.positions].sort((a, b) => a - b),
  )
})

test("weights are the published ones over the non-PAD positions", async (t) => {
  // parameter-golf PR #1241 mdlm_loss: (1 - eps)/alpha over n_content, boundary tokens counted.
  const content = tokens.filter((id) => id !== 1025).length
  t.equal(batch.divisor, content)
  batch.positions.forEach((p, j) => {
    const time = batch.times[Math.floor(p / LENGTH)]!
    const expected = 0.999 / (1 - 0.999 * time) / content
    if (Math.abs(batch.weights[j]! - expected) > 1e-12 * expected) t.fail(`weight ${j}`)
  })
  t.same(
    [...batch.sigma],
    Array.from(batch.times, (time) => -Math.log1p(-0.999 * time)),
  )
  for (const i of [0, 1, 2]) t.ok(Math.abs(batch.times[i]! + batch.times[5 + i]! - 1) < 1e-12, `pair ${i}`)
})

test("a process that holds some rows draws the same numbers", async (t) => {
  const half = (first: number, count: number) =>
    corruptBatch(tokens.slice(first * LENGTH, (first + count) * LENGTH), LENGTH, objective, ids, streams, {
      ...place,
      firstRow: first,
      microRows: ROWS,
      divisor: batch.divisor,
    })
  const [a, b] = [half(0, 3), half(3, 5)]
  t.same([...a.inputIds, ...b.inputIds], [...batch.inputIds])
  t.same([...a.times, ...b.times], [...batch.times])
  t.same([...a.weights, ...b.weights], [...batch.weights])
  t.same([...a.positions, ...Array.from(b.positions, (p) => p + 3 * LENGTH)], [...batch.positions])
})

test("step, micro-batch, row and seed each change the draw", async (t) => {
  const key = (b: typeof batch): string => b.inputIds.join()
  const others = [
    corruptBatch(tokens, LENGTH, objective, ids, streams, { step: 4, micro: 1 }),
    corruptBatch(tokens, LENGTH, objective, ids, streams, { step: 3, micro: 0 }),
    corruptBatch(tokens, LENGTH, objective, ids, corruptionStreams(43), place),
  ]
  t.equal(new Set([batch, ...others].map(key)).size, 4)
  t.equal(key(corruptBatch(tokens, LENGTH, objective, ids, corruptionStreams(42), place)), key(batch))
})

test("the share of masked tokens is 1 - alpha", async (t) => {
  const long = new Int32Array(20_000).fill(5)
  const one = corruptBatch(long, 20_000, objective, ids, streams, place)
  const p = 1 - alpha(objective.schedule, one.times[0]!)
  const error = Math.abs(one.positions.length / 20_000 - p)
  t.ok(error < 5 * Math.sqrt((p * (1 - p)) / 20_000), `share off by ${error}`)
})

test("the expected loss of a uniform model is the weight's mass times ln V", async (t) => {
  // -ln eps - (1 - eps) = 5.908755 times ln 1024: 40.956371 nats per token as published; 0.999 ln 1024 = 6.924540
  // with the NELBO weight. Stratified times of 4096 rows of 64 tokens: the published weight's per-row deviation is
  // 30.9 but stratification and 64 tokens leave about 0.4 %; 2 % allowed, 1 % for NELBO.
  const rows = 4096
  const plain = new Int32Array(rows * 64).fill(5)
  for (const [weight, expected, allowed] of [
    ["dsigma", 40.956370622451615, 0.02],
    ["nelbo", 6.924540333793853, 0.01],
  ] as const) {
    const o = { ...objective, weight, times: "stratified", timeMin: 0, timeMax: 1 } as const
    const loss =
      corruptBatch(plain, 64, o, ids, streams, place).weights.reduce((s, w) => s + w, 0) * Math.log(1024)
    t.ok(Math.abs(loss / expected - 1) < allowed, `${weight}: ${loss} nats for ${expected}`)
  }
})

test("uniform-k masks exactly k and weighs each row by n / k", async (t) => {
  const b = corruptBatch(tokens, LENGTH, { ...objective, weight: "uniform-k" }, ids, streams, place)
  for (let r = 0; r < ROWS; r++) {
    const maskable = LENGTH - 7 * r - 1
    const k = countOfTime(maskable, b.times[r]!)
    const own = [...b.positions.keys()].filter((j) => Math.floor(b.positions[j]! / LENGTH) === r)
    t.equal(own.length, k, `row ${r}`)
    for (const j of own) {
      if (Math.abs(b.weights[j]! - maskable / k / b.divisor) > 1e-15) t.fail(`weight ${j}`)
    }
    t.ok(Math.abs(b.sigma[r]! + Math.log(Math.max(1e-3, 1 - k / (maskable + 1)))) < 1e-12)
  }
  t.same(
    [0, 0.2, 0.25, 0.999, 1].map((time) => countOfTime(4, time)),
    [1, 1, 2, 4, 4],
  )
  t.equal(countOfTime(0, 0.5), 0)
  const none = corruptBatch(
    new Int32Array(4).fill(1025),
    4,
    { ...objective, weight: "uniform-k" },
    ids,
    streams,
    place,
  )
  t.equal(none.positions.length, 0)
  t.equal(none.divisor, 1)
})

test("feeds are padded to the program's capacity", async (t) => {
  const needed = batch.positions.length
  const feeds = batchFeeds(batch, needed + 5)
  t.same(Object.keys(feeds).sort(), ["inputIds", "positions", "sigma", "slots", "targets", "weights"])
  t.same(feeds["inputIds"]!.shape, [ROWS, LENGTH])
  for (const name of ["positions", "targets", "weights"]) {
    t.equal(feeds[name]!.data.length, needed + 5)
    t.same(Array.from(feeds[name]!.data).slice(needed), [0, 0, 0, 0, 0], `${name} ends in zeros`)
  }
  t.same(Array.from(feeds["weights"]!.data).slice(0, needed), Array.from(batch.weights, Math.fround))
  t.ok(feeds["weights"]!.data instanceof Float32Array && feeds["positions"]!.data instanceof Int32Array)
  try {
    batchFeeds(batch, needed - 1)
    t.fail("no error")
  } catch (error) {
    t.ok(error instanceof CapacityError)
    t.equal((error as CapacityError).needed, needed)
    t.equal((error as CapacityError).capacity, needed - 1)
  }
})

test("slots invert positions", async (t) => {
  const feeds = gatherFeeds(Int32Array.of(1, 4), 3, 6)
  t.same([...feeds["positions"]!.data], [1, 4, 0])
  t.same([...feeds["slots"]!.data], [3, 0, 3, 3, 1, 3])
})

test("next-token feeds", async (t) => {
  const rows = Int32Array.of(5, 6, 1, 7, 1, 1025)
  const inputs = shiftRight(rows, 3, 1)
  t.same([...inputs], [1, 5, 6, 1, 7, 1])
  const feeds = nextTokenFeeds(inputs, rows, 3, 1025)
  t.same([...feeds["targets"]!.data], [5, 6, 1, 7, 1, 0])
  t.same([...feeds["weights"]!.data], [...Float32Array.of(0.2, 0.2, 0.2, 0.2, 0.2, 0)])
  t.same(feeds["inputIds"]!.shape, [2, 3])
  t.equal(nextTokenFeeds(inputs, rows, 3, 1025, 10)["weights"]!.data[0], Math.fround(0.1))
  t.throws(() => shiftRight(rows, 4, 1), /not whole rows of 4/)
})
