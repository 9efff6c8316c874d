/**
 * Noise does not depend on topology: the loss curve for any number of processes, and for a resumed run. Slices, which
 * other executors take, hold the same noise; that their losses agree is tested in `slices.test.ts`.
 */
import t, { type Test } from "tap"
import type { Feeds } from "../../src/diffusion/batch.js"
import type { Executor, HostTensors } from "../../src/engine/executor.js"
import type { Experiment } from "../../src/spec/experiment.js"
import { openRowSource } from "../../src/data/rows/row-source.js"
import { objectivePart } from "../../src/families/index.js"
import { layoutFor } from "../../src/train/layout.js"
import { train } from "../../src/train/loop.js"
import { openTorch, testWithTorch } from "../engine/torch/available.js"
import { tinyData, tinyExperiment } from "./tiny.js"

// Each worker loads PyTorch, which takes seconds on a busy machine.
t.setTimeout(540_000)

const adamw = { kind: "adamw", learningRate: 3e-3, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0.1 } as const
const STEPS = 6
const experimentOf = (accumulation: number): Experiment =>
  tinyExperiment({
    training: { stepsPerGroup: 2, microBatch: 4, accumulation, optimizer: adamw, checkpointEvery: 3 },
    objective: { ...tinyExperiment().objective, weight: "nelbo" } as Experiment["objective"],
  })

interface Curve {
  readonly losses: readonly number[]
  readonly state: HostTensors
  /** State after half of the steps. */
  readonly half: HostTensors
}

const curve = async (experiment: Experiment, executor: Executor, from?: HostTensors): Promise<Curve> => {
  const data = await tinyData()
  const rows = await data.rows(experiment)
  const losses: number[] = []
  let half: HostTensors = {}
  try {
    const { state } = await train({
      experiment,
      executor,
      rows,
      resume: from === undefined ? undefined : { step: STEPS / 2, state: from },
      onStep: ({ loss }) => void losses.push(loss),
      onCheckpoint: (step, reached) => {
        if (step === STEPS / 2) half = reached
        return Promise.resolve()
      },
      shouldStop: () => false,
    })
    return { losses, state, half }
  } finally {
    await rows.close()
    await data.remove()
    await executor.dispose()
  }
}

const same = (test: Test, found: Curve, expected: Curve, what: string): void => {
  test.same(found.losses, expected.losses, `${what}: every loss to the last bit`)
  for (const [name, { data }] of Object.entries(expected.state))
    test.ok(Buffer.from(data.buffer).equals(Buffer.from(found.state[name]!.data.buffer)), `${what}: ${name}`)
}

/** fp32 sums of four gradients in another order, over six steps of Adam. */
const BOUND = 1e-5

const near = (test: Test, found: Curve, expected: Curve, what: string): void => {
  test.equal(found.losses.length, expected.losses.length)
  found.losses.forEach((loss, i) =>
    test.ok(Math.abs(loss / expected.losses[i]! - 1) < BOUND, `${what}: loss of step ${i + 1}`),
  )
}

testWithTorch("two processes, one, and a resumed run: the same to the last bit", async (test) => {
  // Each process has one of two micro-batches: their sum has one order, and halving is exact.
  const experiment = experimentOf(2)
  const whole = await curve(experiment, await openTorch(test))
  test.equal(whole.losses.length, STEPS)
  test.equal(new Set(whole.losses).size, STEPS, "every step has a loss of its own")
  const two = await curve(experiment, await openTorch(test, { processes: 2 }))
  same(test, two, whole, "two processes")
  const resumed = await curve(experiment, await openTorch(test), whole.half)
  same(
    test,
    { ...resumed, losses: [...whole.losses.slice(0, STEPS / 2), ...resumed.losses] },
    whole,
    "resumed",
  )
  const moved = await curve(experiment, await openTorch(test, { processes: 2 }), whole.half)
  same(
    test,
    { ...moved, losses: [...whole.losses.slice(0, STEPS / 2), ...moved.losses] },
    whole,
    "resumed on two",
  )
})

testWithTorch("four processes: within rounding", async (test) => {
  const experiment = experimentOf(4)
  const whole = await curve(experiment, await openTorch(test))
  near(test, await curve(experiment, await openTorch(test, { processes: 4 })), whole, "four processes")
})

/** What the rows of one micro-batch are made of, in an order of their own: slices deal rows anew. */
const drawn = (micro: readonly Feeds[], rows: number): readonly string[] =>
  micro
    .flatMap((feeds) => {
      const [ids, sigma] = [feeds["inputIds"]!.data, feeds["sigma"]!.data]
      const length = ids.length / rows
      return Array.from({ length: rows }, (_, r) =>
        [sigma[r], ...ids.subarray(r * length, (r + 1) * length)].join(),
      )
    })
    .sort()

void t.test("slices hold the very rows, masks included, of the micro-batch as a whole", async (test) => {
  const experiment = experimentOf(2)
  const data = await tinyData()
  const rotation = await data.rotation()
  test.teardown(async () => {
    await rotation.close()
    await data.remove()
  })
  const { batching, tokenizer } = experiment.data
  const { seed, stepsPerGroup, microBatch, accumulation } = experiment.training
  const source = openRowSource(rotation, { batching, tokenizer, seed, stepsPerGroup })
  for (const step of [0, 1, 2]) {
    const rows = await source.rows(step, microBatch * accumulation)
    const [one, two] = [1, 2].map((slices) => {
      const layout = layoutFor(experiment, { slices, sizes: "few" })
      const feeder = objectivePart(experiment.objective).feeds(experiment.objective, {
        tokenizer,
        seed,
        length: batching.length,
        microBatch,
        accumulation,
        layout,
      })
      return drawn(feeder(step, rows).micro, layout.rows)
    })
    test.equal(one!.length, microBatch * accumulation)
    test.same(two, one, `step ${step}`)
  }
})
