/** What shards say when their tokens are decoded. */
import { loadTokenizer, readTokens, type CorpusSpec } from "../../../src/data/corpora/corpus.js"
import { buildDocumentIndex, documentParts, documentRule } from "../../../src/data/rows/documents.js"
import { modelTokenizer } from "../../../src/data/tokenizers/tokenizer.js"

/** The texts of some shards, in order. */
export const textsOf = async (
  spec: CorpusSpec,
  cacheDir: string,
  shards: readonly string[],
): Promise<readonly string[]> => {
  const own = modelTokenizer("bytes", await loadTokenizer(spec, { cacheDir }))
  const tokens = await readTokens(shards)
  const index = buildDocumentIndex(tokens, documentRule({ ...spec, batching: { length: 500 } }))
  return Array.from(index.starts, (_, i) => own.decode(documentParts(tokens, index, i).target))
}
