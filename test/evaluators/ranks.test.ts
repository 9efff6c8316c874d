/** Texts dealt to several processes: the evidence is that of one. */
import { rm } from "node:fs/promises"
import { join } from "node:path"
import t from "tap"
import { loadCorpus, prepareCorpus, readTokens } from "../../src/data/corpora/corpus.js"
import { openExecutor, type Choice } from "../../src/engine/choose.js"
import { evaluate } from "../../src/evaluators/evaluate.js"
import { samples } from "../../src/evaluators/samples/part.js"
import { networkOf } from "../../src/families/traced.js"
import { loadSpec } from "../../src/spec/spec-file.js"
import { initialState } from "../../src/train/state.js"
import { growingSpec } from "./samples-run.js"

t.setTimeout(540_000)

const SAMPLINGS = {
  events: { sampler: "events" },
  tau: { sampler: "tau", steps: 6 },
  euler: { sampler: "euler", steps: 6 },
  confidence: { sampler: "confidence", confidence: "prob_diff", steps: 6 },
} as const

const { folder, spec } = await growingSpec(
  "star",
  Object.entries(SAMPLINGS).map(([id, sampling]) => ({
    kind: "samples",
    id,
    count: 7,
    seeds: [0, 5],
    from: "validation",
    task: "star",
    sampling,
  })),
)
t.teardown(() => rm(folder, { recursive: true, force: true }))
const cacheDir = join(folder, "cache")
const { experiment: stated } = await loadSpec(spec, "paper")
await prepareCorpus(stated.data, { cacheDir })
const corpus = await loadCorpus(stated.data, { cacheDir })
const split = await readTokens(corpus.validation)
const choice: Choice = {
  engine: "onnxruntime",
  options: { precision: "fp32", device: "cpu", threads: 1 },
  reason: "a test",
}
const executor = await openExecutor(choice)
t.teardown(() => executor.dispose())
const network = networkOf(stated)
const state = initialState(network, stated.training)
const parameters = Object.fromEntries(network.parameters.map(({ name }) => [name, state[name]!]))

const by = async (
  evaluation: (typeof stated.evaluations)[number],
  samplingProcesses: number,
  going?: () => Promise<void>,
) => {
  const experiment = {
    ...stated,
    execution: { ...stated.execution, evaluationBatch: 3, samplingProcesses },
  }
  const {
    items = [],
    tensors,
    metadata,
  } = await evaluate({
    evaluation,
    experiment,
    network,
    parameters,
    executor,
    choice,
    precision: "fp32",
    split,
    corpus,
    step: 0,
    ...(going === undefined ? {} : { requireGoing: going }),
  })
  const file = { tensors: new Map(Object.entries(tensors)), metadata, items }
  const [summary] = samples.summarise(file as never, "evidence", "stars")
  const { figures, forwards } = summary as { figures: readonly object[]; forwards: number }
  return { items, figures, forwards, lengths: tensors["dataLengths"] }
}

for (const evaluation of stated.evaluations)
  void t.test(
    `${evaluation.id}: items, figures and passes of 1, 2 and 4 processes are the same`,
    async (t) => {
      const one = await by(evaluation, 1)
      t.equal(one.items.length, 14)
      for (const processes of [2, 4]) t.same(await by(evaluation, processes), one, `${processes} processes`)
    },
  )

void t.test("an evaluation that is asked to stop makes no further texts", async (t) => {
  let left = 2
  await t.rejects(
    by(stated.evaluations[0], 1, () =>
      left-- > 0 ? Promise.resolve() : Promise.reject(new Error("asked to stop")),
    ),
    /asked to stop/,
  )
})
