/** Expected values are worked out by hand beside each assertion; the windows are chosen so that they can be. */
import { test, type Test } from "tap"
import type { EvaluationSummary, FloorSummary } from "../../src/analysis/language-model.js"
import type { ItemSummary } from "../../src/evaluators/summary.js"
import { gradedMeaning, sampleContract } from "../../src/evaluators/samples/figures.js"
import { renderTable, TABLE_FORMATS } from "../../src/report/render/index.js"
import { buildSweepTable, type SweepPoint, type SweepTableInput } from "../../src/analysis/sweep-table.js"
import { TableError, type ResultsTable, type TableRow } from "../../src/analysis/table.js"

const WINDOWS = 20

/** 20 windows of 50 tokens and 100 bytes; window w has `bitsPerByte` bits a byte, 0.1 more or less in turn. */
const summary = (bitsPerByte: number, kind: "bound" | "exact" = "bound"): EvaluationSummary => {
  const windows = { length: 50, count: WINDOWS, alignment: "raw-stream" } as const
  const perWindow = Array.from({ length: WINDOWS }, (_, w) => ({
    bits: 100 * (bitsPerByte + (w % 2 === 0 ? 0.1 : -0.1)),
    bytes: 100,
    tokens: 50,
  }))
  return {
    evaluationId: "one",
    evaluation:
      kind === "bound"
        ? { kind: "discrete-elbo", steps: 8, draws: 1, seed: 0, windows }
        : { kind: "chain-rule", order: "left-to-right", seed: 0, windows },
    context: {
      dataset: "synthetic",
      split: "validation",
      tokenizer: { id: "sp1024" },
      boundary: "maskable",
      eps: 1e-3,
    },
    bits: perWindow.reduce((sum, { bits }) => sum + bits, 0),
    terminalBits: 0,
    tokens: 50 * WINDOWS,
    maskableTokens: 50 * WINDOWS,
    bytes: 100 * WINDOWS,
    perWindow,
    boundaryTokens: 0,
    boundaryBits: null,
  }
}

/** Two bytes a token, so the unigram stands at 4 bits a byte. */
const floors: readonly FloorSummary[] = [
  { id: "uniform", label: "uniform", bitsPerToken: 10, bitsPerByte: 5 },
  { id: "unigram", label: "unigram", bitsPerToken: 8, bitsPerByte: 4 },
  { id: "bigram", label: "bigram", bitsPerToken: 6, bitsPerByte: 3 },
  { id: "xz", label: "xz -9e", bitsPerToken: null, bitsPerByte: 2.5 },
]

const point = (name: string, values: readonly number[], kind?: "bound" | "exact"): SweepPoint => ({
  name,
  parameters: 1000,
  seeds: values.map((value, seed) => ({
    seed,
    run: `run-${name}-${seed}`,
    evaluations: [summary(value, kind)],
    floors,
  })),
})

const input = (points: readonly SweepPoint[], change: Partial<SweepTableInput> = {}): SweepTableInput => ({
  experiment: "ablation",
  title: "Ablation",
  profile: "ci",
  streams: "paired",
  differences: [],
  points,
  neighbours: points.slice(1).map(({ name }, i) => [points[i]!.name, name] as const),
  missing: [],
  ...change,
})

const row = ({ rows }: ResultsTable, id: string): TableRow => {
  const found = rows.find((each) => each.id === id)
  if (found === undefined) throw new Error(`no row ${id}: ${rows.map((each) => each.id).join(", ")}`)
  return found
}

const near = (t: Test, found: number | null | undefined, wanted: number, what: string): void => {
  t.ok(typeof found === "number" && Math.abs(found - wanted) < 1e-9, `${what}: ${found}, not ${wanted}`)
}

test("means, intervals and differences over three shared seeds, by hand", async (t) => {
  const { table, comparisons } = buildSweepTable(
    input([point("h=2", [2, 2.2, 2.4]), point("h=4", [2.1, 2.4, 2.5]), point("h=8", [3, 3.1, 3.5])]),
  )
  const mean = row(table, "h=2/one/bits-per-byte")
  near(t, mean.value, 2.2, "mean")
  // Deviation 0.2, standard error 0.2 / sqrt 3, t quantile 0.975 with 2 degrees 4.302652729911275 (tabled).
  near(t, mean.interval?.low, 2.2 - (4.302652729911275 * 0.2) / Math.sqrt(3), "interval")
  t.equal(mean.interval?.method, "Student t over 3 seeds")
  t.equal(mean.boundKind, "upper-bound", "a mean of bounds is a bound")
  t.equal(mean.group, "result")
  // The ratio's bootstrap: windows differ by 0.1 either way, standard error 0.1 / sqrt 20 = 0.0224.
  t.match(
    mean.notes.join(" "),
    /Seeds 0, 1, 2: window-bootstrap standard error 0\.02\d, 0\.02\d, 0\.02\d bits\/byte; runs run-h=2-0, run-h=2-1/,
  )
  near(t, row(table, "h=2/one/bits-per-token").value, 4.4, "two bytes a token")
  const seed = row(table, "h=8/seed-1/one/bits-per-byte")
  near(t, seed.value, 3.1, "one seed")
  t.equal(seed.group, "seed")
  t.equal(row(table, "parameters").value, 1000)

  const difference = row(table, "h=2-h=4/one/difference")
  near(t, difference.value, -4 / 30, "difference")
  near(
    t,
    difference.interval?.high,
    -4 / 30 + 4.302652729911275 / 30,
    "paired t: deviation of -0.1, -0.2, -0.1",
  )
  t.equal(difference.boundKind, "estimate", "the difference of two bounds bounds nothing")
  t.equal(difference.mark, null, "p = 1 - 4 / sqrt 18 = 0.057")
  t.match(
    difference.notes[0],
    /^Paired t test over 3 seeds .*: t\(2\) = -4\.00, p = 0\.057; Holm over 3 pairs: p = 0\.057/,
  )
  t.match(difference.notes[1], /^Over the same 20 windows and masks/)
  const far = row(table, "h=2-h=8/one/difference")
  // Differences -1, -0.9, -1.1: t = -10 sqrt 3 = -17.32, p = 1 - 17.32 / sqrt(302) = 0.00332, times 3.
  t.equal(far.mark, "differs")
  t.match(far.notes[0], /t\(2\) = -17\.32, p = 0\.003; Holm over 3 pairs: p = 0\.010/)
  t.equal(comparisons[0]?.lowest, 0)
  t.match(
    table.header.verdict.at(-1),
    /^NELBO T=8: the differences between the 3 points exceed the noise over seeds \(randomised blocks, F\(2, 4\) = [\d.]+, p < 0\.001\), h=2 below h=8 and h=4 below h=8 after Holm's correction for 3 pairs; a true difference of 0\.\d+ bits\/byte between two points would have been found with probability 80 % \(0\.\d+ if corrected for 3 pairs\)\.$/,
  )
  t.match(
    table.header.verdict.join(" "),
    /Every run is trained: below the unigram floor of its text \(8\.000 bits\/token\)/,
  )
  for (const format of TABLE_FORMATS)
    t.match(renderTable(table, format, { width: 100, colour: false }), /h=2/, format)
})

test("noise is said to be noise", async (t) => {
  const { table } = buildSweepTable(input([point("a", [2, 2.4]), point("b", [2.3, 2.2])]))
  t.match(
    table.header.verdict.at(-1),
    /do not exceed the noise over seeds \(randomised blocks, F\(1, 1\) = 0\.04, p = 0\.87\), no pair shown differs; a true difference of/,
  )
})

test("one seed: no interval, windows alone, and the sentence says so", async (t) => {
  const { table } = buildSweepTable(input([point("a", [2]), point("b", [2.5])]))
  const mean = row(table, "a/one/bits-per-byte")
  t.equal(mean.interval, null)
  t.match(mean.notes.join(" "), /One seed: no interval over seeds/)
  t.match(row(table, "a-b/one/difference").interval?.method, /^paired bootstrap over 20 windows$/)
  t.match(
    table.header.verdict.at(-1),
    /one seed, so whether the differences exceed the noise between training runs cannot be told/,
  )
  t.notOk(/reproduc/i.test(JSON.stringify(table.header.verdict.slice(1))))
})

test("untrained runs are named and marked; exact values stay exact", async (t) => {
  const { table } = buildSweepTable(input([point("a", [3.9, 4.1], "exact"), point("b", [3, 3.1], "exact")]))
  t.equal(row(table, "a/seed-0/one/bits-per-byte").mark, null)
  t.equal(
    row(table, "a/seed-1/one/bits-per-byte").mark,
    "untrained",
    "4.1 bits a byte, 8.2 a token, against 8",
  )
  t.equal(row(table, "a/one/bits-per-byte").mark, "untrained")
  t.match(row(table, "a/one/bits-per-byte").notes.join(" "), /1 of 2 seeds are worse than the unigram floor/)
  t.match(table.header.verdict.join(" "), /Untrained: a seed 1 is worse than the unigram floor/)
  t.equal(row(table, "b/one/bits-per-byte").boundKind, "exact")
  t.equal(row(table, "a-b/one/difference").boundKind, "exact")
})

test("what is missing is said; one point has nothing to compare; none is no table", async (t) => {
  const one = buildSweepTable(input([point("a", [2, 2.1])], { missing: ["b,seed=0", "b,seed=1"] }))
  t.match(
    one.table.header.verdict[0],
    /^Incomplete: 2 of 4 cells have no results yet \(b,seed=0; b,seed=1\)\.$/,
  )
  t.equal(one.comparisons.length, 0)
  t.notOk(one.table.rows.some(({ group }) => group === "difference"))
  const other = {
    ...point("b", [2, 2.1]),
    seeds: point("b", [2, 2.1]).seeds.map((seed) => ({
      ...seed,
      floors: [{ ...floors[0]!, bitsPerToken: 9 }, ...floors.slice(1)],
    })),
  }
  const texts = buildSweepTable(input([point("a", [2, 2.1]), other]))
  t.equal(
    row(texts.table, "floor/uniform/bits-per-token/b").value,
    9,
    "floors of each text, where they differ",
  )
  t.throws(() => buildSweepTable(input([point("a", [Number.NaN])])), TableError)
})

const GRADED = {
  kind: "samples",
  id: "events",
  count: 40,
  seeds: [0],
  from: "validation",
  task: "primer-math",
  sampling: { sampler: "events" },
} as const

const items = (right: number): ItemSummary => ({
  evaluationId: "events",
  evaluation: GRADED,
  item: "text",
  items: 40,
  forwards: 400 + right,
  figures: [
    {
      name: "boxed",
      label: "the number in the box",
      contract: sampleContract(
        GRADED,
        { dataset: "synthetic", tokenizer: { id: "t" } },
        gradedMeaning(GRADED, "boxed", 40),
        40,
      ),
      value: right / 40,
      interval: { low: 0, high: 1, level: 0.95, method: "Wilson" },
      notes: [],
    },
  ],
})

test("graded figures: means over seeds, all answers together, each seed", async (t) => {
  const points: SweepPoint[] = [
    {
      name: "base",
      parameters: 10,
      seeds: [10, 20, 30].map((right, seed) => ({
        seed,
        run: `run-${seed}`,
        evaluations: [],
        items: [items(right)],
        floors: [],
      })),
    },
  ]
  const { table } = buildSweepTable(input(points))
  const mean = row(table, "base/events/boxed")
  // (10 + 20 + 30) / 3 of 40 is 0.5; s = 0.25, t_2 = 4.3027, half = 4.3027 * 0.25 / sqrt 3 = 0.62104.
  t.equal(mean.value, 0.5)
  t.ok(Math.abs(mean.interval!.high - 1.12104) < 1e-4, `${mean.interval!.high}`)
  t.equal(mean.interval!.method, "Student t over 3 seeds")
  // Wilson of 60 of 120 at z = 1.95996: half = z sqrt(0.25 / 120 + z^2 / (4 * 120^2)) / (1 + z^2 / 120) = 0.08808.
  t.ok(mean.notes.includes("60 of 120 right over all seeds: 50.0 %, Wilson [41.2 %, 58.8 %], as if every answer were of one model.")) // prettier-ignore
  t.equal(row(table, "base/seed-1/events/boxed").value, 0.5)
  // (410 + 420 + 430) / 3 / 40 passes a text.
  t.equal(row(table, "base/events/forwards").value, 10.5)
  t.notOk(
    table.header.verdict.some((sentence) => /trained/.test(sentence)),
    "nothing is said of floors that nothing stands on",
  )
})
