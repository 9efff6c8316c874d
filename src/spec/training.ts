/** Schemas of optimisation. */
import * as Schema from "effect/Schema"
import { Count, Natural, NonNegative, Positive, Proportion } from "./common.js"

const isRegularExpression = (text: string): boolean => {
  try {
    return text !== "" && new RegExp(text, "u") instanceof RegExp
  } catch {
    return false
  }
}

/** A regular expression, as JavaScript reads it with the flag u. */
const Pattern = Schema.String.check(
  Schema.makeFilter(isRegularExpression, {
    expected: "a regular expression",
    toJsonSchema: () => [{ minLength: 1 }, true],
  }),
)

const adamwFields = {
  kind: Schema.Literal("adamw"),
  learningRate: Positive.annotate({ description: "Peak learning rate; the schedule multiplies it." }),
  betas: Schema.Tuple([Proportion, Proportion]).annotate({
    description: "Decay of the first and of the second moment.",
  }),
  eps: Positive.annotate({ description: "Added to the root of the second moment." }),
  weightDecay: NonNegative.annotate({
    description: "Decoupled: weights shrink by learning rate times this.",
  }),
}
const ADAMW = "Decoupled weight decay on every tensor."

/** AdamW beside Muon: one learning rate for what Muon leaves. */
const AdamWRest = Schema.Struct(adamwFields).annotate({ description: ADAMW })

const AdamW = Schema.Struct({
  ...adamwFields,
  groups: Schema.optionalKey(
    Schema.NonEmptyArray(
      Schema.Struct({
        match: Pattern.annotate({
          description: "Regular expression on the parameter's name; the first group that matches holds it.",
        }),
        learningRate: Schema.optionalKey(Positive).annotate({
          description: "Peak learning rate; the optimiser's when absent.",
        }),
        weightDecay: Schema.optionalKey(NonNegative).annotate({
          description: "Weight decay; the optimiser's when absent.",
        }),
      }),
    ),
  ).annotate({ description: "Parameters with settings of their own; the others have the optimiser's." }),
}).annotate({ description: ADAMW })

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
  rest: AdamWRest.annotate({ description: "AdamW for embeddings, head, conditioning and every vector." }),
}).annotate({
  description: "Muon (Newton-Schulz orthogonalised Nesterov momentum) on block matrices, AdamW on the rest.",
})

export const Optimizer = Schema.Union([AdamW, Muon]).annotate({ description: "The optimiser." })
export type Optimizer = typeof Optimizer.Type
export type AdamWOptimizer = typeof AdamW.Type
export type MuonOptimizer = typeof Muon.Type

const Warmdown = Schema.Struct({
  kind: Schema.optionalKey(Schema.Literal("warmdown")).annotate({
    description: "Constant between warm-up and warm-down; meant when absent.",
  }),
  warmup: Natural.annotate({ description: "Steps of linear warm-up: factor (s+1)/warmup." }),
  warmdown: Natural.annotate({
    description: "Steps of decay at the end of each group; at the end of the run when restart is false.",
  }),
  shape: Schema.Literals(["cosine", "linear"]).annotate({ description: "Shape of the decay." }),
  floor: Proportion.annotate({ description: "Factor at the end of the decay." }),
  restart: Schema.Boolean.annotate({
    description: "Restart the schedule with each shard group (weights and moments are kept).",
  }),
}).annotate({ description: "Warm-up, constant, warm-down." })

/** Linear warm-up as in transformers and torch: the first step has the factor `warmupFrom`, step `warmup` has 1. */
const warmupFields = {
  warmup: Natural.annotate({ description: "Steps of linear warm-up." }),
  warmupFrom: Proportion.annotate({
    description: "Factor of the first step of the warm-up: 0 in transformers, start_factor in torch.",
  }),
}

const Cosine = Schema.Struct({
  kind: Schema.Literal("cosine"),
  ...warmupFields,
  cycles: Count.annotate({ description: "Cycles between the end of the warm-up and that of the run." }),
  cycle: Schema.Literals(["fall", "fall-and-rise"]).annotate({
    description:
      "fall: each cycle falls from 1 to the floor, the next begins at 1 again (warm restarts; one cycle is plain cosine). fall-and-rise: each cycle is a whole period, so the run ends at the peak, as get_cosine_schedule_with_warmup of transformers has it with a whole num_cycles.",
  }),
  floor: Proportion.annotate({ description: "Lowest factor." }),
}).annotate({ description: "Cosine over the whole run after a warm-up." })

const Constant = Schema.Struct({ kind: Schema.Literal("constant"), ...warmupFields }).annotate({
  description: "Constant after a warm-up.",
})

export const LearningRateSchedule = Schema.Union([Warmdown, Cosine, Constant]).annotate({
  description: "Factor on every learning rate as a function of the step.",
})
export type LearningRateSchedule = typeof LearningRateSchedule.Type

export const Training = Schema.Struct({
  seed: Natural.annotate({ description: "Seed of every random stream of training." }),
  stepsPerGroup: Natural.annotate({
    description:
      "Optimiser steps on each shard group; 0 for an experiment that scores what it begins with (init).",
  }),
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
  emaWarmup: Schema.optionalKey(Schema.Boolean).annotate({
    description:
      "Whether the average's decay begins lower: min(emaDecay, (1+n)/(10+n)) at the n-th update; false when absent.",
  }),
  checkpointEvery: Count.annotate({ description: "Steps between checkpoints." }),
}).annotate({ description: "How the network is trained." })
export type Training = typeof Training.Type
