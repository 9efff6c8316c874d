/** The files that a run reads and writes. */
import { corpusPart } from "../data/corpora/index.js"
import type { PlannedFile } from "../data/corpora/part.js"
import { evaluatorPart } from "../evaluators/index.js"
import type { Experiment } from "../spec/experiment.js"
import type { LoadedSpec } from "../spec/spec-file.js"

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

/** Where the tokenizer of a spec lies, for people; undefined where its corpus publishes none. */
const tokenizerOf = ({ corpus, tokenizer }: Experiment["data"]): readonly PlannedFile[] => {
  const path = tokenizer.model === "corpus" ? corpusPart(corpus).tokenizer(corpus) : tokenizer.model
  return path === undefined ? [] : [{ path, about: `tokenizer ${tokenizer.id}`, bytes: null }]
}

/** What is read of a judge: its weights, as they are fetched or as its run left them, and its tokenizer. */
const ofJudge = ({ id, data, init, training }: Experiment): readonly PlannedFile[] => [
  ...(training.stepsPerGroup === 0
    ? init !== undefined && "checkpoint" in init
      ? [{ path: init.checkpoint, about: `weights of the judge ${id}`, bytes: null }]
      : []
    : [
        {
          path: `runs/<id of ${id}>/checkpoints/step-<n>.safetensors`,
          about: `weights of the judge ${id}`,
          bytes: null,
        },
      ]),
  ...tokenizerOf(data).map((file) => ({ ...file, about: `${file.about} of the judge ${id}` })),
]

const reads = ({ data, evaluations }: Experiment, judges: readonly Experiment[]): readonly PlannedFile[] =>
  once([
    ...corpusPart(data.corpus).files(data.corpus),
    ...tokenizerOf(data),
    ...evaluations.flatMap((evaluation) => evaluatorPart(evaluation).files?.(evaluation) ?? []),
    ...judges.flatMap(ofJudge),
  ])

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

/** @param judges the specs that judge its texts */
export const plannedFiles = (
  experiment: Experiment,
  judges: Iterable<Pick<LoadedSpec, "experiment">> = [],
): PlannedFiles => ({
  reads: reads(
    experiment,
    Array.from(judges, (judge) => judge.experiment),
  ),
  writes: writes(experiment),
})
