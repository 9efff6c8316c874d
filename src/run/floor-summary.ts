/** A sanity floor, as it is measured and stored. */

/** The targets that a floor is of: the evaluations that scored exactly these, their number and bytes (null: not countable). */
export interface FloorTargets {
  readonly evaluations: readonly string[]
  readonly tokens: number
  readonly bytes: number | null
}

/** What a simple model needs for the tokens that were scored. */
export interface FloorSummary {
  /** uniform, unigram, bigram, trigram, source, xz */
  readonly id: string
  readonly label: string
  /** null: not defined (a byte compressor) or not computed. */
  readonly bitsPerToken: number | null
  readonly bitsPerByte: number | null
  /** Why a value is missing, or how it was computed. */
  readonly notes?: readonly string[]
  readonly targets?: FloorTargets
  /** The same over the targets that are no boundary tokens; stated where a model is given those free. */
  readonly maskable?: { readonly tokens: number; readonly bitsPerToken: number }
}
