/** The shapes that are measured, and the #1241 experiment at each. */
import { forwardFlops } from "../src/plan/cost.js"
import type { Experiment } from "../src/spec/experiment.js"

export interface Shape {
  readonly name: string
  readonly layers: number
  readonly width: number
  readonly heads: number
  readonly length: number
  readonly batch: number
}

const paper = { layers: 11, width: 512, heads: 8, length: 2048 } as const

export const CPU_SHAPES: readonly Shape[] = [
  { name: "small", layers: 4, width: 256, heads: 4, length: 256, batch: 8 },
  { name: "paper", ...paper, batch: 1 },
]

/** Sequences of 2048 tokens in a micro-batch of PR #1241. */
export const PUBLISHED_BATCH = 8

export const gpuShape = (batch: number): Shape => ({ name: `paper x ${batch}`, ...paper, batch })

/** What a CPU stands in for a GPU with. */
export const smokeShape = (batch: number): Shape => ({
  name: `tiny x ${batch}`,
  layers: 1,
  width: 32,
  heads: 2,
  length: 32,
  batch,
})

/** FLOPs of a train step per position: three forward passes, head at every position. */
export const trainFlops = (shape: Shape): number => 3 * forwardFlops(benchExperiment(shape), shape.length)

export const benchExperiment = ({ layers, width, heads, length, batch }: Shape): Experiment => ({
  id: "bench",
  system: "mdlm",
  title: "bench",
  description: "PR #1241's network and step.",
  source: { title: "parameter-golf PR #1241", url: "https://github.com/openai/parameter-golf/pull/1241" },
  claims: [],
  data: {
    corpus: { kind: "files", train: [], validation: [] },
    tokenizer: { id: "sp1024", model: "embedded", vocabSize: 1024, boundaryId: 1, maskId: 1024, padId: 1025 },
    batching: { kind: "document-chunks", length, shardsInMemory: 1, rotation: true },
  },
  model: {
    kind: "mdlm",
    layers,
    width,
    heads,
    mlpRatio: 3,
    tableRows: 1088,
    attention: "bidirectional",
    conditioning: { kind: "sigma", frequencies: 64, hidden: 512 },
    ropeBase: 10000,
    init: "published",
  },
  objective: {
    kind: "masked-diffusion",
    schedule: { kind: "log-linear", eps: 1e-3 },
    weight: "dsigma",
    times: "antithetic-pairs",
    timeMin: 1e-5,
    timeMax: 0.99999,
    boundary: "free",
  },
  training: {
    seed: 42,
    stepsPerGroup: 1000,
    microBatch: batch,
    accumulation: 1,
    clipNorm: 1,
    optimizer: { kind: "adamw", learningRate: 6e-4, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0.1 },
    schedule: { warmup: 0, warmdown: 0, shape: "cosine", floor: 1, restart: false },
    checkpointEvery: 1000,
  },
  evaluations: [
    {
      kind: "discrete-elbo",
      id: "elbo",
      windows: { length, count: 4, alignment: "raw-stream" },
      steps: 128,
      seed: 1,
      draws: 1,
    },
  ],
})
