/** The files that a run reads and writes. */
import { SHARD_TOKENS } from "./cost.js"
import type { Experiment } from "../spec/experiment.js"

export interface PlannedFile {
  readonly path: string
  readonly about: string
  /** Bytes, where they are known beforehand. */
  readonly bytes: number | null
}

export interface PlannedFiles {
  /** Fetched by `prepare`, or by `run` after it has said so. */
  readonly reads: readonly PlannedFile[]
  readonly writes: readonly PlannedFile[]
}

/** Published sizes of the parameter-golf data set: 1024 bytes of header, two for each token. */
const VALIDATION_BYTES = 124_044_716
const SHARD_BYTES = 1024 + 2 * SHARD_TOKENS
const SPEECHES_BYTES = 7_217_658

const reads = ({ data }: Experiment): readonly PlannedFile[] => {
  const { corpus, tokenizer } = data
  const model: readonly PlannedFile[] =
    tokenizer.model === "corpus"
      ? []
      : [{ path: tokenizer.model, about: `tokenizer ${tokenizer.id}`, bytes: null }]
  switch (corpus.kind) {
    case "parameter-golf": {
      const root = `${corpus.repository}/datasets/datasets/${corpus.dataset}`
      const last = String(corpus.trainShards - 1).padStart(6, "0")
      return [
        { path: `${corpus.repository}/datasets/manifest.json`, about: "manifest", bytes: null },
        {
          path: `${root}/fineweb_train_000000.bin ... ${last}.bin`,
          about: `${corpus.trainShards} training shards, each at most ${SHARD_BYTES} bytes`,
          bytes: corpus.trainShards * SHARD_BYTES,
        },
        { path: `${root}/fineweb_val_000000.bin`, about: "validation", bytes: VALIDATION_BYTES },
        ...(tokenizer.model === "corpus"
          ? [
              {
                path: `${corpus.repository}/datasets/tokenizers/`,
                about: `tokenizer ${tokenizer.id}`,
                bytes: null,
              },
            ]
          : model),
      ]
    }
    case "speeches":
      return [
        {
          path: corpus.source,
          about: `text, sha256 ${corpus.sha256}`,
          bytes: corpus.source.endsWith("datasets-sotu@0.2.3") ? SPEECHES_BYTES : null,
        },
        ...model,
      ]
    case "files":
      return [
        ...corpus.train.map((path) => ({ path, about: "training shard", bytes: null })),
        ...corpus.validation.map((path) => ({ path, about: "validation shard", bytes: null })),
        ...model,
      ]
  }
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
