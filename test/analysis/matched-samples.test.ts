/** Texts in a comparison: means over seeds beside their cost, curves by number of steps, and lengths that are charged. */
import t from "tap"
import { findings } from "../../src/analysis/matched-findings.js"
import { modelsOf } from "../../src/analysis/matched.js"
import type { MatchedRun } from "../../src/analysis/matched-model.js"
import { sampleCurves, sampleRows } from "../../src/analysis/matched-samples.js"
import { sampleContract } from "../../src/evaluators/samples/figures.js"
import type { EvaluationSummary, ItemSummary } from "../../src/evaluators/summary.js"
import { ladderPlot } from "../../src/report/svg.js"
import { lengthsPlot } from "../../src/report/report-files.js"
import { loadSpec } from "../../src/spec/spec-file.js"

const near = (a: number, b: number): boolean => Math.abs(a - b) < 1e-9

const textsOf = (id: string, perplexity: number, passes: number): ItemSummary => {
  const evaluation = { kind: "samples", id, count: 4, seeds: [0] as const, sampling: { steps: passes } }
  const figure = (name: string, value: number, unit: "ppl" | "nats", quantity: "entropy") => ({
    name,
    label: name,
    contract: sampleContract(
      evaluation as never,
      { dataset: "test", tokenizer: { id: "t" } },
      { quantity, unit },
    ),
    value,
    interval: null,
    notes: [],
  })
  return {
    evaluationId: id,
    evaluation,
    item: "text",
    items: 4,
    figures: [
      figure("generative-perplexity-corpus", perplexity, "ppl", "entropy"),
      figure("entropy", 3, "nats", "entropy"),
    ],
    forwards: 4 * passes,
    seconds: 8,
  }
}

const joined = (svg: string): number => svg.split('stroke-opacity="0.7"').length - 1

/** Rows of 2, 2 and 4 tokens, each token 1 byte. */
const LENGTHS = [2, 2, 4]

const codeOf = (evaluation: EvaluationSummary["evaluation"], bitsPerToken: number): EvaluationSummary => ({
  evaluationId: "code-length",
  evaluation,
  context: {
    dataset: "test",
    split: "validation",
    export: "sha256:test",
    tokenizer: { id: "sp1024", digest: "sha256:test" },
    boundary: "maskable",
  },
  bits: 8 * bitsPerToken,
  terminalBits: 0,
  tokens: 8,
  maskableTokens: 8,
  bytes: 8,
  perWindow: LENGTHS.map((tokens) => ({ bits: tokens * bitsPerToken, bytes: tokens, tokens })),
  boundaryTokens: 3,
  boundaryBits: null,
  forwards: 3,
  seconds: 1,
})

const runOf = async (
  id: string,
  bitsPerToken: number,
  seed: number,
  items: readonly ItemSummary[],
): Promise<MatchedRun> => {
  const { experiment } = (await loadSpec(`specs/${id}.json`, "laptop")).with({ training: { seed } })
  return {
    run: `${id}-${seed}`,
    profile: "laptop",
    experiment,
    evaluations: [codeOf(experiment.evaluations[0] as never, bitsPerToken)],
    items,
    floors: [],
    parameters: 1,
    steps: 1,
    positions: 1,
    trainingSeconds: 1,
    executor: "test fp32",
    differences: [],
  }
}

const runs = await Promise.all(
  [42, 43].flatMap((seed) => [
    runOf("ar_speeches", 5, seed, [textsOf("left-to-right", 20, 60)]),
    runOf("mdlm_speeches", 6, seed, [
      textsOf("ancestral-8", 80 + seed, 8),
      textsOf("ancestral-64", 40 + seed, 64),
    ]),
    runOf("flexmdm_speeches", 7, seed, [textsOf("tau-8", 90, 8), textsOf("events", 30, 110)]),
  ]),
)

void t.test("rows are means over seeds, and never stand without entropy and cost", async (t) => {
  const masked = modelsOf(runs).find(({ id }) => id === "mdlm_speeches")!
  const rows = sampleRows(masked, {})
  const row = (name: string) => rows.find(({ id }) => id === `mdlm_speeches/${name}`)
  t.equal(row("ancestral-8/generative-perplexity-corpus")?.value, 122.5, "the mean of 122 and 123")
  t.match(row("ancestral-8/generative-perplexity-corpus")?.interval, { method: "Student-t over 2 seeds" })
  t.equal(row("ancestral-8/entropy")?.value, 3)
  t.equal(row("ancestral-8/forwards")?.value, 8)
  t.equal(row("ancestral-8/seconds")?.value, 2)
})

void t.test("curves join the step counts of one sampler, and the others stand alone", async (t) => {
  const curves = sampleCurves(modelsOf(runs))
  const [perplexity] = curves
  t.match(perplexity, { cost: "forward passes a text", unit: "ppl" })
  t.same(
    perplexity!.points.map(({ label, cost, value, curve }) => [label, cost, value, curve]),
    [
      ["left-to-right", 60, 20, "ar_speeches/left-to-right"],
      ["ancestral-8", 8, 122.5, "mdlm_speeches/ancestral"],
      ["ancestral-64", 64, 82.5, "mdlm_speeches/ancestral"],
      ["tau-8", 8, 90, "flexmdm_speeches/tau"],
      ["events", 110, 30, "flexmdm_speeches/events"],
    ],
  )
  t.equal(joined(ladderPlot(perplexity!)), 1, "two points of one curve are joined by one line")
  t.equal(
    joined(
      ladderPlot({ ...perplexity!, points: perplexity!.points.map(({ curve: _curve, ...rest }) => rest) }),
    ),
    0,
  )
})

void t.test(
  "a length that a masked network is told is charged; an inserted and a written end are not",
  async (t) => {
    const found = findings(modelsOf(runs))
    const family = (id: string) => found.find((each) => each.id === `family/${id}`)!.comparisons[0]!
    // Lengths 2, 2, 4: -2 log2(2/3) - log2(1/3) bits over 8 bytes.
    const charge = (-2 * Math.log2(2 / 3) - Math.log2(1 / 3)) / 8
    const [mdlm, flex] = [family("mdlm_speeches/ar_speeches"), family("flexmdm_speeches/ar_speeches")]
    t.ok(near(mdlm.a.value, 6 + charge), `${mdlm.a.value}`)
    t.equal(mdlm.b.value, 5)
    t.equal(flex.a.value, 7)
    t.ok(near(family("flexmdm_speeches/mdlm_speeches").difference, 1 - charge))
  },
)

void t.test("distribution functions of lengths leap at each length by its share", async (t) => {
  const plot = lengthsPlot({ id: "texts", texts: [1, 1, 3], data: [2] })!
  t.same(plot.series[0]!.points, [
    { x: 1, y: 0 },
    { x: 1, y: 2 / 3 },
    { x: 3, y: 2 / 3 },
    { x: 3, y: 1 },
  ])
  t.equal(lengthsPlot({ id: "texts", texts: [], data: [2] }), undefined)
})
