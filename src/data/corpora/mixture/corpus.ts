/** Several data sets of texts as one, as spec and plan know them. */
import { inGroups, type CorpusPart } from "../part.js"
import { dataset, isHub, mostTokensFit } from "../dataset/corpus.js"
import { Mixture, type MixturePart } from "./schema.js"

/** What the part of one data set says of a source. */
const asDataset = (source: MixturePart, { validation, tokenizer, mostTokens, trainShards }: Mixture) => ({
  kind: "dataset" as const,
  ...source,
  validation,
  tokenizer,
  ...(mostTokens === undefined ? {} : { mostTokens }),
  trainShards,
})

export const mixture: CorpusPart<Mixture> = {
  kind: "mixture",
  schema: Mixture,
  rules: [
    ({ corpus: { sources } }) => {
      const names = sources.map(({ name }) => name)
      const again = names.findIndex((name, i) => names.indexOf(name) !== i)
      return (
        again >= 0 && {
          pointer: `/data/corpus/sources/${again}/name`,
          expected: "a name that no source before it has",
          found: JSON.stringify(names[again]),
        }
      )
    },
    ({ corpus: { sources } }) => {
      const wrong = sources.findIndex((source) => source.files !== undefined && !isHub(source))
      return (
        wrong >= 0 && {
          pointer: `/data/corpus/sources/${wrong}/files`,
          expected: "nothing: they are the files of a hub repository",
          found: JSON.stringify(sources[wrong]!.files),
          hint: "A file: source may be a folder or a pattern.",
        }
      )
    },
    mostTokensFit,
  ],
  identity: ({ kind, sources, validation, mostTokens, trainShards }) => ({
    kind,
    sources: sources.map(({ source, revision, files, sha256, field, detokenise }) => ({
      // A path is no identity; the name of a repository is.
      source: source.startsWith("hf:") ? source : null,
      revision: revision ?? null,
      files: files ?? null,
      sha256: Object.values(sha256 ?? {}),
      field,
      detokenise: detokenise ?? null,
    })),
    validation,
    mostTokens: mostTokens ?? null,
    trainShards,
  }),
  dataset: ({ sources }) => sources.map(({ name }) => name).join("+"),
  visits: ({ trainShards }, batching) => inGroups(trainShards, batching),
  files: ({ sources, tokenizer }) => [
    ...sources.map(({ name, source, revision, files }) => ({
      path: [source, ...(revision === undefined ? [] : [`revision ${revision}`]), ...(files ?? [])].join(
        ", ",
      ),
      about: `rows of ${name}, each once`,
      bytes: null,
    })),
    { path: tokenizer, about: "tokenizer", bytes: null },
  ],
  codedPieces: true,
  tokenizer: ({ tokenizer }) => tokenizer,
  from: ({ sources }) => sources.map(({ source }) => source).join(" and "),
  unstated: (corpus) => corpus.sources.flatMap((source) => dataset.unstated(asDataset(source, corpus))),
  digestsIdentify: true,
  withContent: (corpus) => corpus,
  strayDigests: (corpus) =>
    corpus.sources.flatMap((source) => dataset.strayDigests(asDataset(source, corpus))),
}
