/** A data set of texts, as spec and plan know it. */
import type { Problem } from "../../../spec/spec-error.js"
import { inGroups, type CorpusPart, type DataSubject } from "../part.js"
import { Dataset } from "./schema.js"

export const isHub = ({ source }: Pick<Dataset, "source">): boolean => source.startsWith("hf:")
const name = ({ source }: Pick<Dataset, "source">): string => source.replace(/^(hf|file):/, "")

const isCommit = (revision = ""): boolean => /^[0-9a-f]{40}$/.test(revision)

/** Rule of corpora that leave out documents of more than `mostTokens`. */
export const mostTokensFit = ({
  corpus: { mostTokens },
  batching,
}: {
  readonly corpus: Pick<Dataset, "mostTokens">
  readonly batching: DataSubject["batching"]
}): Problem | false =>
  mostTokens !== undefined &&
  mostTokens > batching.length &&
  batching.kind === "documents" && {
    pointer: "/data/corpus/mostTokens",
    expected: `at most the ${batching.length} tokens of a row`,
    found: JSON.stringify(mostTokens),
    hint: "Leave it out where longer documents are cut into several rows.",
  }

export const dataset: CorpusPart<Dataset> = {
  kind: "dataset",
  schema: Dataset,
  rules: [
    ({ corpus }) =>
      corpus.files !== undefined &&
      !isHub(corpus) && {
        pointer: "/data/corpus/files",
        expected: "nothing: they are the files of a hub repository",
        found: JSON.stringify(corpus.files),
        hint: "A file: source may be a folder or a pattern.",
      },
    ({ corpus: { validation, ...corpus } }) => {
      if (!("files" in validation)) return false
      const wrong = validation.files.findIndex((file) => file.startsWith("file:") === isHub(corpus))
      return (
        wrong >= 0 && {
          pointer: `/data/corpus/validation/files/${wrong}`,
          expected: isHub(corpus) ? "the name of a file in the repository" : "file:PATH",
          found: JSON.stringify(validation.files[wrong]),
        }
      )
    },
    ({ corpus: { validation, ...corpus } }) =>
      "files" in validation &&
      isHub(corpus) &&
      corpus.files === undefined && {
        pointer: "/data/corpus/files",
        expected: "the files with training rows, beside those of validation",
        found: "nothing, which is all files of the repository",
      },
    mostTokensFit,
  ],
  identity: ({
    kind,
    source,
    revision,
    files,
    validation,
    sha256,
    field,
    detokenise,
    mostTokens,
    trainShards,
  }) => ({
    kind,
    // A path is no identity; the name of a repository, and of a file in it, is.
    source: source.startsWith("hf:") ? source : null,
    revision: revision ?? null,
    files: files ?? null,
    validation: source.startsWith("hf:") || !("files" in validation) ? validation : "files",
    sha256: Object.values(sha256 ?? {}),
    field,
    detokenise: detokenise ?? null,
    mostTokens: mostTokens ?? null,
    trainShards,
  }),
  dataset: (corpus) => name(corpus).split("/").at(-1)!,
  visits: ({ trainShards }, batching) => inGroups(trainShards, batching),
  files: (corpus) => [
    { path: corpus.source, about: "rows", bytes: null },
    { path: corpus.tokenizer, about: "tokenizer", bytes: null },
  ],
  codedPieces: true,
  tokenizer: ({ tokenizer }) => tokenizer,
  from: ({ source }) => source,
  unstated: ({ source, revision, sha256 }) =>
    sha256 !== undefined || (isHub({ source }) && isCommit(revision)) ? [] : [name({ source })],
  digestsIdentify: true,
  withContent: (corpus) => corpus,
  strayDigests: ({ sha256, files, validation, source }) => {
    const named = [...(files ?? []), ...("files" in validation ? validation.files : [])]
    const listed = !isHub({ source }) || files === undefined || named.some((file) => file.includes("*"))
    return listed ? [] : Object.keys(sha256 ?? {}).filter((file) => !named.includes(file))
  },
}
