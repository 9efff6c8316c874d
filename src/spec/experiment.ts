/** The experiment: what a spec file holds. Execution (paths, device, executor) is not part of its identity. */
import * as Schema from "effect/Schema"
import { Count, Identifier } from "./common.js"
import { Data } from "./data.js"
import { Evaluation } from "./evaluation.js"
import { Model } from "./model.js"
import { Objective } from "./objective.js"
import { Training } from "./training.js"

export const Source = Schema.Struct({
  title: Schema.String,
  url: Schema.String,
  commit: Schema.optionalKey(Schema.String),
  files: Schema.optionalKey(Schema.Array(Schema.String)),
}).annotate({ description: "Where the published experiment is described." })

export const Execution = Schema.Struct({
  engine: Schema.optionalKey(Schema.Literals(["auto", "onnxruntime", "tensorflow", "torch", "tfjs"])),
  precision: Schema.optionalKey(Schema.Literals(["fp32", "bf16", "bf16-params"])),
  device: Schema.optionalKey(Schema.Literals(["cpu", "gpu"])),
  threads: Schema.optionalKey(Count),
  evaluationBatch: Schema.optionalKey(Count).annotate({
    description: "Sequences in one evaluation forward pass.",
  }),
}).annotate({ description: "How to execute; never part of the fingerprint." })
export type Execution = typeof Execution.Type

/** An experiment with its profile applied: everything that determines its numbers. */
export const Experiment = Schema.Struct({
  id: Identifier,
  system: Schema.Literals(["mdlm", "flexmdm", "flexmdm-8b"]),
  title: Schema.String,
  description: Schema.String,
  source: Source,
  claims: Schema.Array(Identifier).annotate({
    description: "Ids of published claims in specs/claims that this experiment is set beside.",
  }),
  data: Data,
  model: Model,
  objective: Objective,
  training: Training,
  evaluations: Schema.NonEmptyArray(Evaluation),
  execution: Schema.optionalKey(Execution),
})
export type Experiment = typeof Experiment.Type
