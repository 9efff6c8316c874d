/** A tiny experiment on synthetic shards, for tests of training and evaluation. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openRotation, type Rotation } from "../../src/data/rows/rotation.js"
import { openShardRows, type TrainingRows } from "../../src/data/rows/training-rows.js"
import { writeShard } from "../../src/data/rows/shards.js"
import { integersBelow, stream } from "../../src/diffusion/philox.js"
import type { Experiment } from "../../src/spec/experiment.js"

export const LENGTH = 16

const adamw = { kind: "adamw", learningRate: 3e-3, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0.1 } as const

export const tinyExperiment = (
  over: {
    readonly training?: Partial<Experiment["training"]>
    readonly objective?: Experiment["objective"]
    readonly model?: object
  } = {},
): Experiment => ({
  id: "tiny",
  system: "mdlm",
  title: "tiny",
  description: "A tiny network for tests.",
  source: { title: "test", url: "https://example.org" },
  claims: [],
  data: {
    corpus: { kind: "files", train: [], validation: [] },
    tokenizer: { id: "sp1024", model: "embedded", vocabSize: 1024, boundaryId: 1, maskId: 1024, padId: 1025 },
    batching: { kind: "document-chunks", length: LENGTH, shardsInMemory: 1, rotation: true },
  },
  model: {
    kind: "mdlm",
    layers: 1,
    width: 16,
    heads: 2,
    mlpRatio: 3,
    tableRows: 1088,
    attention: "bidirectional",
    conditioning: { kind: "sigma", frequencies: 8, hidden: 16 },
    ropeBase: 10000,
    init: "published",
    ...over.model,
  },
  objective: over.objective ?? {
    kind: "masked-diffusion",
    schedule: { kind: "log-linear", eps: 1e-3 },
    weight: "dsigma",
    times: "antithetic-pairs",
    timeMin: 1e-5,
    timeMax: 0.99999,
    boundary: "free",
  },
  training: {
    seed: 7,
    stepsPerGroup: 6,
    microBatch: 4,
    accumulation: 2,
    clipNorm: 1,
    optimizer: {
      kind: "muon",
      learningRate: 0.02,
      momentum: 0.95,
      newtonSchulzSteps: 5,
      weightDecay: 0,
      rest: adamw,
    },
    schedule: { warmup: 2, warmdown: 4, shape: "cosine", floor: 0.1, restart: true },
    checkpointEvery: 5,
    ...over.training,
  },
  evaluations: [
    {
      kind: "discrete-elbo",
      id: "elbo",
      windows: { length: LENGTH, count: 6, alignment: "raw-stream" },
      steps: 8,
      seed: 3,
      draws: 2,
    },
  ],
})

/** Tokens with a boundary every few tokens; a stream of its own for each salt. */
export const syntheticTokens = (count: number, salt: number): Uint16Array =>
  Uint16Array.from(integersBelow(stream(salt, "sample"), [], 1020, count), (n, i) =>
    i % 23 === 0 ? 1 : n + 4,
  )

export interface TinyData {
  readonly folder: string
  readonly shards: readonly string[]
  readonly rotation: () => Promise<Rotation>
  /** The rows of an experiment; its shards are these. */
  readonly rows: (experiment: Pick<Experiment, "data" | "training">) => Promise<TrainingRows>
  readonly remove: () => Promise<void>
}

/** Three training shards in a new folder. */
export const tinyData = async (): Promise<TinyData> => {
  const folder = await mkdtemp(join(tmpdir(), "repro-tiny-"))
  const shards = [0, 1, 2].map((i) => join(folder, `tiny_train_${i}.bin`))
  for (const [i, path] of shards.entries()) await writeShard(path, syntheticTokens(600, i))
  return {
    folder,
    shards,
    rotation: () => openRotation({ shards, shardsInMemory: 1, rotation: true, vocabSize: 1024 }),
    rows: ({ data: { batching, tokenizer }, training: { seed, stepsPerGroup } }) =>
      openShardRows(shards, { batching, tokenizer, seed, stepsPerGroup }),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
