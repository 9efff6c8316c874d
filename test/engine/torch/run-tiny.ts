/** Trains the tiny experiment on an executor. */
import type { Executor, HostTensors } from "../../../src/engine/executor.js"
import { train, type StepReport } from "../../../src/train/loop.js"
import { tinyData, type tinyExperiment } from "../../train/tiny.js"

export const adamw = {
  kind: "adamw",
  learningRate: 3e-3,
  betas: [0.9, 0.95],
  eps: 1e-8,
  weightDecay: 0.1,
} as const
export const relative = (a: number, b: number): number => Math.abs(a / b - 1)

/** The state, losses and gradient norms of a run, or of a part of it. */
export const run = async (
  executor: Executor,
  experiment: ReturnType<typeof tinyExperiment>,
  options: { readonly stopAfter?: number; readonly resume?: { step: number; state: HostTensors } } = {},
) => {
  const data = await tinyData()
  const rows = await data.rows(experiment)
  const reports: StepReport[] = []
  try {
    const outcome = await train({
      experiment,
      executor,
      rows,
      resume: options.resume,
      onStep: (report) => void reports.push(report),
      onCheckpoint: () => Promise.resolve(),
      shouldStop: () => reports.at(-1)!.step === options.stopAfter,
    })
    return {
      step: outcome.step,
      state: outcome.state,
      losses: reports.map((r) => r.loss),
      norms: reports.map((r) => r.gradNorm),
    }
  } finally {
    await rows.close()
    await data.remove()
  }
}
