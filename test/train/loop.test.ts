import { test } from "tap"
import type { HostTensors } from "../../src/engine/executor.js"
import { makeOnnxruntimeExecutor } from "../../src/engine/onnxruntime/index.js"
import { makeTfjsExecutor } from "../../src/engine/tfjs/index.js"
import { train, type StepReport } from "../../src/train/loop.js"
import { relativeDifference } from "../engine/parity.js"
import { tinyData, tinyExperiment } from "./tiny.js"

const onnxruntime = () => makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads: 1 })

const run = async (
  experiment: ReturnType<typeof tinyExperiment>,
  options: {
    readonly stopAfter?: number
    readonly resume?: { step: number; state: HostTensors }
    readonly oracle?: boolean
  } = {},
) => {
  const data = await tinyData()
  const rows = await data.rows(experiment)
  const executor =
    options.oracle === true
      ? await makeTfjsExecutor({ precision: "fp32", device: "cpu", threads: 1 })
      : await onnxruntime()
  const reports: StepReport[] = []
  const checkpoints: number[] = []
  try {
    const outcome = await train({
      experiment,
      executor,
      rows,
      resume: options.resume,
      onStep: (report) => void reports.push(report),
      onCheckpoint: (step) => {
        checkpoints.push(step)
        return Promise.resolve()
      },
      shouldStop: () => reports.at(-1)!.step === options.stopAfter,
    })
    return { outcome, reports, checkpoints }
  } finally {
    await rows.close()
    await data.remove()
  }
}

const identical = (a: HostTensors, b: HostTensors): boolean =>
  Object.entries(a).every(
    ([name, { data }]) => Buffer.compare(Buffer.from(data.buffer), Buffer.from(b[name]!.data.buffer)) === 0,
  )

void test("a run that stops after any step and goes on ends bit-identically", async (t) => {
  const experiment = tinyExperiment()
  const whole = await run(experiment)
  t.equal(whole.outcome.step, 18, "3 groups of 6 steps")
  t.same(whole.checkpoints, [5, 10, 15, 18])
  for (const stopAfter of [1, 6, 11]) {
    const first = await run(experiment, { stopAfter })
    t.ok(first.outcome.stopped)
    t.equal(first.outcome.step, stopAfter)
    t.equal(first.checkpoints.at(-1), stopAfter, "stopping leaves a checkpoint")
    const second = await run(experiment, { resume: { step: stopAfter, state: first.outcome.state } })
    t.ok(
      identical(whole.outcome.state, second.outcome.state),
      `stopped after ${stopAfter}: every tensor is equal bit by bit`,
    )
    t.same(
      [...first.reports, ...second.reports].map((r) => r.loss),
      whole.reports.map((r) => r.loss),
    )
  }
})

void test("onnxruntime trains as the eager oracle does: losses and every tensor after three steps", async (t) => {
  const experiment = tinyExperiment({ training: { stepsPerGroup: 1, emaDecay: 0.9 } })
  const [oracle, ours] = [await run(experiment, { oracle: true }), await run(experiment)]
  oracle.reports.forEach((report, i) => {
    // fp32 sums in another order; 1e-5 of the loss.
    t.ok(Math.abs(report.loss / ours.reports[i]!.loss - 1) < 1e-5, `loss of step ${report.step}`)
  })
  for (const [name, tensor] of Object.entries(oracle.outcome.state)) {
    // Adam divides a moment by its own root, so rounding in small gradients is magnified: 1e-3 after three steps.
    t.ok(relativeDifference(tensor.data, ours.outcome.state[name]!.data) < 1e-3, name)
  }
})

void test("a diverging run names the step and the cure", async (t) => {
  const adamw = { kind: "adamw", learningRate: 1e38, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0 } as const
  const experiment = tinyExperiment({
    training: {
      optimizer: adamw,
      schedule: { warmup: 0, warmdown: 0, shape: "linear", floor: 1, restart: false },
    },
  })
  await t.rejects(run(experiment), {
    name: "DivergenceError",
    message: /training diverged: the .* of step \d+ is .*learningRate/,
  })
})
