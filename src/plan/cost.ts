/**
 * Cost model: FLOPs, memory and time from the shapes alone.
 *
 * FLOPs count the products: two for each weight of a matrix and position, and 4 * length * width a layer and position
 * for attention scores and their sum over values (the whole square, also under a causal mask). A training step costs
 * three forward passes. Norms, activations and the optimiser are left out: below 5 % at every size here.
 */
import { corpusPart } from "../data/corpora/index.js"
import { evaluatorPart } from "../evaluators/index.js"
import type { EvaluationKind, EvaluatorCost } from "../evaluators/part.js"
import { networkPart, objectivePart } from "../families/index.js"
import { averageSpecs, momentSpecs } from "../model/optimizer-state.js"
import { countParameters } from "../model/parameters.js"
import type { Experiment } from "../spec/experiment.js"

/** FLOPs of one position in a forward pass over sequences of `length` tokens. */
export const forwardFlops = ({ model, data }: Pick<Experiment, "model" | "data">, length: number): number =>
  networkPart(model).flops(model, data.tokenizer.vocabSize, length)

/** FLOPs of one position in a training step: three forward passes, where the network does not say otherwise. */
export const trainingFlops = ({ model, data }: Pick<Experiment, "model" | "data">, length: number): number =>
  networkPart(model).trainingFlops?.(model, data.tokenizer.vocabSize, length) ??
  3 * forwardFlops({ model, data }, length)

/** Steps of a run: groups of the corpus visited, and optimiser steps on all of them. */
export const trainingSteps = ({ data, training }: Pick<Experiment, "data" | "training">) => {
  const { shards, groups } = corpusPart(data.corpus).visits(data.corpus, data.batching)
  return { shards, groups, steps: groups * training.stepsPerGroup }
}

export interface EvaluationCost {
  readonly id: string
  readonly kind: string
  /** What is counted below; windows when absent. */
  readonly item?: EvaluatorCost["item"]
  /** At most: a shorter split has fewer windows. */
  readonly windows: number
  readonly tokens: number
  /** Forward passes of one whole window. */
  readonly forwardsPerWindow: number
  readonly flops: number
}

export const evaluationCost = (experiment: Experiment, evaluation: EvaluationKind): EvaluationCost => {
  const { item, items, length, forwardsPerItem } = evaluatorPart(evaluation).cost(
    evaluation,
    experiment.data.batching.length,
  )
  return {
    id: evaluation.id,
    kind: evaluation.kind,
    ...(item === "window" ? {} : { item }),
    windows: items,
    tokens: items * length,
    forwardsPerWindow: forwardsPerItem,
    flops: items * forwardsPerItem * length * forwardFlops(experiment, length),
  }
}

export interface MemoryEstimate {
  readonly parameters: number
  readonly gradients: number
  readonly optimizer: number
  readonly average: number
  readonly activations: number
  readonly shards: number
  readonly program: number
  /** The largest judge of its texts, when training is over; absent where none judges. */
  readonly judge?: number
  readonly total: number
}

/** Node, the executor's library and its graph, as measured for small networks. */
const PROGRAM_BYTES = 350 * 2 ** 20

/** Bytes of a training run in fp32 on the CPU. */
export const memoryEstimate = (experiment: Experiment): MemoryEstimate => {
  const { model, data, training } = experiment
  const part = networkPart(model)
  const specs = part.parameters(model, data.tokenizer.vocabSize)
  const { length } = data.batching
  const shards = corpusPart(data.corpus).memory?.(data.corpus, data.batching) ?? 0
  const parts = {
    parameters: specs.reduce(
      (sum, spec) => sum + (spec.storage === "bf16" ? 2 : 4) * countParameters([spec]),
      0,
    ),
    gradients: 4 * countParameters(specs.filter(({ frozen }) => frozen !== true)),
    optimizer: 4 * countParameters(momentSpecs(specs, training)),
    average: 4 * countParameters(averageSpecs(specs, training)),
    activations: part.activationBytes(model, data.tokenizer.vocabSize, training.microBatch, length),
    shards,
    program: PROGRAM_BYTES,
  }
  return { ...parts, total: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0) }
}

export interface Rate {
  readonly device: "cpu" | "gpu"
  readonly description: string
  /** Sustained FLOP/s of a whole training step as counted above; for the CPU, of one core. */
  readonly flopsPerSecond: number
  /** Of the CPU: cores that steps of this size were measured on; more are not counted. */
  readonly mostCores?: number
  /** Seconds of a position beside its FLOPs, of what is drawn, noised and fed around the network: in a step, in a pass. */
  readonly beside?: { readonly training: number; readonly evaluation: number }
  readonly source: string
}

/** Measured rates. A machine that is not here gets the nearest one, named. */
export const RATES = {
  cpu: {
    device: "cpu",
    description: "onnxruntime-node 1.30, fp32, one core of a Zen 4 server",
    flopsPerSecond: 60e9,
    source:
      "whole training steps on two cores: 4 layers of width 256, 5800-6700 tokens/s of 20.5 MFLOP; the #1241 network, 466 tokens/s of 315 MFLOP",
  },
  "cpu-narrow": {
    device: "cpu",
    description: "networks narrower than 256, one core of a Zen 4 server",
    flopsPerSecond: 45e9,
    mostCores: 1,
    source: "2 layers of width 128, 3000 steps of 1024 positions (3 MFLOP each) in about 190 s on one core",
  },
  "cpu-narrow-growing": {
    device: "cpu",
    description: "networks narrower than 256 whose rows grow, one core of a Zen 4 server",
    flopsPerSecond: 45e9,
    mostCores: 1,
    beside: { training: 15e-6, evaluation: 4e-6 },
    source:
      "laptop profiles on a core of their own, training and evaluations: flexmdm_speeches 101 and 27 s, flexmdm_brackets 101 and 47 s, flexmdm_brackets_balanced 59 and 12 s",
  },
  gpu: {
    device: "gpu",
    description: "one NVIDIA A10G, bf16, as published for PR #1241",
    flopsPerSecond: 26e12,
    source: "PR #1241: 96000 steps of 65536 positions in 76019 s, 315 MFLOP each",
  },
  "gpu-large": {
    device: "gpu",
    description: "one NVIDIA H100, bf16, as published for FlexMDM from LLaDA-8B",
    flopsPerSecond: 98e12,
    source: "13.1 G positions in 72 h on 16 H100: 3160 positions/s of 31 GFLOP each",
  },
} as const satisfies Record<string, Rate>

/** The rate that applies to an experiment on a device. */
export const rateFor = (
  { model, objective }: Pick<Experiment, "model" | "objective">,
  device: "cpu" | "gpu",
): Rate => {
  if (device === "gpu") return model.width < 2048 ? RATES.gpu : RATES["gpu-large"]
  if (model.width >= 256) return RATES.cpu
  return objectivePart(objective).growingRows === undefined
    ? RATES["cpu-narrow"]
    : RATES["cpu-narrow-growing"]
}

/** Cores of a machine that are counted at a rate. */
export const coresAt = ({ mostCores = Infinity }: Rate, cores: number): number => Math.min(cores, mostCores)

/** Seconds of so many FLOPs over so many positions. */
export const secondsAt = (
  rate: Rate,
  cores: number,
  part: "training" | "evaluation",
  flops: number,
  positions: number,
): number => flops / (rate.flopsPerSecond * coresAt(rate, cores)) + (rate.beside?.[part] ?? 0) * positions
