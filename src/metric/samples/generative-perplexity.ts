/**
 * Generative perplexity: how probable a judge finds generated texts. Three published reductions of the same nats give
 * three numbers, so that the name of the reduction belongs to each. Low values come from repetition too: entropy and
 * the number of texts stand beside every value.
 */

/**
 * - mean-of-perplexities: the mean over texts of exp(mean nats of its tokens) (brianlck/FlexMDM evaluate_samples.py,
 *   xlm-core's `perplexity`).
 * - corpus: exp(mean nats of all tokens) (xlm-core's `total_perplexity`).
 * - chunks: texts are joined and cut into chunks of the judge's window; the mean over chunks of exp(mean nats)
 *   (brianlck/FlexMDM, chunk mode).
 */
export const REDUCTIONS = ["mean-of-perplexities", "corpus", "chunks"] as const
export type Reduction = (typeof REDUCTIONS)[number]

export interface Judged {
  /** SHA-256 of the judge's weights: a perplexity is about a judge, and without it no other may stand beside it. */
  readonly judgeDigest: string
  /** What each entry of `nats` is: a text, or a chunk of joined texts. */
  readonly unit: "text" | "chunk"
  /** Nats of each scored token under the judge, unit by unit; a unit's first token is not scored. */
  readonly nats: readonly ArrayLike<number>[]
}

export interface GenerativePerplexity {
  readonly reduction: Reduction
  readonly perplexity: number
  /** Units that were scored, and those without a scored token, which are left out. */
  readonly scored: number
  readonly left: number
  /** Judge tokens. */
  readonly tokens: number
}

const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0)
const meanOf = (values: readonly number[]): number => sum(values) / values.length

/** @throws RangeError without a judge's digest, of units that the reduction is not about, or where nothing was scored */
export const generativePerplexity = (
  { judgeDigest, unit, nats }: Judged,
  reduction: Reduction,
): GenerativePerplexity => {
  if (!/^[0-9a-f]{64}$/.test(judgeDigest))
    throw new RangeError(
      "generative perplexity needs the SHA-256 of the judge's weights; a value without its judge cannot stand beside another.",
    )
  const wanted = reduction === "chunks" ? "chunk" : "text"
  if (unit !== wanted)
    throw new RangeError(`the reduction ${reduction} is over ${wanted}s; these nats are of ${unit}s.`)
  const scored = nats.filter(({ length }) => length > 0)
  if (scored.length === 0)
    throw new RangeError("no token was scored; give texts of two judge tokens at least.")
  const tokens = scored.reduce((n, { length }) => n + length, 0)
  const perplexity =
    reduction === "corpus"
      ? Math.exp(sum(scored.map(sum)) / tokens)
      : meanOf(scored.map((unitNats) => Math.exp(sum(unitNats) / unitNats.length)))
  return { reduction, perplexity, scored: scored.length, left: nats.length - scored.length, tokens }
}

/** Texts joined by the separator and cut into chunks of `length` judge tokens; the last one may be shorter. */
export const chunksOf = (
  texts: readonly ArrayLike<number>[],
  separator: number,
  length: number,
): readonly Int32Array[] => {
  const joined = texts.flatMap((text) => [...Array.from(text), separator])
  return Array.from({ length: Math.ceil(joined.length / length) }, (_, c) =>
    Int32Array.from(joined.slice(c * length, (c + 1) * length)),
  )
}
