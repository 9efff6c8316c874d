/** The tokenizer of a spec, as it lies on disk. */
import type { Data } from "../../spec/data.js"
import { DataError } from "../../files/errors.js"
import { parseSource } from "../../files/sources.js"
import { EMBEDDED_TOKENIZER } from "../assets.js"
import { readModel } from "../tokenizers/read.js"
import type { SentencePieceModel } from "../tokenizers/sentencepiece.js"
import { requireSpecialIds } from "./special-ids.js"
import { requireDigest } from "./stated-digests.js"
import type { CorpusOptions } from "./store.js"
import { corpusStore } from "./stores.js"

/** The part of a spec that says which files are needed. */
export type CorpusSpec = Pick<Data, "corpus" | "tokenizer">

/** Where the tokenizer lies. */
export const tokenizerPath = async (
  { tokenizer, corpus }: CorpusSpec,
  options: CorpusOptions,
): Promise<string> => {
  if (tokenizer.model === "embedded") return EMBEDDED_TOKENIZER
  if (tokenizer.model !== "corpus") {
    const parsed = parseSource(tokenizer.model, options.base)
    if (parsed.kind === "file") return parsed.path
    throw new DataError("invalid", tokenizer.model, "data.tokenizer.model must be a file: path.")
  }
  const published = await corpusStore(corpus).tokenizer?.(corpus, options)
  if (published !== undefined) return published
  throw new DataError(
    "invalid",
    "data.tokenizer.model",
    `a corpus of kind "${corpus.kind}" publishes no tokenizer; write "embedded" or a file: path.`,
  )
}

/** @throws DataError when it is no tokenizer or does not fit the spec */
export const readTokenizer = async ({ tokenizer }: CorpusSpec, path: string): Promise<SentencePieceModel> => {
  const model = await readModel(path)
  if (model.pieces.length > tokenizer.vocabSize) {
    throw new DataError(
      "invalid",
      path,
      `it has ${model.pieces.length} pieces, more than data.tokenizer.vocabSize ${tokenizer.vocabSize}; correct the spec.`,
    )
  }
  requireDigest(path, "data.tokenizer.sha256", tokenizer.sha256, model.digest)
  requireSpecialIds(model, tokenizer, path)
  return model
}
