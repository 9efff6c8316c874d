/** Figures of responses in blocks, by hand: floods of end-of-text, tokens behind the end, what produced them, their cost. */
import t from "tap"
import { itemRows } from "../../src/analysis/item-rows.js"
import type { SampleItem } from "../../src/evaluators/samples/item.js"
import { sampleFigures, type FigureContext } from "../../src/evaluators/samples/figures.js"
import { makeTfjsExecutor } from "../../src/engine/tfjs/index.js"
import { openSpec } from "../../src/app/open-spec.js"
import { networkOf } from "../../src/families/traced.js"
import { initialise } from "../../src/model/parameters.js"
import { openBlocks } from "../../src/samplers/llada/texts.js"
import { SamplingError } from "../../src/samplers/masked/settings.js"

const EVALUATION = {
  kind: "samples",
  id: "blocks",
  count: 4,
  seeds: [0],
  from: "validation",
  task: "primer-math",
  sampling: { sampler: "blocks", steps: 4, temperature: 0 },
} as const

const CONTEXT: FigureContext = {
  dataset: "synthetic",
  tokenizer: { id: "t" },
  padId: 9,
  maskId: 8,
  executor: { name: "torch", version: "2", precision: "fp32" },
}

/** A response of ten places behind two given tokens. */
const item = (k: number, ends: number, behind: number, failure?: "unextracted"): SampleItem => ({
  item: k,
  seed: 0,
  tokens: Array.from({ length: 10 - ends }, () => 3),
  text: "x",
  prompt: "p",
  target: "y",
  given: 2,
  room: 12,
  forwards: 4,
  exit: ends > 0 ? "boundary" : "length",
  ends,
  behind,
  graders: { boxed: { correct: k === 0, extracted: null, ...(failure === undefined ? {} : { failure }) } },
})

const figure = (items: readonly SampleItem[], name: string, context = CONTEXT) =>
  sampleFigures(EVALUATION, items, [10], context).find((each) => each.name === name)

void t.test("nine tenths of a response are end-of-text: flooded; tokens behind the first: overrun", (t) => {
  // Ends of 10 places: 9 and 10 are nine tenths and more, 8 and 0 are not.
  const items = [item(0, 9, 0), item(1, 10, 0, "unextracted"), item(2, 8, 1), item(3, 0, 0)]
  const flooded = figure(items, "flooded")!
  t.equal(flooded.value, 0.5)
  t.same(flooded.notes, ["2 of 4 texts."])
  t.equal(flooded.interval!.method, "Wilson")
  const overrun = figure(items, "overrun")!
  t.equal(overrun.value, 0.25)
  t.same(overrun.notes, ["1 of 4 texts."])
  t.equal(figure(items, "empty")!.value, 0.25, "all ten places end the text")
  t.equal(figure(items, "capped")!.value, 0.25, "one never ends")
  t.equal(figure(items, "unextracted-boxed")!.value, 0.25)
  t.equal(figure(items, "boxed")!.value, 0.25)
  t.end()
})

void t.test("samplers that say nothing of ends have no such figures", (t) => {
  const items = [item(0, 9, 0)].map(({ ends: _ends, behind: _behind, ...rest }) => rest)
  t.equal(figure(items, "flooded"), undefined)
  t.equal(figure(items, "overrun"), undefined)
  t.end()
})

void t.test("merged adapters are named in the contract and beside the first figure", (t) => {
  const items = [item(0, 1, 0)]
  const merged = figure(items, "boxed", { ...CONTEXT, adapters: "merged" })!
  t.match(merged.contract.estimator, { kind: "graded-generation", decoding: /"adapters":"merged"/ })
  t.match(merged.notes.join(" "), /Generated with torch 2, fp32, adapters merged into their layers\./)
  t.notMatch(JSON.stringify(figure(items, "boxed")!.contract), /adapters/)
  t.end()
})

const rows = (acceleratorBytes: number | null | undefined) =>
  itemRows(
    {
      evaluationId: "blocks",
      evaluation: EVALUATION,
      item: "text",
      items: 4,
      figures: [],
      forwards: 16,
      seconds: 2,
      ...(acceleratorBytes === undefined ? {} : { acceleratorBytes }),
    },
    {},
  )

void t.test("forward passes, time and accelerator memory stand beside a score", (t) => {
  const [passes, seconds, memory] = rows(3 * 2 ** 29)
  t.same([passes!.value, seconds!.value, memory!.value, memory!.unit], [4, 0.5, 1.5, "GiB"])
  const none = rows(null)[2]!
  t.equal(none.value, null)
  t.same(none.notes, ["Computed on a CPU: no accelerator."])
  t.equal(rows(undefined).length, 2, "evidence of earlier versions says nothing")
  t.end()
})

void t.test("a response has its own length, whatever the row's", async (t) => {
  const { experiment } = await openSpec("llada_8b_math", "ci")
  const network = networkOf(experiment)
  const parameters = initialise(network.parameters, 3)
  const executor = await makeTfjsExecutor({ precision: "fp32", device: "cpu", threads: 1 })
  const { maskId, padId, boundaryId } = experiment.data.tokenizer
  const request = (response: number | undefined, room = 8) =>
    ({
      kind: "blocks",
      seed: 1,
      room,
      maskId,
      padId,
      boundaryId,
      response,
      steps: 2,
      block: undefined,
      remasking: "low_confidence",
      temperature: 0,
    }) as const
  const texts = [
    { index: 0, prefix: [1, 2], suffix: [] },
    { index: 1, prefix: [1, 2, 3, 4, 5], suffix: [] },
  ]
  const job = { executor, network, parameters, texts }
  const own = await openBlocks(job, request(5))
  const made = await own.make(texts)
  t.same(
    made.map(({ given, room, tokens, forwards }) => [given, room, tokens.length, forwards]),
    [
      [2, 7, 7, 2],
      [5, 10, 10, 2],
    ],
    "five tokens behind each prompt, in two passes; a row of 8 would not hold the second",
  )
  t.ok(made.every(({ tokens }) => !tokens.includes(maskId)))
  await own.dispose()
  const row = await openBlocks(job, request(undefined))
  t.same(
    (await row.make(texts)).map(({ tokens }) => tokens.length),
    [8, 8],
    "without one the response fills the row",
  )
  await row.dispose()
  await t.rejects(openBlocks(job, request(undefined, 5)), SamplingError)
  await executor.dispose()
})
