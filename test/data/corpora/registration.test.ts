/** A corpus that no line of `src` names is decoded, planned and trained on; its rows hold ids above 65 535. */
import { readFile } from "node:fs/promises"
import t from "tap"
import type { LoadedCorpus } from "../../../src/data/corpora/corpus.js"
import { corpusKinds } from "../../../src/data/corpora/index.js"
import { registerCorpus } from "../../../src/data/corpora/stores.js"
import { openTraining } from "../../../src/data/corpora/training.js"
import { makeOnnxruntimeExecutor } from "../../../src/engine/onnxruntime/index.js"
import { registerTraced } from "../../../src/families/traced.js"
import { makePlan } from "../../../src/plan/plan.js"
import { mergePatch } from "../../../src/spec/merge-patch.js"
import { decodeSpec, type LoadedSpec } from "../../../src/spec/spec-file.js"
import { train } from "../../../src/train/loop.js"
import { toy } from "../../toy/family.js"
import { countingPart, countingStore } from "./toy.js"

const VOCABULARY = 151_670

const published = JSON.parse(await readFile("specs/mdlm_eos.json", "utf8")) as Record<string, unknown>

const decode = (patch: object): LoadedSpec => {
  const { model: _model, objective: _objective, data: _data, ...rest } = published
  const spec = {
    ...rest,
    model: { kind: "two-tables", width: 8, tableRows: VOCABULARY + 2 },
    objective: { kind: "denoise", rate: 0.5 },
    data: {
      corpus: { kind: "counting", from: 100_000, groups: 2 },
      tokenizer: {
        id: "counting",
        model: "file:pieces.json",
        vocabSize: VOCABULARY,
        boundaryId: 1,
        maskId: VOCABULARY,
        padId: VOCABULARY + 1,
      },
      batching: { kind: "random-windows", length: 8, shardsInMemory: 1, rotation: true },
    },
    evaluations: [
      {
        kind: "any-order",
        id: "any-order",
        windows: { length: 8, count: 4, alignment: "raw-stream" },
        draws: 2,
        seed: 1,
      },
    ],
    training: {
      seed: 1,
      stepsPerGroup: 2,
      microBatch: 2,
      accumulation: 1,
      clipNorm: 1,
      optimizer: { kind: "adamw", learningRate: 0.01, betas: [0.9, 0.99], eps: 1e-8, weightDecay: 0 },
      schedule: { kind: "constant", warmup: 0, warmupFrom: 0 },
      checkpointEvery: 100,
    },
  }
  const file = mergePatch(spec, { profiles: { laptop: null, ci: null }, sweep: null, ...patch })
  return decodeSpec(JSON.stringify(file), "counting.json", "paper")
}

void t.test("a corpus delivers ids above 65 535 of its own accord, and a step trains on them", async (t) => {
  const removeFamily = registerTraced(toy)
  t.teardown(removeFamily)
  t.throws(() => decode({}), /\/data\/corpus\/kind/, "unknown before")
  const remove = registerCorpus(countingPart, countingStore)
  t.throws(() => registerCorpus(countingPart, countingStore), /the corpus kind "counting" is taken/)
  const spec = decode({})
  const { experiment } = spec
  const plan = makePlan(spec, { cores: 2, memory: 8 * 2 ** 30 })
  t.match(plan.training, { shards: 1, groups: 2, stepsPerGroup: 2, steps: 4 }, "steps as the corpus says")
  t.match(JSON.stringify(plan.contracts[0]!.contract), /counting from 100000/)

  const rows = await openTraining(experiment, {} as LoadedCorpus)
  t.same(
    [...(await rows.rows(1, 2)).tokens],
    [...Array(8).keys()].map((i) => 100_100 + i).concat([...Array(8).keys()].map((i) => 100_101 + i)),
  )
  const executor = await makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads: 1 })
  t.teardown(() => executor.dispose())
  const losses: number[] = []
  const outcome = await train({
    experiment,
    executor,
    rows,
    onStep: ({ loss }) => void losses.push(loss),
    onCheckpoint: async () => undefined,
    shouldStop: () => false,
  })
  t.equal(outcome.step, 4)
  // Small random tables predict all classes about equally: ln 151 670 = 11.93 nats.
  t.ok(Math.abs(losses[0]! - Math.log(VOCABULARY)) < 0.05, `first loss ${losses[0]}`)
  // Only the rows of ids that were read have a gradient: those at 100 000 and not those at 100 000 - 65 536.
  const moments = Object.entries(outcome.state).find(([name]) => /^(?!ema).*\/table\.in$/.test(name))
  t.ok(moments, Object.keys(outcome.state).join(" "))
  const row = (id: number): number =>
    Math.max(...moments![1].data.subarray(8 * id, 8 * (id + 1)).map(Math.abs))
  t.ok(row(100_003) > 0)
  t.equal(row(100_003 - 65_536), 0)
  remove()
  t.notOk(corpusKinds().includes("counting"))
})

void t.test("shards of two bytes cannot hold such a vocabulary, which validation says", async (t) => {
  t.teardown(registerTraced(toy))
  t.throws(
    () =>
      decode({
        data: {
          tokenizer: { model: "file:pieces.model" },
          corpus: {
            from: null,
            groups: null,
            kind: "files",
            train: ["file:a.bin"],
            validation: ["file:b.bin"],
          },
        },
      }),
    /\/data\/tokenizer\/vocabSize: expected at most 65536, the ids that the shards' 16-bit integers hold, found 151670/,
  )
})
