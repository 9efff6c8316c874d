/** A job of the bundle: a network under its loss, with feeds of some steps, written as the frames that the worker takes. */
import { nodeArguments } from "../../scripts/node-arguments.js"
import type { Draw } from "../../src/engine/draw.js"
import { startDraw } from "../../src/engine/draw.js"
import type { Executor, Feeds, HostTensors } from "../../src/engine/executor.js"
import type { Graph, Storage } from "../../src/engine/ir.js"
import { makeTfjsExecutor } from "../../src/engine/tfjs/index.js"
import { makeTorchExecutor } from "../../src/engine/torch/index.js"
import { trace, type TraceInput } from "../../src/engine/trace/trace.js"
import { loadWeights, type Weights, type WeightSource, type WeightSpec } from "../../src/engine/weights.js"
import { writeSafetensors } from "../../src/files/safetensors.js"
import type { Tensors } from "../../src/model/layers.js"
import type { FeedSpec, Network } from "../../src/model/network.js"
import { describeUpdate } from "../../src/model/optimizer.js"
import { optimizerState, trainable } from "../../src/model/optimizer-state.js"
import type { ParameterSpec } from "../../src/model/parameters.js"
import type * as tf from "../../src/model/tf.js"
import type { Training } from "../../src/spec/training.js"
import { traceGradients } from "../../src/train/programs.js"
import { stepScalars } from "../../src/train/state.js"

/** A function of the parameters that is run forward, with feeds of some passes. */
export interface Forward {
  readonly name: string
  readonly feeds: readonly FeedSpec[]
  readonly compute: (parameters: Tensors, feeds: Tensors) => Record<string, tf.Tensor>
  readonly passes: readonly Feeds[]
}

export interface BundleJob {
  readonly name: string
  readonly family: "mdlm" | "ar" | "flexmdm" | "llada"
  /** Frozen ones are held in bf16 and have no gradient. */
  readonly parameters: readonly ParameterSpec[]
  readonly training: Training
  readonly loss: (parameters: Tensors, feeds: Tensors) => tf.Tensor
  readonly feeds: readonly FeedSpec[]
  /** Feeds of each micro-batch of each step. */
  readonly steps: readonly (readonly Feeds[])[]
  readonly forwards: readonly Forward[]
  /** Rows and positions of one micro-batch. */
  readonly rows: number
  readonly length: number
  /** FLOPs of the model in one train step. */
  readonly trainFlops: number
  /** What the reference is built from. */
  readonly model: object
  readonly ids: { readonly mask: number; readonly pad: number; readonly classes: number }
}

/** Seed of the `init` stream, and where gradients are compared also of parameters that start as constants. */
const SEED = 42

const storageOf = ({ frozen }: ParameterSpec): Storage => (frozen === true ? "bf16" : "f32")

/** How parameters and optimiser start, for whoever has the words of the streams: nothing is stored. */
export const drawnState = ({
  parameters,
  training,
}: BundleJob): WeightSource & { readonly kind: "drawn" } => {
  const slots = optimizerState(parameters, training).map(({ name, shape, init }) => {
    const draw: Draw =
      init.kind === "parameter"
        ? startDraw(init.name, parameters.find((p) => p.name === init.name)!.init, SEED)
        : startDraw(name, init, SEED)
    return { name, shape, draw }
  })
  const own = parameters.map((spec) => ({
    name: spec.name,
    shape: spec.shape,
    storage: storageOf(spec),
    draw: startDraw(spec.name, spec.init, SEED),
  }))
  return { kind: "drawn", tensors: [...own, ...slots] }
}

const parameterInputs = (specs: readonly ParameterSpec[], held: boolean): readonly TraceInput[] =>
  specs.map((spec) => ({
    name: spec.name,
    kind: held && spec.frozen === true ? "frozen" : "parameter",
    dtype: "f32",
    shape: spec.shape,
    ...(held && spec.frozen === true ? { storage: storageOf(spec) } : {}),
  }))

const feedInputs = (feeds: readonly FeedSpec[]): readonly TraceInput[] =>
  feeds.map(({ name, dtype, shape }) => ({ name, kind: "feed", dtype, shape }))

const forwardGraph = ({ parameters }: BundleJob, { name, feeds, compute }: Forward): Graph =>
  trace(name, [...parameterInputs(parameters, true), ...feedInputs(feeds)], (all) => compute(all, all))

/** An executor whose requests end in a file, with the job's weights. */
const recording = async (
  file: string,
  passes: number,
  source: WeightSource,
  use: (executor: Executor, weights: Weights) => Promise<void>,
): Promise<void> => {
  const executor = await makeTorchExecutor({
    precision: "fp32",
    device: "cpu",
    threads: 1,
    command: {
      file: process.execPath,
      args: [...nodeArguments("bench/bundle/recorder.ts"), file, String(passes)],
      env: { ...process.env },
    },
  })
  try {
    await use(executor, await executor.weights(source))
  } finally {
    await executor.dispose()
  }
}

const named = (
  source: WeightSource & { readonly kind: "drawn" },
  names: readonly string[],
): WeightSource => ({
  kind: "drawn",
  tensors: source.tensors.filter(({ name }: WeightSpec) => names.includes(name)),
})

/** The job's trainer and steps. */
export const recordTraining = (job: BundleJob, file: string): Promise<void> =>
  recording(file, 0, drawnState(job), async (executor, weights) => {
    const loss = trace(
      "loss",
      [...parameterInputs(job.parameters, true), ...feedInputs(job.feeds)],
      (all) => ({
        loss: job.loss(all, all),
      }),
    )
    const refuse = (): never => {
      throw new Error(`${job.name}: the worker needs the loss and the update in words`)
    }
    const update = describeUpdate(job.training) ?? refuse()
    const trainer = await executor.trainer({ loss, step: refuse, apply: refuse, update }, {}, weights)
    for (const [step, micro] of job.steps.entries())
      await trainer.step(micro, stepScalars(job.training, step, 1))
  })

/** One of the job's forward functions, and its passes. */
export const recordForward = (job: BundleJob, forward: Forward, file: string): Promise<void> => {
  const all = drawnState(job)
  const names = job.parameters.map(({ name }) => name)
  return recording(file, Number.POSITIVE_INFINITY, named(all, names), async (executor, weights) => {
    const evaluator = await executor.evaluator(forwardGraph(job, forward), {}, weights)
    for (const feeds of forward.passes) await evaluator.run(feeds)
  })
}

/** What an evaluation of this project asks of the worker, up to a number of passes. */
export const recordEvaluation = (
  job: BundleJob,
  file: string,
  passes: number,
  evaluate: (executor: Executor) => Promise<unknown>,
): Promise<void> => {
  const names = job.parameters.map(({ name }) => name)
  return recording(file, passes, named(drawnState(job), names), async (executor, weights) => {
    await evaluate({ ...executor, evaluator: (graph) => executor.evaluator(graph, {}, weights) })
  })
}

/**
 * Loss and gradients of the first step, and the results of each forward function's first pass, by the eager oracle on
 * this CPU: `loss`, `grad/<parameter>`, `<forward>/<output>`.
 */
export const writeExpected = async (job: BundleJob, file: string): Promise<void> => {
  const values = await loadWeights("tfjs", drawnState(job))
  const oracle = await makeTfjsExecutor({ precision: "fp32", device: "cpu", threads: 1 })
  const run = async (graph: Graph, feeds: Feeds): Promise<HostTensors> => {
    const evaluator = await oracle.evaluator(graph, values)
    return evaluator.run(feeds).finally(() => evaluator.dispose())
  }
  try {
    const network = { parameters: job.parameters, loss: job.loss } as Network
    const all = { ...(await run(traceGradients(network, job.feeds), job.steps[0]![0]!)) }
    if (Object.keys(all).length !== trainable(job.parameters).length + 1)
      throw new Error(`${job.name}: the oracle gave ${Object.keys(all).length} results`)
    for (const forward of job.forwards) {
      const results = await run(forwardGraph(job, forward), forward.passes[0]!)
      for (const [name, tensor] of Object.entries(results)) all[`${forward.name}/${name}`] = tensor
    }
    const stored = Object.entries(all).map(([name, { shape, data }]) => {
      const dtype = data instanceof Int32Array ? "I32" : "F32"
      return [name, { dtype, shape: shape.length === 0 ? [1] : shape, data }]
    })
    await writeSafetensors(file, Object.fromEntries(stored) as Parameters<typeof writeSafetensors>[1])
  } finally {
    await oracle.dispose()
  }
}
