/** Shards that are there already. */
import { DataError } from "../../../files/errors.js"
import { parseSource } from "../../../files/sources.js"
import { inspectShardOf } from "../../rows/shards.js"
import { NARROW_IDS } from "../../rows/tokens.js"
import { shardDigest } from "../stated-digests.js"
import type { CorpusOptions, CorpusStore, SplitName } from "../store.js"
import type { Files } from "./schema.js"

const paths = (corpus: Files, part: SplitName, { base }: CorpusOptions): readonly string[] =>
  corpus[part].map((source) => {
    const parsed = parseSource(source, base)
    if (parsed.kind === "file") return parsed.path
    throw new DataError("invalid", source, `data.corpus.${part} must be a file: path.`)
  })

const stated: NonNullable<CorpusStore<Files>["stated"]> = (corpus, part, index) => {
  const source = corpus[part][index]!
  const sha256 = corpus.sha256?.[source]
  return sha256 === undefined ? undefined : { where: `data.corpus.sha256 of ${source}`, sha256 }
}

export const filesStore: CorpusStore<Files> = {
  kind: "files",
  stated,
  prepare: async () => undefined,
  locate: async ({ corpus, tokenizer }, options) => {
    const located = {
      train: paths(corpus, "train", options),
      validation: paths(corpus, "validation", options),
    }
    // The rules of a spec refuse such a vocabulary, except of a tokenizer.json: there the shards decide.
    if (tokenizer.vocabSize > NARROW_IDS)
      for (const path of [...located.train, ...located.validation])
        await inspectShardOf(tokenizer.vocabSize, path)
    return located
  },
  check: async ({ corpus, tokenizer: { vocabSize } }, options, { look, tokenizer }) => {
    for (const part of ["validation", "train"] as const)
      for (const [i, path] of paths(corpus, part, options).entries())
        await look(path, undefined, async () => {
          await inspectShardOf(vocabSize, path)
          const digest = stated(corpus, part, i)
          if (digest !== undefined) await shardDigest(path, digest)
        })
    await tokenizer(undefined)
  },
}
