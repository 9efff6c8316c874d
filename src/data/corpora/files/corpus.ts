/** Shards that are there already, as spec and plan know them. */
import type { DataContent } from "../../../spec/content.js"
import { inGroups, SHARD_IDS, type CorpusPart } from "../part.js"
import { Files } from "./schema.js"

const filled = (paths: readonly string[], files: DataContent["train"]) =>
  paths.map((path, i) => [path, files[i]!.sha256] as const)

export const files: CorpusPart<Files> = {
  kind: "files",
  schema: Files,
  rules: [],
  identity: ({ kind, train, validation, sha256 }) => {
    const digests = (paths: readonly string[]) => paths.map((path) => sha256?.[path] ?? null)
    return { kind, train: digests(train), validation: digests(validation) }
  },
  dataset: () => "files",
  visits: ({ train }, batching) => inGroups(train.length, batching),
  // Shards of one's own that were made with a tokenizer.json hold 32-bit ids where its vocabulary is larger.
  idLimit: ({ model }) => (model.endsWith(".json") ? undefined : SHARD_IDS),
  files: ({ train, validation }) => [
    ...train.map((path) => ({ path, about: "training shard", bytes: null })),
    ...validation.map((path) => ({ path, about: "validation shard", bytes: null })),
  ],
  tokenizer: () => undefined,
  from: () => "the spec's files",
  unstated: ({ train, validation, sha256 }) =>
    [...train, ...validation]
      .filter((path) => sha256?.[path] === undefined)
      .map((path) => path.replace(/^file:/, "")),
  digestsIdentify: false,
  withContent: (corpus, content) => ({
    ...corpus,
    sha256: Object.fromEntries([
      ...filled(corpus.train, content.train),
      ...filled(corpus.validation, content.validation),
    ]),
  }),
  strayDigests: ({ sha256, train, validation }) =>
    Object.keys(sha256 ?? {}).filter((path) => !train.includes(path) && !validation.includes(path)),
}
