/** Text of one's own, as spec and plan know it. */
import { inGroups, SHARD_IDS, type CorpusPart } from "../part.js"
import { Text } from "./schema.js"

const sources = ({ train, validation }: Text): readonly string[] =>
  "holdOutEvery" in validation ? train : [...train, ...validation]

export const text: CorpusPart<Text> = {
  kind: "text",
  schema: Text,
  rules: [],
  identity: ({ kind, document, field, trainShards, validation }) => ({
    kind,
    document,
    field: field ?? null,
    trainShards: trainShards ?? 1,
    holdOutEvery: "holdOutEvery" in validation ? validation.holdOutEvery : null,
  }),
  dataset: () => "text",
  visits: ({ trainShards }, batching) => inGroups(trainShards ?? 1, batching),
  idLimit: () => SHARD_IDS,
  files: (corpus) => sources(corpus).map((path) => ({ path, about: "text", bytes: null })),
  tokenizer: () => undefined,
  from: () => "the spec's text files",
  unstated: (corpus) => sources(corpus).map((path) => path.replace(/^file:/, "")),
  digestsIdentify: true,
  withContent: (corpus) => corpus,
  strayDigests: () => [],
}
