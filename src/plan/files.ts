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

/** Each file once, with everything that it is read as. */
const once = (files: readonly PlannedFile[]): readonly PlannedFile[] => {
  const found = new Map<string, PlannedFile>()
  for (const file of files) {
    const before = found.get(file.path)
    const about =
      before === undefined || before.about.split("; ").includes(file.about)
        ? (before ?? file).about
        : `${before.about}; ${file.about}`
    found.set(file.path, { ...file, ...before, about })
  }
  return [...found.values()]
}

const reads = ({ data: { corpus, tokenizer }, evaluations }: Experiment): readonly PlannedFile[] => {
  const part = corpusPart(corpus)
  const path = tokenizer.model === "corpus" ? part.tokenizer(corpus) : tokenizer.model
  return once([
    ...part.files(corpus),
    ...(path === undefined ? [] : [{ path, about: `tokenizer ${tokenizer.id}`, bytes: null }]),
    ...evaluations.flatMap((evaluation) => evaluatorPart(evaluation).files?.(evaluation) ?? []),
  ])
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
