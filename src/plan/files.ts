/** The files that a run reads and writes. */
import { corpusPart } from "../data/corpora/index.js"
import type { PlannedFile } from "../data/corpora/part.js"
import { evaluatorPart } from "../evaluators/index.js"
import type { Experiment } from "../spec/experiment.js"

export interface PlannedFiles {
  /** Fetched by `prepare`, or by `run` after it has said so. */
  readonly reads: readonly PlannedFile[]
  readonly writes: readonly PlannedFile[]
}

const reads = ({ data: { corpus, tokenizer }, evaluations }: Experiment): readonly PlannedFile[] => {
  const part = corpusPart(corpus)
  const path = tokenizer.model === "corpus" ? part.tokenizer(corpus) : tokenizer.model
  return [
    ...part.files(corpus),
    ...(path === undefined ? [] : [{ path, about: `tokenizer ${tokenizer.id}`, bytes: null }]),
    ...evaluations.flatMap((evaluation) => evaluatorPart(evaluation).files?.(evaluation) ?? []),
  ]
}

const writes = ({ evaluations }: Experiment): readonly PlannedFile[] => [
  { path: "runs/<id>/manifest.json", about: "what the run is", bytes: null },
  { path: "runs/<id>/events.ndjson", about: "what happened", bytes: null },
  {
    path: "runs/<id>/checkpoints/step-<n>.safetensors",
    about: "parameters and optimiser state",
    bytes: null,
  },
  ...evaluations.map(({ id }) => ({
    path: `runs/<id>/evidence/${id}.safetensors`,
    about: "nats and ids of every scored token",
    bytes: null,
  })),
  { path: "runs/<id>/results.json", about: "the results table", bytes: null },
]

export const plannedFiles = (experiment: Experiment): PlannedFiles => ({
  reads: reads(experiment),
  writes: writes(experiment),
})
