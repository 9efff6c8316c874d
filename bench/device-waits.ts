/**
 * How long a device waits for this process: the real loop, rows, corruption and feeds of a shape, and a device that
 * does nothing but take its time. Prints the share of its time that it was idle between two steps.
 *
 *   tsx bench/device-waits.ts [milliseconds of a step] [steps]
 */
import { openRowSource } from "../src/data/rows/row-source.js"
import type { TrainingRows } from "../src/data/rows/training-rows.js"
import { integersBelow, stream } from "../src/diffusion/philox.js"
import { WHOLE, type Executor } from "../src/engine/executor.js"
import type { Experiment } from "../src/spec/experiment.js"
import { train } from "../src/train/loop.js"
import { benchExperiment, gpuShape, PUBLISHED_BATCH } from "./shapes.js"

export interface Waiting {
  readonly steps: number
  /** Milliseconds that the device worked, and that it waited between its first and last step. */
  readonly worked: number
  readonly waited: number
  readonly share: number
}

const refuse = (): never => {
  throw new Error("the artificial device computes nothing")
}

/** A device whose every step takes `milliseconds`; `idle` collects the pauses between them. */
const artificialDevice = (milliseconds: number, idle: number[]): Executor => {
  let free: number | undefined
  return {
    name: "torch",
    version: "artificial",
    layout: WHOLE,
    evaluator: refuse,
    weights: refuse,
    dispose: () => Promise.resolve(),
    trainer: () =>
      Promise.resolve({
        step: async () => {
          const begun = performance.now()
          if (free !== undefined) idle.push(begun - free)
          await new Promise((resolve) => setTimeout(resolve, milliseconds))
          free = performance.now()
          return { loss: 1, gradNorm: 1 }
        },
        readState: () => Promise.resolve({}),
        dispose: () => Promise.resolve(),
      }),
  }
}

/** Two million random tokens with a boundary about every 300. */
const artificialRows = ({ data, training }: Experiment): TrainingRows => {
  const tokens = Uint16Array.from(integersBelow(stream(1, "sample"), [], 1020, 2e6), (n, i) =>
    i % 300 === 0 ? 1 : n + 4,
  )
  const { batching, tokenizer } = data
  const { seed, stepsPerGroup } = training
  return {
    ...openRowSource(
      { group: (index) => Promise.resolve({ index, shards: ["artificial"], tokens }) },
      { batching, tokenizer, seed, stepsPerGroup },
    ),
    groups: 1,
    close: () => Promise.resolve(),
  }
}

export const deviceWaits = async (
  milliseconds: number,
  steps: number,
  experiment: Experiment = benchExperiment(gpuShape(PUBLISHED_BATCH)),
): Promise<Waiting> => {
  const idle: number[] = []
  const short = {
    ...experiment,
    training: { ...experiment.training, stepsPerGroup: steps, checkpointEvery: steps },
  }
  await train({
    experiment: short,
    executor: artificialDevice(milliseconds, idle),
    rows: artificialRows(short),
    resume: { step: 0, state: {} },
    onStep: () => undefined,
    onCheckpoint: () => Promise.resolve(),
    shouldStop: () => false,
  })
  const waited = idle.reduce((a, b) => a + b, 0)
  const worked = milliseconds * steps
  return { steps, worked, waited, share: waited / (worked + waited) }
}

if (process.argv[1]?.endsWith("device-waits.ts") === true) {
  const { share, waited, steps } = await deviceWaits(
    Number(process.argv[2] ?? 50),
    Number(process.argv[3] ?? 100),
  )
  process.stdout.write(
    `the device waited ${waited.toFixed(1)} ms in ${steps} steps: ${(100 * share).toFixed(2)} %\n`,
  )
}
