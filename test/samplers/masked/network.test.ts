/** Sampling from tiny networks through an executor: what must not change a text, and what a text must keep. */
import t from "tap"
import { makePredictor } from "../../../src/inference/predictor.js"
import { sampledModel } from "../../../src/samplers/masked/model.js"
import { samplingChooser, sampleTexts, type SampledText } from "../../../src/samplers/masked/sample.js"
import { makeChooser } from "../../../src/samplers/masked/chooser.js"
import type { SamplingSettings } from "../../../src/samplers/masked/settings.js"
import type { Executor } from "../../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../../src/engine/onnxruntime/index.js"
import { networkOf } from "../../../src/families/traced.js"
import type { Experiment } from "../../../src/spec/experiment.js"
import { LENGTH, tinyExperiment } from "../../train/tiny.js"
import { causal, masked, sharp } from "../../evaluators/harness.js"
import { tfjsExecutor } from "../networks.js"
import { hostChooser, ruleOf } from "./host.js"

const SETTINGS: SamplingSettings = {
  sampler: "ancestral",
  count: 5,
  length: LENGTH,
  steps: 40,
  temperature: 1,
  topP: 1,
  seed: 3,
  prefix: [],
  suffix: [],
  cache: true,
}

const sampled = async (
  experiment: Experiment,
  over: Partial<SamplingSettings> = {},
  { batch, threads = 1 }: { batch?: number; threads?: number } = {},
): Promise<readonly SampledText[]> => {
  const executor = await makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads })
  const settings = { ...SETTINGS, ...over }
  const model = sampledModel(experiment)
  const chooser = await samplingChooser(executor, networkOf(experiment), sharp(experiment), {
    model,
    settings,
    batch,
  })
  try {
    return await sampleTexts({ chooser, model, settings })
  } finally {
    await chooser.dispose()
    await executor.dispose()
  }
}

const tokensOf = (texts: readonly SampledText[]): readonly number[][] =>
  texts.map(({ tokens }) => [...tokens])

const unconditioned = tinyExperiment({ model: { conditioning: { kind: "none" } } })

void t.test("the cache changes forward passes, never a text", async (t) => {
  for (const [name, experiment] of [
    ["time-unconditioned", unconditioned],
    ["conditioned on sigma", masked("maskable")],
  ] as const) {
    const on = await sampled(experiment)
    const off = await sampled(experiment, { cache: false })
    t.same(tokensOf(on), tokensOf(off), name)
    t.ok(
      off.every(({ forwards }) => forwards === 40),
      "without: one pass a step",
    )
    // 16 positions fall on at most 16 of 40 steps.
    t.ok(
      on.every(({ forwards }) => forwards <= LENGTH),
      "with: at most one pass a token",
    )
  }
})

void t.test("a text depends on the seed and its index alone", async (t) => {
  const whole = tokensOf(await sampled(masked("maskable")))
  t.equal(new Set(whole.map((tokens) => tokens.join())).size, 5, "texts differ")
  for (const batch of [1, 2, 3])
    t.same(tokensOf(await sampled(masked("maskable"), {}, { batch })), whole, `batch ${batch}`)
  t.same(tokensOf(await sampled(masked("maskable"), {}, { threads: 2 })), whole, "two threads")
  t.same(tokensOf(await sampled(masked("maskable"), { count: 2 })), whole.slice(0, 2), "fewer texts")
  t.not(tokensOf(await sampled(masked("maskable"), { seed: 4 })).join(), whole.join(), "another seed")
  for (const sampler of ["confidence", "left-to-right"] as const) {
    const all = tokensOf(await sampled(masked("free"), { sampler }))
    t.same(tokensOf(await sampled(masked("free"), { sampler }, { batch: 2 })), all, `${sampler}, batch 2`)
  }
  const next = tokensOf(await sampled(causal(), { sampler: "left-to-right" }))
  t.same(
    tokensOf(await sampled(causal(), { sampler: "left-to-right" }, { batch: 2 })),
    next,
    "next-token, batch 2",
  )
})

void t.test("temperature 0 leaves nothing to chance but the order", async (t) => {
  for (const sampler of ["confidence", "left-to-right"] as const) {
    const one = tokensOf(await sampled(masked("maskable"), { sampler, temperature: 0 }))
    const other = tokensOf(await sampled(masked("maskable"), { sampler, temperature: 0, seed: 99 }))
    t.same(one, other, `${sampler}: the same whatever the seed`)
    t.equal(new Set(one.map((tokens) => tokens.join())).size, 1, "and in every text")
  }
})

void t.test("prompts stay, special ids never come", async (t) => {
  const prefix = [700, 701, 702]
  const suffix = [900, 901]
  // At this temperature every id is about equally likely: 1024 kinds, 250 x 11 draws.
  const hot = { prefix, suffix, temperature: 1e6, count: 250, steps: 8 }
  for (const boundary of ["free", "maskable"] as const) {
    const texts = await sampled(masked(boundary), hot)
    for (const { tokens, generated } of texts) {
      t.same(Array.from(tokens.slice(0, 3)), prefix)
      t.same(Array.from(tokens.slice(-2)), suffix)
      t.same(Array.from(tokens.slice(3, -2)), Array.from(generated))
    }
    const drawn = texts.flatMap(({ generated }) => [...generated])
    t.notOk(
      drawn.some((id) => id >= 1024),
      "neither MASK nor PAD",
    )
    // Of 2750 draws 2.7 are the boundary token on average where it may be drawn.
    t.equal(drawn.includes(1), boundary === "maskable", `boundary ${boundary}`)
  }
  const next = await sampled(causal(), { prefix, sampler: "left-to-right" })
  t.ok(next.every(({ tokens }) => tokens.slice(0, 3).join() === prefix.join()))
})

void t.test("a next-token text ends at the boundary where training ended there", async (t) => {
  const texts = await sampled(causal(), { sampler: "left-to-right", temperature: 1e6, count: 300 })
  const short = texts.filter(({ tokens }) => tokens.length < LENGTH)
  // 300 texts of 16 draws from 1024 kinds: 4.7 boundaries on average.
  t.ok(short.length > 0)
  t.ok(short.every(({ tokens }) => tokens.at(-1) === 1 && tokens.indexOf(1) === tokens.length - 1))
})

void t.test("longer than a window: blocks and next tokens slide", async (t) => {
  const long = { length: 3 * LENGTH, count: 2 }
  const blocks = await sampled(masked("maskable"), { ...long, block: 5, steps: 48 })
  const tokens = await sampled(causal(), { ...long, sampler: "left-to-right" })
  const single = await sampled(masked("free"), { ...long, sampler: "left-to-right" })
  for (const text of [...blocks, ...single]) t.equal(text.tokens.length, 48)
  t.ok(tokens.every((text) => text.tokens.length === 48 || text.tokens.at(-1) === 1))
  t.notOk(
    [...blocks, ...single, ...tokens].some((text) => text.tokens.includes(1024)),
    "nothing is left masked",
  )
})

void t.test("programs choose the tokens that float64 draws, and keep the distributions", async (t) => {
  const rules = [
    { temperature: 1, topP: 1 },
    { temperature: 0.7, topP: 0.8 },
    { temperature: 1.3, topP: 0.4 },
    { temperature: 0, topP: 1 },
  ]
  const cases = [
    [masked("free"), { sampler: "ancestral", steps: 40 }],
    [masked("maskable"), { sampler: "confidence", steps: 6 }],
    [masked("maskable"), { sampler: "ancestral", block: 5, prefix: [700, 701], suffix: [900] }],
    [causal(), { sampler: "left-to-right", prefix: [700, 701] }],
  ] as const satisfies readonly (readonly [Experiment, Partial<SamplingSettings>])[]
  const executor = await makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads: 1 })
  for (const [experiment, over] of cases) {
    const network = networkOf(experiment)
    const weights = sharp(experiment)
    const model = sampledModel(experiment)
    const predictor = await makePredictor(executor, network, weights, { length: LENGTH, batch: 12 })
    for (const rule of rules) {
      const settings = { ...SETTINGS, ...over, ...rule, count: 12 }
      const wide: string[] = []
      const watched: Executor = {
        ...executor,
        evaluator: async (...given) => {
          const evaluator = await executor.evaluator(...given)
          const run: typeof evaluator.run = async (feeds) => {
            const out = await evaluator.run(feeds)
            for (const [name, { shape }] of Object.entries(out))
              if (shape.length > 1 || shape[0]! > 12 * LENGTH) wide.push(`${name} ${shape.join("x")}`)
            return out
          }
          return { ...evaluator, run, dispose: () => evaluator.dispose() }
        },
      }
      const chooser = await samplingChooser(watched, network, weights, { model, settings })
      const ours = await sampleTexts({ chooser, model, settings })
      const host = hostChooser(predictor, ruleOf(settings, model))
      const theirs = await sampleTexts({ chooser: host, model, settings })
      // 12 texts of at most 16 tokens: none of their uniform numbers is within rounding of an edge.
      t.same(tokensOf(ours), tokensOf(theirs), `${settings.sampler}, ${JSON.stringify(rule)}`)
      t.same(wide, [], "ids and one number a column come back")
      t.equal(
        chooser.forwards(),
        ours.reduce((sum, { forwards }) => sum + forwards, 0),
      )
      await chooser.dispose()
    }
    await predictor.dispose()
  }
  await executor.dispose()
})

const row = (inputIds: readonly number[], columns: readonly number[]) => ({
  inputIds: Int32Array.from(inputIds),
  sigma: 0,
  columns,
})

void t.test("log-probabilities of the chosen are the network's; what is no number is refused", async (t) => {
  const experiment = masked("maskable")
  const compiled = await makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads: 1 })
  const [network, weights] = [networkOf(experiment), sharp(experiment)]
  const rule = { temperature: 0.8, topP: 1, banned: [3] }
  const rows = [
    {
      ...row([1024, 50, 1024, 70, ...Array.from({ length: LENGTH - 4 }, () => 9)], [0, 2]),
      uniforms: [0.2, 0.9],
    },
    { ...row([60, 1024, ...Array.from({ length: LENGTH - 2 }, () => 9)], [1]), uniforms: [0.4] },
  ]
  const sizes = { length: LENGTH, batch: 2 }
  for (const executor of [compiled, await tfjsExecutor()]) {
    const chooser = await makeChooser(executor, network, weights, { ...sizes, capacity: 5, rule })
    const predictor = await makePredictor(executor, network, weights, sizes)
    const [found, expected] = [await chooser.choose(rows), await hostChooser(predictor, rule).choose(rows)]
    t.same(
      found.map(({ tokens }) => [...tokens]),
      expected.map(({ tokens }) => [...tokens]),
    )
    // Of one program and of another: some rounding.
    found.forEach(({ logProbs }, r) =>
      logProbs.forEach((x, i) => t.ok(Math.abs(x - expected[r]!.logProbs[i]!) < 1e-5, `${x}`)),
    )
    await chooser.dispose()
    await predictor.dispose()
    const broken = Object.fromEntries(
      Object.entries(weights).map(([name, { shape, data }]) => [
        name,
        { shape, data: (data as Float32Array).map(() => Number.NaN) },
      ]),
    )
    const none = await makeChooser(executor, network, broken, { ...sizes, capacity: 5, rule })
    await t.rejects(none.choose(rows), /no token can be drawn: the log-probability of token -?\d+ is NaN/)
    await none.dispose()
  }
  await compiled.dispose()
})

void t.test("a next-token network is asked about the position after the text so far", async (t) => {
  const experiment = causal()
  const executor = await makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads: 1 })
  const predictor = await makePredictor(executor, networkOf(experiment), sharp(experiment), {
    length: 4,
    batch: 2,
  })
  const [both, first] = await predictor.predict([row([1, 50, 60, 70], [1, 3]), row([1, 50, 0, 0], [1])])
  t.equal(both!.length, 2 * 1024)
  t.same(
    [...both!.subarray(0, 1024)],
    [...first!],
    "what follows is not seen, and columns are cut out in order",
  )
  t.not(both!.subarray(1024).join(), first!.join())
  await predictor.dispose()
  await executor.dispose()
})
