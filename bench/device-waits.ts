/**
 * How long a device waits for its host: the real loop, rows, corruption, feeds, pipe and worker, and a device that does
 * nothing but take its time (`artificial_worker.py`). Prints the share of its time that it had nothing to do.
 *
 *   tsx bench/device-waits.ts [milliseconds of a step] [steps] [milliseconds until results are on the host]
 */
import { fileURLToPath } from "node:url"
import { openRowSource } from "../src/data/rows/row-source.js"
import type { TrainingRows } from "../src/data/rows/training-rows.js"
import { integersBelow, stream } from "../src/diffusion/philox.js"
import type { Executor } from "../src/engine/executor.js"
import { makeTorchExecutor, workerCommand } from "../src/engine/torch/index.js"
import type { Experiment } from "../src/spec/experiment.js"
import { train } from "../src/train/loop.js"
import { benchExperiment, gpuShape, PUBLISHED_BATCH } from "./shapes.js"

export interface Device {
  /** Milliseconds of a step on the device. */
  readonly step: number
  /** Milliseconds from a step's end until its results are on the host. */
  readonly late: number
}

export interface Waiting {
  readonly steps: number
  /** Milliseconds that the device worked, and that it waited between its first and last step. */
  readonly worked: number
  readonly waited: number
  readonly share: number
  /** Steps in the order in which they were reported. */
  readonly reported: readonly number[]
}

const artificialDevice = async ({ step, late }: Device): Promise<Executor> => {
  const { file, env } = await workerCommand({ processes: 1 }, process.env)
  const worker = fileURLToPath(new URL("artificial_worker.py", import.meta.url))
  const command = { file, args: ["-u", worker, String(step), String(late)], env }
  return makeTorchExecutor({ precision: "fp32", device: "cpu", threads: 1, command })
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

/** @throws ExecutorError where there is no Python with PyTorch */
export const deviceWaits = async (
  device: Device,
  steps: number,
  experiment: Experiment = benchExperiment(gpuShape(PUBLISHED_BATCH)),
): Promise<Waiting> => {
  const short = {
    ...experiment,
    training: { ...experiment.training, stepsPerGroup: steps, checkpointEvery: steps },
  }
  const executor = await artificialDevice(device)
  const reported: number[] = []
  try {
    const { state } = await train({
      experiment: short,
      executor,
      rows: artificialRows(short),
      onStep: ({ step }) => void reported.push(step),
      onCheckpoint: () => Promise.resolve(),
      shouldStop: () => false,
    })
    const [worked, waited] = ["worked", "waited"].map((name) => state[name]!.data[0]!) as [number, number]
    return { steps, worked, waited, share: waited / (worked + waited), reported }
  } finally {
    await executor.dispose()
  }
}

if (process.argv[1]?.endsWith("device-waits.ts") === true) {
  const [step, count, late] = [50, 100, 0].map((usual, i) => Number(process.argv[2 + i] ?? usual))
  const { share, waited, steps } = await deviceWaits({ step: step!, late: late! }, count!)
  process.stdout.write(
    `the device waited ${waited.toFixed(1)} ms in ${steps} steps: ${(100 * share).toFixed(2)} %\n`,
  )
}
