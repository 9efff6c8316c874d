/** Rows of a prompt and a target, as spec and plan know them. */
import { inGroups, type CorpusPart } from "../part.js"
import { Pairs, textRule } from "./schema.js"

const from = ({ source }: Pairs): string => source.replace(/^hf:/, "")

export const pairs: CorpusPart<Pairs> = {
  kind: "pairs",
  schema: Pairs,
  rules: [
    ({ corpus, tokenizer, batching }) =>
      tokenizer.separatorId === undefined &&
      batching.kind === "documents" && {
        pointer: "/data/tokenizer/separatorId",
        expected: "a control piece to stand between prompt and target in the shards",
        found: "nothing",
        hint: `${from(corpus)} has prompts; batching.separator "dropped" leaves the piece out of the rows.`,
      },
    ({ corpus }) =>
      corpus.files !== undefined &&
      !corpus.source.startsWith("hf:") && {
        pointer: "/data/corpus/files",
        expected: "nothing: they are the files of a hub repository",
        found: JSON.stringify(corpus.files),
      },
  ],
  identity: (corpus) => {
    const { kind, source, revision, sha256, prompt, target, promptEnd, holdOut, trainShards, only } = corpus
    return {
      kind,
      // A path is no identity; the name of a repository is.
      source: source.startsWith("hf:") ? source : null,
      revision: revision ?? null,
      sha256: Object.values(sha256 ?? {}),
      prompt,
      target,
      promptEnd,
      ...textRule(corpus),
      holdOut,
      trainShards,
      only: only ?? null,
    }
  },
  dataset: (corpus) => from(corpus).split("/").at(-1)!,
  visits: ({ trainShards, only }, batching) => inGroups(only === undefined ? trainShards : 1, batching),
  files: (corpus) => [
    { path: corpus.source, about: "rows", bytes: null },
    { path: corpus.tokenizer, about: "tokenizer", bytes: null },
  ],
  codedPieces: true,
  tokenizer: ({ tokenizer }) => tokenizer,
  from: ({ source }) => source,
  unstated: ({ source, sha256 }) => (sha256 === undefined ? [from({ source } as Pairs)] : []),
  digestsIdentify: true,
  withContent: (corpus) => corpus,
  strayDigests: ({ sha256, files, source }) =>
    files === undefined && source.startsWith("hf:")
      ? []
      : Object.keys(sha256 ?? {}).filter((name) => !(files ?? [source]).includes(name)),
}
