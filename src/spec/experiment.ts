/** The experiment: what a spec file holds. Execution (paths, device, executor) is not part of its identity. */
import * as Schema from "effect/Schema"
import { Count, Identifier, Line, ShortIdentifier, words } from "./common.js"
import { systemUnion } from "../families/index.js"
import { dataSchema, type Data } from "./data.js"
import { evaluationSchema, type Evaluation } from "./evaluation.js"
import { Init } from "./init.js"
import { modelSchema, type Model } from "./model.js"
import { objectiveSchema, type Objective } from "./objective.js"
import { perRegistration } from "./registration.js"
import { Training } from "./training.js"

export const Source = Schema.Struct({
  title: Line.annotate({ description: "Name of the publication." }),
  url: words(2000).annotate({ description: "Where it can be read." }),
  commit: Schema.optionalKey(Line).annotate({
    description: "Commit that the configuration was read from.",
  }),
  files: Schema.optionalKey(Schema.Array(Line)).annotate({ description: "Files of that commit." }),
}).annotate({ description: "Where the published experiment is described." })

/** What is watched while training; it changes no number of the experiment. */
export const ValidationCurve = Schema.Struct({
  every: Schema.optionalKey(Count).annotate({
    description: "Optimiser steps between two points; where checkpoints are written when absent.",
  }),
  windows: Count.annotate({
    description: "Windows of the validation split behind each point, the same at every step.",
  }),
}).annotate({
  description:
    "A curve of nats per token on fixed windows of the validation split with fixed masks, taken while training by the cheapest of the experiment's evaluations. No curve when absent.",
})
export type ValidationCurve = typeof ValidationCurve.Type

export const Execution = Schema.Struct({
  engine: Schema.optionalKey(
    Schema.Literals(["auto", "onnxruntime", "tensorflow", "torch", "tfjs"]),
  ).annotate({ description: "Executor; auto takes the best one that is there." }),
  precision: Schema.optionalKey(Schema.Literals(["fp32", "bf16", "bf16-params"])).annotate({
    description:
      "fp32. bf16: products in bfloat16, parameters and optimiser state in fp32. bf16-params: parameters and state in bfloat16 too.",
  }),
  device: Schema.optionalKey(Schema.Literals(["cpu", "gpu"])).annotate({
    description: "Where the executor runs.",
  }),
  threads: Schema.optionalKey(Count).annotate({
    description: "CPU threads; the executor's own choice when absent.",
  }),
  xla: Schema.optionalKey(Schema.Literals(["on", "off"])).annotate({
    description: "on: TensorFlow compiles whole programs with XLA; off when absent.",
  }),
  recompute: Schema.optionalKey(Schema.Literals(["on", "off"])).annotate({
    description:
      "on: PyTorch computes activations inside blocks again for the gradient instead of keeping them; off when absent.",
  }),
  evaluationBatch: Schema.optionalKey(Count).annotate({
    description: "Sequences in one evaluation forward pass.",
  }),
  samplingProcesses: Schema.optionalKey(Count).annotate({
    description:
      "Processes that texts of an evaluation are dealt to, each with the weights and an executor of its own, on a GPU of its own where there are several; 1 when absent.",
  }),
  validation: Schema.optionalKey(ValidationCurve),
}).annotate({ description: "How to execute; never part of the fingerprint." })
export type Execution = typeof Execution.Type

/** An experiment with its profile applied: everything that determines its numbers. */
const frame = (
  data: typeof Data,
  model: typeof Model,
  objective: typeof Objective,
  evaluation: typeof Evaluation,
) =>
  Schema.Struct({
    id: ShortIdentifier.annotate({ description: "Short name: of the spec file, of runs and in tables." }),
    system: systemUnion(),
    title: Line.annotate({ description: "One line for lists and tables." }),
    description: Schema.optionalKey(words(20_000)).annotate({
      description: "What is done, and which settings are stated, derived or assumed.",
    }),
    source: Schema.optionalKey(Source),
    claims: Schema.Array(Identifier).annotate({
      description: "Ids of published claims in specs/claims that this experiment is set beside.",
    }),
    init: Schema.optionalKey(Init),
    data,
    model,
    objective,
    training: Training,
    evaluations: Schema.NonEmptyArray(evaluation).annotate({
      description: "Evaluations of the final weights; each writes evidence of its own.",
    }),
    execution: Schema.optionalKey(Execution),
  })

/** The schema over the families and evaluators that are registered now. */
export const experimentSchema = perRegistration(() =>
  frame(dataSchema(), modelSchema(), objectiveSchema(), evaluationSchema()),
)
export const Experiment = experimentSchema()
export type Experiment = typeof Experiment.Type
