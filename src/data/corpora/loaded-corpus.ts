/** A corpus on disk, with the digests of its files. */
import type { SentencePieceModel } from "../tokenizers/sentencepiece.js"
import type { PartTotals } from "./store.js"

/** A corpus that is on disk and whole. */
export interface LoadedCorpus {
  /** Shards in the order of the spec, of the manifest or of their making. */
  readonly train: readonly string[]
  readonly validation: readonly string[]
  readonly tokenizer: SentencePieceModel
  readonly tokenizerPath: string
  /** SHA-256 of the tokenizer model. */
  readonly tokenizerDigest: string
  /** SHA-256 of each training shard, in order. */
  readonly trainDigests: readonly string[]
  /** SHA-256 of each validation shard, in order. */
  readonly validationDigests: readonly string[]
  readonly totals: { readonly train: PartTotals; readonly validation: PartTotals }
}
