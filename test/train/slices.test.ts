/** A step in slices is the step as a whole, but for the order of additions. */
import t, { type Test } from "tap"
import type { Executor, HostTensors, StepLayout } from "../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../src/engine/onnxruntime/index.js"
import { makeTensorflowExecutor } from "../../src/engine/tensorflow/index.js"
import { layoutFor } from "../../src/train/layout.js"
import { train } from "../../src/train/loop.js"
import type { Experiment } from "../../src/spec/experiment.js"
import { relativeDifference } from "../engine/parity.js"
import { testWithLibrary } from "../engine/tensorflow/available.js"
import { tinyData, tinyExperiment } from "./tiny.js"

t.setTimeout(540_000)

const options = { precision: "fp32", device: "cpu", threads: 2 } as const

const adamw = { kind: "adamw", learningRate: 3e-3, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0.1 } as const
const experiments: Readonly<Record<string, Experiment>> = {
  "masked diffusion, Muon": tinyExperiment({ training: { stepsPerGroup: 1 } }),
  "masked diffusion, AdamW, independent times": tinyExperiment({
    training: { stepsPerGroup: 1, microBatch: 8, accumulation: 1, optimizer: adamw, emaDecay: 0.9 },
    objective: { ...tinyExperiment().objective, times: "independent" } as Experiment["objective"],
  }),
  autoregressive: tinyExperiment({
    training: { stepsPerGroup: 1, optimizer: adamw },
    objective: { kind: "autoregressive" } as Experiment["objective"],
    model: { attention: "causal", conditioning: { kind: "none" } },
  }),
}

interface Trained {
  readonly losses: readonly number[]
  readonly state: HostTensors
}

const run = async (experiment: Experiment, executor: Executor): Promise<Trained> => {
  const data = await tinyData()
  const rows = await data.rows(experiment)
  const losses: number[] = []
  try {
    const { state } = await train({
      experiment,
      executor,
      rows,
      onStep: ({ loss }) => void losses.push(loss),
      onCheckpoint: () => Promise.resolve(),
      shouldStop: () => false,
    })
    return { losses, state }
  } finally {
    await rows.close()
    await data.remove()
    await executor.dispose()
  }
}

const cut = (executor: Executor, layout: StepLayout): Executor => ({ ...executor, layout })

for (const [name, experiment] of Object.entries(experiments)) {
  const same = (t: Test, whole: Trained, sliced: Trained, what: string): void => {
    t.equal(sliced.losses.length, whole.losses.length)
    // fp32 sums in another order: 1e-5 of the loss; Adam and Muon divide by a norm: 1e-3 after three steps.
    whole.losses.forEach((loss, i) =>
      t.ok(Math.abs(sliced.losses[i]! / loss - 1) < 1e-5, `${what}: loss of step ${i + 1}`),
    )
    for (const [key, { data }] of Object.entries(whole.state))
      t.ok(relativeDifference(data, sliced.state[key]!.data) < 1e-3, `${what}: ${key}`)
  }

  const inOne = makeOnnxruntimeExecutor(options).then((executor) => run(experiment, executor))

  void t.test(`${name}: two slices on onnxruntime`, async (t) => {
    const layout = { slices: 2, sizes: "many" } as const
    t.equal(layoutFor(experiment, layout).slices, 2)
    const whole = await inOne
    same(t, whole, await run(experiment, cut(await makeOnnxruntimeExecutor(options), layout)), "onnxruntime")
  })

  testWithLibrary(`${name}: tensorflow, a slice for each of two threads`, async (t) => {
    const whole = await inOne
    for (const threads of [1, 2]) {
      const executor = await makeTensorflowExecutor({ ...options, threads })
      t.same(executor.layout, { slices: threads, sizes: "many" })
      same(t, whole, await run(experiment, executor), `tensorflow, ${threads} threads`)
    }
  })
}
