/** The published FineWeb shards, as spec and plan know them. */
import { FINEWEB_SP1024 } from "../../../metric/contract/builders.js"
import { inGroups, SHARD_IDS, type CorpusPart } from "../part.js"
import { ParameterGolf } from "./schema.js"

/** Tokens of a full shard (published manifest: shard_size 1e8), two bytes each. */
export const SHARD_TOKENS = 1e8
/** Published sizes: 1024 bytes of header, two for each token. */
const SHARD_BYTES = 1024 + 2 * SHARD_TOKENS
const VALIDATION_BYTES = 124_044_716

export const parameterGolf: CorpusPart<ParameterGolf> = {
  kind: "parameter-golf",
  schema: ParameterGolf,
  rules: [],
  identity: (corpus) => corpus,
  dataset: ({ dataset }) => dataset,
  visits: ({ trainShards }, batching) => inGroups(trainShards, batching),
  idLimit: () => SHARD_IDS,
  memory: (_corpus, { shardsInMemory }) => 2 * shardsInMemory * SHARD_TOKENS,
  validationTokens: ({ dataset }) => (dataset === FINEWEB_SP1024.dataset ? FINEWEB_SP1024.tokens : undefined),
  files: ({ repository, dataset, trainShards }) => {
    const root = `${repository}/datasets/datasets/${dataset}`
    const last = String(trainShards - 1).padStart(6, "0")
    return [
      { path: `${repository}/datasets/manifest.json`, about: "manifest", bytes: null },
      {
        path: `${root}/fineweb_train_000000.bin ... ${last}.bin`,
        about: `${trainShards} training shards, each at most ${SHARD_BYTES} bytes`,
        bytes: trainShards * SHARD_BYTES,
      },
      { path: `${root}/fineweb_val_000000.bin`, about: "validation", bytes: VALIDATION_BYTES },
    ]
  },
  tokenizer: ({ repository }) => `${repository}/datasets/tokenizers/`,
  from: ({ repository, trainShards }) => `${repository} (${trainShards} training shards of 200 MB)`,
  unstated: ({ repository, revision }) =>
    /^[0-9a-f]{40}$/.test(revision ?? "") ? [] : [`${repository} (its revision is no commit)`],
  digestsIdentify: true,
  withContent: (corpus) => corpus,
  strayDigests: () => [],
}
