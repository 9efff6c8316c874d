/** Jobs of the MDLM and the autoregressive network: PR #1241's at its own shape, and a tiny one of each. */
import { batchFeeds, corruptBatch, corruptionStreams } from "../../src/diffusion/batch.js"
import { integersBelow, stream } from "../../src/diffusion/philox.js"
import type { Feeds } from "../../src/engine/executor.js"
import { capacities } from "../../src/families/mdlm/capacity.js"
import { objectivePart } from "../../src/families/index.js"
import { sliceFeeds } from "../../src/families/part.js"
import { networkOf } from "../../src/families/traced.js"
import { linearInit, type Initial, type ParameterSpec } from "../../src/model/parameters.js"
import type { Experiment } from "../../src/spec/experiment.js"
import type { MaskedDiffusionObjective } from "../../src/spec/objective.js"
import { layoutFor } from "../../src/train/layout.js"
import { WHOLE } from "../../src/engine/executor.js"
import { benchExperiment, trainFlops, type Shape } from "../shapes.js"
import type { BundleJob, Forward } from "./job.js"

/** Networks that start with zeros have gradients of zero; where they are compared, everything starts at random. */
export const shaken = (specs: readonly ParameterSpec[]): readonly ParameterSpec[] =>
  specs.map((spec): ParameterSpec => {
    const { kind } = spec.init
    if (kind !== "constant") return spec
    const init: Initial = linearInit(spec.init.kind === "constant" && spec.init.value !== 0 ? 4 : 64)
    return spec.init.kind === "constant" && spec.init.value === 1 ? spec : { ...spec, init }
  })

/** Random ids with a boundary about every 300. */
const tokensOf = (step: number, count: number): Int32Array =>
  Int32Array.from(integersBelow(stream(1, "sample"), [step], 1020, count), (n, i) =>
    i % 300 === 0 ? 1 : n + 4,
  )

/** Gradients are read from the first moment after one step, so nothing is clipped where they are compared. */
const unclipped = (experiment: Experiment): Experiment => ({
  ...experiment,
  training: { ...experiment.training, clipNorm: 0 },
})

interface Options {
  readonly name: string
  readonly shape: Shape
  readonly steps: number
  readonly accumulation?: number
  readonly compared?: boolean
}

export const mdlmExperiment = (shape: Shape): Experiment => benchExperiment(shape)

export const mdlmJob = ({ name, shape, steps, accumulation = 1, compared = false }: Options): BundleJob => {
  const plain = benchExperiment(shape)
  const experiment = compared ? unclipped(plain) : plain
  const network = networkOf(experiment)
  const objective = experiment.objective as MaskedDiffusionObjective
  const { batch: rows, length } = shape
  const streams = corruptionStreams(3)
  const batches = Array.from({ length: steps }, (_, step) =>
    Array.from({ length: accumulation }, (_unused, micro) =>
      corruptBatch(
        tokensOf(step * accumulation + micro, rows * length),
        length,
        objective,
        experiment.data.tokenizer,
        streams,
        { step, micro },
      ),
    ),
  )
  const needed = Math.max(...batches.flat().map(({ positions }) => positions.length))
  const capacity = capacities(objective, rows, length).find((room) => room >= needed)!
  const nats: Forward = {
    name: "nats",
    feeds: network.feeds("nats", { rows, length, capacity }),
    compute: (p, f) => ({ nats: network.nats(p, f) }),
    passes: [batchFeeds(batches[0]![0]!, capacity)],
  }
  return {
    name,
    family: "mdlm",
    parameters: compared ? shaken(network.parameters) : network.parameters,
    training: { ...experiment.training, accumulation },
    loss: network.loss,
    feeds: network.feeds("loss", { rows, length, capacity }),
    steps: batches.map((micro) => micro.map((each) => batchFeeds(each, capacity))),
    forwards: compared ? [nats] : [],
    rows,
    length,
    trainFlops: trainFlops(shape) * rows * length * accumulation,
    model: { layers: shape.layers, width: shape.width, heads: shape.heads, length },
    ids: { mask: 1024, pad: 1025, classes: 1026 },
  }
}

/** The autoregressive network of the same shape, as #1241's baseline: causal, unconditioned. */
export const causalJob = ({ name, shape, steps }: Options): BundleJob => {
  const masked = unclipped(benchExperiment(shape))
  const experiment = {
    ...masked,
    model: { ...masked.model, attention: "causal", conditioning: { kind: "none" } },
    objective: { kind: "autoregressive" },
  } as Experiment
  const network = networkOf(experiment)
  const { batch: rows, length } = shape
  const layout = layoutFor(experiment, WHOLE)
  const feeder = objectivePart(experiment.objective).feeds(experiment.objective, {
    tokenizer: experiment.data.tokenizer,
    seed: 3,
    length,
    microBatch: rows,
    accumulation: 1,
    layout,
  })
  const micros = Array.from(
    { length: steps },
    (_, step) => feeder(step, { tokens: tokensOf(step, rows * length), length }).micro as readonly Feeds[],
  )
  return {
    name,
    family: "ar",
    parameters: shaken(network.parameters),
    training: experiment.training,
    loss: network.loss,
    feeds: sliceFeeds(layout.programs[0]!, layout.slices)[0]!,
    steps: micros,
    forwards: [],
    rows,
    length,
    trainFlops: trainFlops(shape) * rows * length,
    model: { layers: shape.layers, width: shape.width, heads: shape.heads, length },
    ids: { mask: 1024, pad: 1025, classes: 1026 },
  }
}
