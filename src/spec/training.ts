/** Schemas of optimisation. */
import * as Schema from "effect/Schema"
import { Count, Natural, NonNegative, Positive, Proportion } from "./common.js"

const AdamW = Schema.Struct({
  kind: Schema.Literal("adamw"),
  learningRate: Positive.annotate({ description: "Peak learning rate; the schedule multiplies it." }),
  betas: Schema.Tuple([Proportion, Proportion]).annotate({
    description: "Decay of the first and of the second moment.",
  }),
  eps: Positive.annotate({ description: "Added to the root of the second moment." }),
  weightDecay: NonNegative.annotate({
    description: "Decoupled: weights shrink by learning rate times this.",
  }),
}).annotate({ description: "Decoupled weight decay on every tensor." })

const Muon = Schema.Struct({
  kind: Schema.Literal("muon"),
  learningRate: Positive.annotate({ description: "Learning rate of the block matrices." }),
  embeddingLearningRate: Schema.optionalKey(Positive).annotate({
    description: "Learning rate of the embedding and head tables; that of `rest` when absent.",
  }),
  momentum: Proportion.annotate({ description: "Nesterov momentum." }),
  momentumWarmup: Schema.optionalKey(
    Schema.Struct({
      from: Proportion.annotate({ description: "Momentum of the first step." }),
      steps: Count.annotate({ description: "Steps until the full momentum." }),
    }),
  ).annotate({
    description: "Momentum rises linearly from `from` to `momentum` over `steps`.",
  }),
  newtonSchulzSteps: Count.annotate({ description: "Iterations of the orthogonalisation." }),
  weightDecay: NonNegative.annotate({ description: "Weight decay of the block matrices." }),
  rest: AdamW.annotate({ description: "AdamW for embeddings, head, conditioning and every vector." }),
}).annotate({
  description: "Muon (Newton-Schulz orthogonalised Nesterov momentum) on block matrices, AdamW on the rest.",
})

export const Optimizer = Schema.Union([AdamW, Muon]).annotate({ description: "The optimiser." })
export type Optimizer = typeof Optimizer.Type
export type AdamWOptimizer = typeof AdamW.Type
export type MuonOptimizer = typeof Muon.Type

export const LearningRateSchedule = Schema.Struct({
  warmup: Natural.annotate({ description: "Steps of linear warm-up: factor (s+1)/warmup." }),
  warmdown: Natural.annotate({
    description: "Steps of decay at the end of each group; at the end of the run when restart is false.",
  }),
  shape: Schema.Literals(["cosine", "linear"]).annotate({ description: "Shape of the decay." }),
  floor: Proportion.annotate({ description: "Factor at the end of the decay." }),
  restart: Schema.Boolean.annotate({
    description: "Restart the schedule with each shard group (weights and moments are kept).",
  }),
}).annotate({ description: "Factor on every learning rate as a function of the step." })
export type LearningRateSchedule = typeof LearningRateSchedule.Type

export const Training = Schema.Struct({
  seed: Natural.annotate({ description: "Seed of every random stream of training." }),
  stepsPerGroup: Count.annotate({ description: "Optimiser steps on each shard group." }),
  microBatch: Count.annotate({
    description: "Sequences in one micro-batch; the objective's divisor is taken over it.",
  }),
  accumulation: Count.annotate({ description: "Micro-batches in one optimiser step." }),
  clipNorm: NonNegative.annotate({
    description: "Global gradient norm is clipped to this; 0 switches it off.",
  }),
  optimizer: Optimizer,
  schedule: LearningRateSchedule,
  emaDecay: Schema.optionalKey(Proportion).annotate({
    description:
      "Decay of the exponential moving average of the weights; evaluation uses the average when given.",
  }),
  checkpointEvery: Count.annotate({ description: "Steps between checkpoints." }),
}).annotate({ description: "How the network is trained." })
export type Training = typeof Training.Type
