/** The embedded corpus, as spec and plan know it. */
import { inGroups, SHARD_IDS, type CorpusPart } from "../part.js"
import { Speeches } from "./schema.js"

/** Bytes of the tarball of version 0.2.3. */
const TARBALL_BYTES = 7_217_658

export const speeches: CorpusPart<Speeches> = {
  kind: "speeches",
  schema: Speeches,
  rules: [],
  identity: ({ source: _source, ...rest }) => rest,
  dataset: ({ source }) => source.replace(/^npm:/, ""),
  visits: ({ trainShards }, batching) => inGroups(trainShards, batching),
  idLimit: () => SHARD_IDS,
  files: ({ source, sha256 }) => [
    {
      path: source,
      about: `text, sha256 ${sha256}`,
      bytes: source.endsWith("datasets-sotu@0.2.3") ? TARBALL_BYTES : null,
    },
  ],
  tokenizer: () => undefined,
  from: ({ source }) => source,
  unstated: () => [],
  digestsIdentify: false,
  withContent: (corpus) => corpus,
  strayDigests: () => [],
}
