/** FlexMDM trains: to the floor of the published loss, to the entropy of the data with averaged targets. */
import t, { type Test } from "tap"
import type { FlexmdmObjective } from "../../../src/families/flexmdm/schema.js"
import { objectivePart } from "../../../src/families/index.js"
import { networkOf } from "../../../src/families/traced.js"
import type { Executor, HostTensors } from "../../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../../src/engine/onnxruntime/index.js"
import { makeTensorflowExecutor } from "../../../src/engine/tensorflow/index.js"
import { learningRateFactor } from "../../../src/model/learning-rate.js"
import { integersBelow, stream } from "../../../src/diffusion/philox.js"
import type { Experiment } from "../../../src/spec/experiment.js"
import { layoutFor, shapeFor } from "../../../src/train/layout.js"
import { tracePrograms } from "../../../src/train/programs.js"
import { initialState, stepScalars } from "../../../src/train/state.js"
import { relativeDifference } from "../../engine/parity.js"
import { testWithLibrary } from "../../engine/tensorflow/available.js"
import { openTorch, testWithTorch } from "../../engine/torch/available.js"
import { paddedRows, tinyFlexmdm, TOKENIZER } from "./tiny.js"

t.setTimeout(540_000)
const options = { precision: "fp32", device: "cpu", threads: 1 } as const

interface Toy {
  readonly experiment: Experiment
  /** The rows of the corpus, drawn in turn. */
  readonly corpus: readonly (readonly number[])[]
}

interface Trained {
  readonly losses: readonly number[]
  readonly programs: readonly number[]
  readonly state: HostTensors
}

/** Steps of training, as the training loop makes them; a learning rate of 0 leaves the weights as they are. */
const run = async (
  executor: Executor,
  { experiment, corpus }: Toy,
  { steps, first = 0, frozen = false, state }: { steps: number; first?: number; frozen?: boolean; state?: HostTensors }, // prettier-ignore
): Promise<Trained> => {
  const { training, objective } = experiment
  const network = networkOf(experiment)
  const { length } = experiment.data.batching
  const typical = corpus.map((row) => ({ length: row.length, free: row.length }))
  const layout = layoutFor(experiment, executor.layout, typical)
  const programs = tracePrograms({ network, training, slices: layout.slices, feeds: layout.programs })
  const feeder = objectivePart(objective).feeds(objective, {
    ...shapeFor(experiment),
    tokenizer: TOKENIZER,
    seed: training.seed,
    accumulation: training.accumulation,
    layout,
  })
  const trainer = await executor.trainer(programs, state ?? initialState(network, training))
  const losses: number[] = []
  const used: number[] = []
  const count = training.microBatch * training.accumulation
  for (let step = first; step < first + steps; step++) {
    const chosen = integersBelow(stream(training.seed, "data"), [step], corpus.length, count)
    const rows = Array.from({ length: count }, (_, i) => corpus[chosen[i]!]!)
    const { micro, program } = feeder(step, { tokens: paddedRows(rows, length), length })
    const factor = frozen ? 0 : learningRateFactor(training, step, 1)
    losses.push((await trainer.step(micro, stepScalars(training, step, factor), program)).loss)
    used.push(program)
  }
  const end = await trainer.readState()
  await trainer.dispose()
  return { losses, programs: used, state: end }
}

const toy = (
  length: number,
  corpus: Toy["corpus"],
  objective: Partial<FlexmdmObjective>,
  training: Partial<Experiment["training"]> = {},
): Toy => ({
  corpus,
  experiment: tinyFlexmdm({
    length,
    objective,
    model: { layers: 1, gapHead: { scale: length, bias: -1 } },
    training: {
      microBatch: 32,
      stepsPerGroup: 400,
      optimizer: { kind: "adamw", learningRate: 1e-2, betas: [0.9, 0.99], eps: 1e-8, weightDecay: 0 },
      ...training,
    },
  }),
})

/** Nats per sequence after training, over `steps` fresh micro-batches of 32 rows. */
const nats = async (given: Toy, steps: number): Promise<number> => {
  const executor = await makeOnnxruntimeExecutor(options)
  const { state } = await run(executor, given, { steps: given.experiment.training.stepsPerGroup })
  const { losses } = await run(executor, given, { steps, first: 10_000, frozen: true, state })
  await executor.dispose()
  return (losses.reduce((a, b) => a + b, 0) / steps) * given.experiment.data.batching.length
}

/**
 * Two equal tokens, weights capped at 20: the loss is conditioned on which of them is there, and a model cannot know it.
 * With one left of two, probability 2t(1 - t), the divergence at the mean gaps of 1/2 is ln 2; without the cap that
 * integrates to ln 2 (the table of floors), with it to ln 2 (integral of 2t up to 0.95, of 40t(1 - t) from there).
 */
void t.test(
  "constant tokens: the published loss falls to its floor, averaged targets fall to 0",
  async (t) => {
    const capped = Math.LN2 * (0.95 ** 2 + 40 * (1 / 6 - 0.95 ** 2 / 2 + 0.95 ** 3 / 3))
    const hidden = await nats(toy(2, [[1, 1]], { weightCap: 20 }), 300)
    // Standard error of 9 600 rows about 0.012.
    t.ok(Math.abs(hidden - capped) < 0.05, `${hidden} nats, floor ${capped}`)
    const averaged = await nats(toy(2, [[1, 1]], { weightCap: 20, targets: "averaged" }), 200)
    t.ok(averaged > 0 && averaged < 0.02, `${averaged} nats with averaged targets`)
  },
)

const xlnx = (x: number): number => (x === 0 ? 0 : x * Math.log(x))

/** Of the linear schedule. */
const hazard = (s: number): number => 1 / (1 - s)

/** E[x ln x] - m ln m of gaps x with mean m, times the probability of the state. */
const left = (cases: readonly (readonly [probability: number, gap: number])[]): number => {
  const all = cases.reduce((sum, [p]) => sum + p, 0)
  const mean = cases.reduce((sum, [p, x]) => sum + p * x, 0) / all
  return cases.reduce((sum, [p, x]) => sum + p * xlnx(x), 0) - all * xlnx(mean)
}

/**
 * The least nats of {a, aa} in equal shares, weighted: an empty state misses 1 or 2 tokens, a state of one token misses
 * 0 or 1/2 in either slot; the best prediction is the mean m, and what is left is E[x ln x] - m ln m.
 */
const leastOfLengths = (weight: (t: number) => number): number => {
  const steps = 100_000
  let sum = 0
  for (let i = 0; i < steps; i++) {
    const t = (i + 0.5) / steps
    const empty = left([
      [(1 - t) / 2, 1],
      [(1 - t) ** 2 / 2, 2],
    ])
    const slot = left([
      [t / 2, 0],
      [t * (1 - t), 0.5],
    ])
    sum += (weight(t) * (empty + 2 * slot)) / steps
  }
  return sum
}

void t.test(
  "averaged targets: the loss is the entropy of the data, up to the cap of the weights",
  async (t) => {
    t.ok(Math.abs(leastOfLengths(hazard) - Math.LN2) < 1e-4, "without a cap ln 2: half a, half aa")
    const least = leastOfLengths((s) => Math.min(20, hazard(s)))
    const bound = await nats(toy(2, [[1], [1, 1]], { targets: "averaged", weightCap: 20 }), 300)
    // Standard error of 9 600 rows about 0.01; what training leaves is above.
    t.ok(bound > least - 0.03 && bound < least + 0.05, `${bound} nats, least ${least}`)
  },
)

const mixed = toy(
  12,
  Array.from({ length: 29 }, (_, i) => Array.from({ length: (i * 5) % 13 }, (_, j) => 1 + ((i + j) % 7))),
  { weightCap: 20 },
  { microBatch: 8, accumulation: 2, stepsPerGroup: 5 },
)

const same = (t: Pick<Test, "ok">, ours: Trained, other: Trained): void => {
  ours.losses.forEach((loss, i) =>
    t.ok(Math.abs(other.losses[i]! / loss - 1) < 1e-4, `loss of step ${i + 1}: ${other.losses[i]}, ${loss}`),
  )
  for (const [name, { data }] of Object.entries(ours.state))
    // Adam divides by the root of what it has seen of a gradient: differences of rounding grow where that is small.
    t.ok(relativeDifference(data, other.state[name]!.data) < 5e-3, name)
}

const trainedHere = async (): Promise<Trained> => {
  const executor = await makeOnnxruntimeExecutor(options)
  const trained = await run(executor, mixed, { steps: 5 })
  await executor.dispose()
  return trained
}

const reference = trainedHere()

void t.test("slices of one width or of their own: the same training", async (t) => {
  const trained = await reference
  const executor = await makeOnnxruntimeExecutor(options)
  const other = await run({ ...executor, layout: { slices: 8, sizes: "many" } }, mixed, { steps: 5 })
  await executor.dispose()
  same(t, trained, other)
  const again = await trainedHere()
  t.same(again, trained, "bit for bit, when nothing differs")
})

testWithLibrary("tensorflow trains alike", async (t) => {
  const executor = await makeTensorflowExecutor({ ...options, threads: 2 })
  same(t, await reference, await run(executor, mixed, { steps: 5 }))
  await executor.dispose()
})

testWithTorch("torch trains alike: a loss for each slice, summed", async (t) => {
  same(t, await reference, await run(await openTorch(t), mixed, { steps: 5 }))
})
