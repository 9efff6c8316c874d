import { test } from "tap"
import { decodeSafetensors } from "../../src/files/safetensors.js"
import { ladderOf, ladderPoints } from "../../src/analysis/ladder.js"
import type { EvaluationSummary } from "../../src/analysis/language-model.js"
import { summarise } from "../../src/evaluators/index.js"
import { isCodeLength } from "../../src/evaluators/summary.js"
import { masked, measure, sharp, SPLIT } from "../evaluators/harness.js"
import { summary as published } from "../report/uniform.js"

const near = (a: number, b: number, tolerance: number): boolean => Math.abs(a - b) <= tolerance

/** Ten windows of 100 bytes whose difficulty grows, scored by a reference and, on the first `count`, by another. */
const windows = (count: number, bitsOf: (w: number) => number): EvaluationSummary["perWindow"] =>
  Array.from({ length: count }, (_, w) => ({ bits: bitsOf(w), bytes: 100, tokens: 40 }))

const summary = (
  evaluation: EvaluationSummary["evaluation"],
  perWindow: EvaluationSummary["perWindow"],
  forwards: number,
): EvaluationSummary => ({
  ...published(1),
  evaluation,
  perWindow,
  forwards,
  bits: perWindow.reduce((sum, { bits }) => sum + bits, 0),
})

const shape = { length: 40, count: 10, alignment: "raw-stream" } as const
const reference = summary(
  { kind: "discrete-elbo", windows: shape, steps: 8, draws: 1, seed: 1 },
  windows(10, (w) => 100 + 20 * w),
  80,
)

test("a rung on fewer windows is carried over by its ratio to the reference", (t) => {
  // A tenth cheaper in every window: 0.9 x 1900 bits / 1000 bytes = 1.71, though its own windows alone give 0.99.
  const fewer = summary(
    { kind: "chain-rule", windows: shape, order: "left-to-right", seed: 1 },
    windows(2, (w) => 0.9 * (100 + 20 * w)),
    80,
  )
  const points = ladderPoints({ evaluations: [reference, fewer] })
  t.ok(near(points[0]!.value, 1.9, 1e-12))
  t.ok(near(points[1]!.value, 1.71, 1e-12), String(points[1]!.value))
  t.match(points, [
    { cost: 8, boundKind: "upper-bound", label: /NELBO T=8 ≤ 1\.900/ },
    { cost: 40, boundKind: "exact", label: /left-to-right NLL \(2 windows\) 1\.710/ },
  ])
  t.end()
})

test("boundary positions are charged; other windows have no place in the picture", (t) => {
  const free = {
    ...reference,
    perWindow: reference.perWindow.map((window) => ({ ...window, boundaryBits: 10 })),
  }
  // 10 bits in each of ten windows of 100 bytes: 0.1 bits/byte.
  t.ok(near(ladderPoints({ evaluations: [free] })[0]!.value, 2, 1e-12))
  const other = { ...reference, perWindow: reference.perWindow.map((each) => ({ ...each, bytes: 99 })) }
  t.equal(ladderPoints({ evaluations: [reference, other] }).length, 1)
  t.equal(ladderOf([{ evaluations: [reference, other] }], []), undefined, "one point is no ladder")
  const plot = ladderOf(
    [{ evaluations: [free, free] }],
    [{ id: "unigram", label: "", bitsPerToken: 8, bitsPerByte: 3 }],
  )
  t.match(plot, { title: /boundary positions charged/, references: [{ name: "unigram 3.000", y: 3 }] })
  t.end()
})

/** The reference of another seed, every window dearer by a factor. */
const seed = (factor: number): EvaluationSummary => ({
  ...reference,
  perWindow: reference.perWindow.map((each) => ({ ...each, bits: factor * each.bits })),
})

test("over seeds a rung is their mean with Student's interval", (t) => {
  const [point] = ladderPoints({
    evaluations: [seed(1)],
    otherSeeds: [[seed(1.1)], [seed(1.2)]],
    series: "model",
  })
  // derived: 1.9 bits/byte x (1, 1.1, 1.2): mean 2.09, sd 0.19, t_2(0.975) = 4.302653 (tables), half width 0.47199
  t.ok(near(point!.value, 2.09, 1e-12))
  t.ok(near(point!.high! - point!.value, (4.302653 * 0.19) / Math.sqrt(3), 1e-6))
  t.ok(near(point!.value - point!.low!, point!.high! - point!.value, 1e-12))
  const several = ladderOf([{ evaluations: [seed(1), seed(1)], otherSeeds: [[seed(1.2), seed(1.2)]] }], [])
  t.match(several?.unit, /mean and 95 % interval over 2 seeds/)
  t.end()
})

test("one measurement of K orders gives the bounds of every smaller power of two, each above the next", async (t) => {
  const experiment = masked("maskable")
  const { tensors, bytes } = await measure(
    experiment,
    sharp(experiment),
    { kind: "importance-weighted", samples: 4, seed: 3 },
    SPLIT,
  )
  t.ok(bytes.length > 0)

  const all = summarise(decodeSafetensors(bytes, "test"), "test", "test").filter(isCodeLength)
  t.same(
    all.map(({ evaluationId }) => evaluationId),
    ["test.k1", "test.k2", "test"],
  )
  // Jensen on disjoint groups of the same orders: in every window, not only in the mean.
  const [one, two, four] = all as [EvaluationSummary, EvaluationSummary, EvaluationSummary]
  one.perWindow.forEach(({ bits }, w) => {
    t.ok(bits >= two.perWindow[w]!.bits - 1e-9 && two.perWindow[w]!.bits >= four.perWindow[w]!.bits - 1e-9)
  })
  // K = 1 is the mean over the orders.
  const nats = tensors["nats"]!.data as Float64Array
  t.ok(near(one.bits, nats.reduce((a, b) => a + b, 0) / 4 / Math.LN2, 1e-6))
  t.equal(one.forwards, four.forwards! / 4)
})
