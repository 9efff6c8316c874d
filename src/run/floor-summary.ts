/** A sanity floor on the same tokens. */
export interface FloorSummary {
  /** uniform, unigram, bigram, trigram, xz */
  readonly id: string
  readonly label: string
  /** null: not defined (a byte compressor) or not computed. */
  readonly bitsPerToken: number | null
  readonly bitsPerByte: number | null
  /** Why a value is missing, or how it was computed. */
  readonly notes?: readonly string[]
}
