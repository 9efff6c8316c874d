import { test } from "tap"
import { enumerativeWindowBits } from "../../src/metric/code/boundary.js"
import { matched } from "../../src/analysis/matched.js"
import type { MatchedRun } from "../../src/analysis/matched-model.js"
import { showComparison } from "../../src/analysis/matched-comparison.js"
import { trainingSeconds } from "../../src/analysis/matched-runs.js"
import { renderMatched } from "../../src/report/matched-text.js"
import { TABLE_FORMATS } from "../../src/report/render/index.js"
import { ratioInterval } from "../../src/analysis/run-table.js"
import type { EvaluationSummary } from "../../src/analysis/language-model.js"
import type { Evaluation } from "../../src/spec/evaluation.js"
import type { Experiment } from "../../src/spec/experiment.js"
import { loadSpec } from "../../src/spec/spec-file.js"

const near = (a: number, b: number, tolerance = 1e-12): boolean => Math.abs(a - b) <= tolerance

/** Twelve windows of 40 tokens and 120 bytes, one boundary token in each; window w is w harder than the first. */
const WINDOWS = 12
const TOKENS = 40
const BYTES = 120

/** Bits of a window: 5 a token and `extra` a token more, wavering between windows by `wave`. */
const summaryOf = (
  evaluation: Evaluation,
  experiment: Experiment,
  extra: number,
  windows = WINDOWS,
): EvaluationSummary => {
  const { objective } = experiment
  const free = objective.kind === "masked-diffusion" && objective.boundary === "free"
  const perWindow = Array.from({ length: windows }, (_, w) => ({
    bits: TOKENS * (5 + extra * (1 + 0.1 * Math.sin(w)) + 0.2 * w),
    bytes: BYTES,
    tokens: TOKENS,
    ...(free ? { boundaryBits: enumerativeWindowBits(TOKENS, 1) } : {}),
  }))
  return {
    evaluationId: evaluation.id,
    evaluation: evaluation as unknown as EvaluationSummary["evaluation"],
    context: {
      dataset: "test",
      split: "validation",
      export: "sha256:test",
      tokenizer: { id: "sp1024", digest: "sha256:test" },
      boundary: free ? "free" : "maskable",
    },
    bits: perWindow.reduce((sum, { bits }) => sum + bits, 0),
    terminalBits: 0,
    tokens: windows * TOKENS,
    maskableTokens: windows * (free ? TOKENS - 1 : TOKENS),
    bytes: windows * BYTES,
    perWindow,
    boundaryTokens: windows,
    boundaryBits: free ? windows * enumerativeWindowBits(TOKENS, 1) : null,
    forwards: windows * 8,
    seconds: 1,
  }
}

const fewer = (evaluation: Evaluation): boolean =>
  evaluation.kind === "chain-rule" && evaluation.order !== "left-to-right"

/** One run whose every evaluation needs `extra` bits a token more than 5; those of orders on four windows. */
const runOf = async (spec: string, extra: number, seed = 42): Promise<MatchedRun> => {
  const { experiment, differences } = await loadSpec(`specs/${spec}.json`, "ci")
  const seeded = { ...experiment, training: { ...experiment.training, seed } }
  return {
    run: `${spec}-${seed}`,
    profile: "ci",
    experiment: seeded,
    evaluations: seeded.evaluations
      .filter(({ kind, ...rest }) => kind !== "autoregressive" || (rest as { tail: string }).tail === "C")
      .map((evaluation) => summaryOf(evaluation, seeded, extra, fewer(evaluation) ? 4 : WINDOWS)),
    floors: ["uniform", "unigram", "bigram", "xz"].map((id) => ({
      id,
      label: id,
      bitsPerToken: id === "xz" ? null : 10,
      bitsPerByte: 3,
    })),
    parameters: 1000,
    steps: 200,
    positions: 102_400,
    trainingSeconds: 4.25,
    executor: "onnxruntime fp32",
    differences,
    ...(spec.startsWith("mdlm") ? { publishedConstant: 4.3 } : {}),
  }
}

const four = async (): Promise<readonly MatchedRun[]> => [
  await runOf("ar_matched", 0),
  await runOf("mdlm_eos", 0.9),
  await runOf("mdlm_eos_nelbo", 0.6),
  await runOf("mdlm_nelbo", 0.5),
]

const options = { ratioInterval }
const perByte = (bitsPerToken: number): number => (bitsPerToken * TOKENS) / BYTES

test("findings are differences of the same windows, each about the settings that differ", async (t) => {
  const { findings, comparable, conditions } = matched(await four(), options)
  t.ok(comparable)
  t.ok(conditions.every(({ agrees }) => agrees))
  t.same(
    findings.map(({ id }) => id.split("/").slice(0, 3).join("/")),
    [
      "weight/mdlm_eos/mdlm_eos_nelbo",
      "boundary/mdlm_eos_nelbo/mdlm_nelbo",
      "mended/mdlm_eos/mdlm_nelbo",
      "distance/mdlm_eos/ar_matched",
      "distance/mdlm_eos_nelbo/ar_matched",
      "distance/mdlm_nelbo/ar_matched",
      "order/mdlm_eos",
      "order/mdlm_eos_nelbo",
      "order/mdlm_nelbo",
    ],
  )
  const [weight, boundary, mended, , , distance] = findings as [
    (typeof findings)[0],
    (typeof findings)[0],
    (typeof findings)[0],
    (typeof findings)[0],
    (typeof findings)[0],
    (typeof findings)[0],
  ]
  // 0.3 bits a token on the mean of 1 + 0.1 sin w over the twelve windows; every interval tight around it.
  const wave =
    Array.from({ length: WINDOWS }, (_, w) => 1 + 0.1 * Math.sin(w)).reduce((a, b) => a + b, 0) / WINDOWS
  for (const { difference, low, high, told, charge } of weight.comparisons) {
    t.ok(near(difference, perByte(0.3 * wave)))
    t.ok(low > perByte(0.3 * 0.9) - 1e-12 && high < perByte(0.3 * 1.1) + 1e-12, "pairing removes 0.2 w")
    t.match({ told, charge }, { told: "more", charge: "none" })
  }
  // One boundary in a window of 40: log2 40 + log2 41 bits. Twelve in 480 tokens as one set: log2 C(480, 12) + log2 481.
  const [given, , slice, , window] = boundary.comparisons
  t.ok(near(given!.difference, perByte(0.1 * wave)))
  t.ok(near(window!.difference - given!.difference, (Math.log2(40) + Math.log2(41)) / BYTES, 1e-9))
  let choose = 0
  for (let i = 0; i < 12; i++) choose += Math.log2((480 - i) / (i + 1))
  t.ok(near(slice!.difference - given!.difference, (choose + Math.log2(481)) / (12 * BYTES), 1e-9))
  t.same(
    boundary.comparisons.map(({ charge }) => charge),
    ["none", "none", "slice", "slice", "window", "window"],
  )
  t.ok(mended.comparisons.every(({ charge, told }) => charge === "slice" && told === "more"))
  t.ok(
    distance.comparisons.every(({ charge }) => charge === "none"),
    "nothing is charged where nothing was free",
  )
  t.ok(near(distance.comparisons[1]!.difference, perByte(0.5 * wave)))
  t.same(
    distance.comparisons.map(({ name }) => name),
    [
      "NELBO T=16 against autoregressive NLL",
      "left-to-right NLL against autoregressive NLL",
      "sliding NLL, stride 16 against autoregressive NLL, stride 16",
    ],
  )
  // In next-token scoring a window's first input is the token before it; in training (feeds.ts), a boundary token.
  t.match(distance.sentence, /first input in a scored window is the token before it, where training had/)
  t.match(weight.sentence, /one training seed, so they do not cover another/)
})

test("a difference shows no digit that its interval denies", async (t) => {
  const { findings } = matched(await four(), options)
  const [first] = findings[0]!.comparisons
  const shown = showComparison({ ...first!, difference: 6.88e-5, low: -0.0131, high: 0.0132 })
  t.match(shown, { difference: "+0.000", interval: "[-0.013, +0.013]" })
})

test("an evaluation on fewer windows is compared on those alone", async (t) => {
  const { findings } = matched(await four(), options)
  const order = findings.find(({ id }) => id === "order/mdlm_nelbo")!
  const backwards = order.comparisons.find(({ name }) => name.startsWith("right-to-left"))!
  t.equal(backwards.windows, 4)
  t.ok(near(backwards.difference, 0), "the same bits on the same windows")
  t.equal(backwards.told, "neither")
  t.ok(near(backwards.a.value, backwards.b.value))
})

test("with several seeds the interval is Student-t over seeds, and rows give the mean", async (t) => {
  const runs = [
    await runOf("mdlm_eos", 0.9, 1),
    await runOf("mdlm_eos", 1.1, 0),
    await runOf("mdlm_eos_nelbo", 0.6, 0),
    await runOf("mdlm_eos_nelbo", 0.6, 1),
  ]
  const { findings, table, runs: ids } = matched(runs, options)
  t.equal(ids.length, 4)
  const [{ difference, low, high, seeds, method }] = findings[0]!.comparisons as [
    (typeof findings)[0]["comparisons"][0],
  ]
  const wave =
    Array.from({ length: WINDOWS }, (_, w) => 1 + 0.1 * Math.sin(w)).reduce((a, b) => a + b, 0) / WINDOWS
  t.ok(near(difference, perByte(0.4 * wave)))
  t.equal(seeds, 2)
  // Two differences 0.5 and 0.3: mean 0.4, s = 0.1 sqrt 2, half-width t(0.975, 1) s / sqrt 2 = 12.7062 x 0.1.
  t.ok(near((high - low) / 2, perByte(1.27062 * wave), 1e-5), `${(high - low) / 2}`)
  t.match(method, /Student-t over 2 seeds/)
  const row = table.rows.find(({ id }) => id === "mdlm_eos/left-to-right/bits-per-byte")!
  t.ok(
    near(
      row.value!,
      runs.slice(0, 2).reduce((sum, { evaluations }) => {
        const { bits, bytes } = evaluations.find(({ evaluationId }) => evaluationId === "left-to-right")!
        return sum + bits / bytes / 2
      }, 0),
    ),
  )
  t.match(row, { interval: { method: /Student-t/ }, notes: [/^Seeds: .*does not cover other windows/] })
  t.match(findings[0]!.sentence, /they do not cover other text/)
})

/** A run of two training shards with these digests. */
const trainedOn = (run: MatchedRun, last: string): MatchedRun => ({ ...run, trainDigests: ["a", last] })

test("what does not agree is named, and nothing is paired across other data or windows", async (t) => {
  const [ar, eos, weight, nelbo] = (await four()) as [MatchedRun, MatchedRun, MatchedRun, MatchedRun]
  const longer = matched([ar, { ...eos, steps: 400 }, weight, nelbo], options)
  t.ok(longer.comparable)
  t.match(
    longer.table.header.verdict.join("\n"),
    /Not equal: optimiser steps \(ar_matched: 200; mdlm_eos: 400;/,
  )
  t.ok(matched([trainedOn(ar, "b"), trainedOn(eos, "b")], options).comparable, "the same training shards")
  const replaced = matched([trainedOn(ar, "b"), trainedOn(eos, "c")], options)
  t.notOk(replaced.comparable, "another training shard")
  t.same(replaced.findings, [])
  t.match(replaced.table.header.verdict.join("\n"), /Not equal: data .*Nothing can be paired across it/)
  const other = {
    ...nelbo,
    evaluations: nelbo.evaluations.map((each) => ({
      ...each,
      context: { ...each.context, export: "sha256:other" },
    })),
  }
  const apart = matched([ar, eos, weight, other], options)
  t.notOk(apart.comparable)
  t.same(apart.findings, [])
  t.match(
    apart.table.header.verdict.join("\n"),
    /Not equal: validation split .*Nothing can be paired across it/,
  )
  const shifted = {
    ...nelbo,
    evaluations: nelbo.evaluations.map((each) => ({
      ...each,
      perWindow: each.perWindow
        .toReversed()
        .map((w, i) => ({ ...w, bytes: w.bytes + (i === 0 ? 1 : i === 1 ? -1 : 0) })),
    })),
  }
  t.notOk(matched([ar, eos, weight, shifted], options).comparable, "equal totals, other windows")
})

test("every form of the comparison holds its findings, and as published stays apart", async (t) => {
  const result = matched(await four(), options)
  for (const format of TABLE_FORMATS) {
    const text = renderMatched(result, format, { width: 100, colour: false })
    t.notMatch(text, /NaN|undefined|\[object/, format)
    if (format !== "csv") t.match(text, /weight alone/, format)
    if (format === "terminal") t.ok(text.split("\n").every((line) => [...line].length <= 100))
  }
  const constant = result.table.rows.filter(({ denominator }) => denominator?.kind === "constant")
  t.same(
    constant.map(({ group, estimator }) => `${group}, ${estimator}`),
    ["as published, NELBO T=16", "as published, NELBO T=16", "as published, NELBO T=16"],
  )
  t.equal(
    result.table.header.verdict.filter((each) => each.startsWith("Not a reproduction of the published"))
      .length,
    1,
    "what every model changes of the published experiment is said once",
  )
  t.match(
    result.table.rows.find(({ id }) => id === "ar_matched/time"),
    { value: 4.25, unit: "seconds" },
  )
})

const at = (second: number): string => new Date(1e12 + 1000 * second).toISOString()
const step = (second: number, n: number) => ({ type: "step", step: n, loss: 1, time: at(second) }) as const

test("training time leaves out what lies between a stop and a resumption", (t) => {
  t.equal(trainingSeconds([]), null)
  t.equal(trainingSeconds([{ type: "started", time: at(0) }]), null)
  t.equal(
    trainingSeconds([
      { type: "started", time: at(0) },
      step(3, 1),
      step(5, 2),
      { type: "interrupted", step: 2, time: at(6) },
      { type: "resumed", step: 2, time: at(100) },
      step(102, 3),
      { type: "finished", time: at(200) },
    ]),
    7,
  )
  t.end()
})
