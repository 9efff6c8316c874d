/** What to change when a training run does not fit: the same global batch in smaller micro-batches. */
import { asOutOfMemory, OutOfMemoryError } from "../engine/errors.js"
import type { Executor } from "../engine/executor.js"
import type { Experiment } from "../spec/experiment.js"
import { memoryEstimate } from "./cost.js"

export interface BatchSplit {
  readonly microBatch: number
  readonly accumulation: number
  /** Bytes, estimated. */
  readonly bytes: number
}

/** Bytes that must fit: on a GPU neither the program nor the shards. */
const neededBytes = (experiment: Experiment, gpu: boolean): number => {
  const { total, program, shards } = memoryEstimate(experiment)
  return gpu ? total - program - shards : total
}

/**
 * The largest micro-batch below the experiment's own that divides it and fits into `bytes` by the plan's estimate, with
 * the accumulation that keeps the global batch. Undefined where none fits.
 */
export const smallerBatch = (experiment: Experiment, bytes: number, gpu: boolean): BatchSplit | undefined => {
  const { training } = experiment
  for (let parts = 2; parts <= training.microBatch; parts++) {
    if (training.microBatch % parts !== 0) continue
    const split = { microBatch: training.microBatch / parts, accumulation: training.accumulation * parts }
    const needed = neededBytes({ ...experiment, training: { ...training, ...split } }, gpu)
    if (needed <= bytes) return { ...split, bytes: needed }
  }
  return undefined
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`

/**
 * An out-of-memory failure of training with the plan's estimate and the setting that would fit; any other error as it is.
 *
 * @param machineBytes memory of the machine; that of a GPU comes with the error, where it is known
 */
export const explainMemory = (
  error: unknown,
  experiment: Experiment,
  {
    executor,
    device,
    machineBytes,
  }: { executor: Executor["name"]; device: "cpu" | "gpu"; machineBytes: number },
): unknown => {
  const failure = asOutOfMemory(executor, error)
  if (failure === undefined) return error
  const gpu = device === "gpu"
  const bytes = gpu ? failure.gpuBytes : machineBytes
  const { microBatch, accumulation } = experiment.training
  const split = smallerBatch(experiment, bytes ?? Infinity, gpu)
  const there = bytes === undefined ? "" : ` and ${gpu ? "this GPU" : "this machine"} has ${gib(bytes)}`
  const estimate = `the plan estimates ${gib(neededBytes(experiment, gpu))} for micro-batches of ${microBatch}${there}`
  const cure =
    split === undefined
      ? `no smaller micro-batch fits either: use a machine with more memory, --precision bf16 where the executor has it, or a smaller profile`
      : `set /training/microBatch to ${split.microBatch} and /training/accumulation to ${split.accumulation} (about ${gib(split.bytes)}), which keeps the batch of ${microBatch * accumulation} sequences`
  return new OutOfMemoryError(executor, `${failure.problem}; ${estimate}`, cure, {
    cause: error,
    gpuBytes: failure.gpuBytes,
  })
}
