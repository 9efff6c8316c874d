/**
 * Sanity floors: code lengths of models that need no training to speak of, on the very tokens that were scored.
 *
 * Every token of the scored slice is a target, boundary tokens included, as in the canonical evaluator. A model
 * worse than the unigram has learnt nothing that counting would not teach, and is called untrained.
 */
import type { Tokens } from "../tokens.js"

/** What is scored, whatever the counts are taken from. */
export interface ScoredSlice {
  /** The scored slice. */
  readonly score: Tokens
  /** Up to two tokens before the slice, most recent last; missing context is an unseen one. */
  readonly previous: readonly number[]
  /**
   * For tokens that are not consecutive: the token `back` (1 or 2) places before the i-th one of `score` in its stream,
   * instead of what stands before it in `score`.
   */
  readonly contextOf?: (i: number, back: number) => number | undefined
  readonly vocabSize: number
}

export interface FloorInput extends ScoredSlice {
  /** Training stream the counts are taken from. */
  readonly train: Tokens
}

export interface FloorBits {
  readonly bits: number
  readonly tokens: number
}

/** Bits per token of the uniform distribution. */
export const uniformFloor = (vocabSize: number): number => Math.log2(vocabSize)

const sumOf = (bits: Float64Array): FloorBits => ({
  bits: bits.reduce((sum, each) => sum + each, 0),
  tokens: bits.length,
})

/** Counts of pairs, by context * vocabSize + token. */
interface PairCounts {
  readonly of: (pair: number) => number
  /** Counts one more and gives how many there are. */
  readonly add: (pair: number) => number
}

/** Pairs that are counted in an array, 256 MiB at most; with more of them only those that occur. */
const DENSE_PAIRS = 2 ** 26

const pairCounts = (vocabSize: number): PairCounts => {
  if (vocabSize ** 2 <= DENSE_PAIRS) {
    const counts = new Uint32Array(vocabSize ** 2)
    return { of: (pair) => counts[pair]!, add: (pair) => ++counts[pair]! }
  }
  const counts = new Map<number, number>()
  const of = (pair: number): number => counts.get(pair) ?? 0
  const add = (pair: number): number => {
    const count = of(pair) + 1
    counts.set(pair, count)
    return count
  }
  return { of, add }
}

/**
 * Witten-Bell smoothing: p(y|h) = (c(h,y) + d(h) p(y|h')) / (c(h) + d(h)), with d(h) the number of distinct
 * successors of h and h' the shorter context (Chen and Goodman 1999, section 2.5). An unseen context gives p(y|h').
 */
const wittenBell = (count: number, total: number, distinct: number, lower: number): number =>
  total === 0 ? lower : (count + distinct * lower) / (total + distinct)

/** Token `back` places before position i of the slice. */
const contextAt = (
  { score, previous, contextOf }: ScoredSlice,
  i: number,
  back: number,
): number | undefined =>
  contextOf !== undefined
    ? contextOf(i, back)
    : i >= back
      ? score[i - back]
      : previous[previous.length + i - back]

/** Counts of three tokens in a row, of the contexts that a slice asks for: the table stays as small as the slice. */
class TrigramCounts {
  /** Of each token of the slice; -1 where it has no two tokens before it. */
  readonly slots: Int32Array
  readonly totals: Float64Array
  readonly distinct: Float64Array
  readonly #slotOf: Int32Array
  readonly #counts = new Map<number, number>()
  readonly #vocabSize: number

  constructor(scored: ScoredSlice) {
    const { score, vocabSize } = scored
    this.#vocabSize = vocabSize
    this.#slotOf = new Int32Array(vocabSize * vocabSize).fill(-1)
    this.slots = new Int32Array(score.length).fill(-1)
    let count = 0
    for (let i = 0; i < score.length; i++) {
      const [a, b] = [contextAt(scored, i, 2), contextAt(scored, i, 1)]
      if (a === undefined || b === undefined) continue
      const key = a * vocabSize + b
      if (this.#slotOf[key]! < 0) this.#slotOf[key] = count++
      this.slots[i] = this.#slotOf[key]!
    }
    this.totals = new Float64Array(count)
    this.distinct = new Float64Array(count)
  }

  add(a: number, b: number, token: number): void {
    const slot = this.#slotOf[a * this.#vocabSize + b]!
    if (slot < 0) return
    const key = slot * this.#vocabSize + token
    const count = this.#counts.get(key)
    if (count === undefined) this.distinct[slot]!++
    this.#counts.set(key, (count ?? 0) + 1)
    this.totals[slot]!++
  }

  of(slot: number, token: number): number {
    return this.#counts.get(slot * this.#vocabSize + token) ?? 0
  }
}

/** Counts of a training stream that comes part by part: each part goes on where the one before ended. */
export class FloorCounts {
  readonly #scored: ScoredSlice
  #tokens = 0
  /** The last tokens of the stream, most recent first. */
  #last: number | undefined
  #lastButOne: number | undefined
  readonly #singles: Float64Array
  readonly #pairs: PairCounts
  readonly #totals: Float64Array
  readonly #distinct: Float64Array
  readonly #triples: TrigramCounts | undefined

  /** @param order 3 counts for {@link trigram} too */
  constructor(scored: ScoredSlice, order: 2 | 3) {
    const { vocabSize } = scored
    this.#scored = scored
    this.#singles = new Float64Array(vocabSize)
    this.#pairs = pairCounts(vocabSize)
    this.#totals = new Float64Array(vocabSize)
    this.#distinct = new Float64Array(vocabSize)
    this.#triples = order === 3 ? new TrigramCounts(scored) : undefined
  }

  add(part: Tokens): void {
    const { vocabSize } = this.#scored
    let [a, b] = [this.#lastButOne, this.#last]
    for (let i = 0; i < part.length; i++) {
      const token = part[i]!
      this.#singles[token]!++
      if (b !== undefined) {
        if (this.#pairs.add(b * vocabSize + token) === 1) this.#distinct[b]!++
        this.#totals[b]!++
        if (a !== undefined) this.#triples?.add(a, b, token)
      }
      a = b
      b = token
    }
    this.#lastButOne = a
    this.#last = b
    this.#tokens += part.length
  }

  /** Add-one smoothed frequency: never zero, and indistinguishable from a plain one at millions of tokens. */
  #single(token: number): number {
    return (this.#singles[token]! + 1) / (this.#tokens + this.#scored.vocabSize)
  }

  #pair(context: number | undefined, token: number): number {
    const lower = this.#single(token)
    if (context === undefined) return lower
    const count = this.#pairs.of(context * this.#scored.vocabSize + token)
    return wittenBell(count, this.#totals[context]!, this.#distinct[context]!, lower)
  }

  /** Bits of every token of the slice. */
  unigram(): Float64Array {
    return Float64Array.from(this.#scored.score, (token) => -Math.log2(this.#single(token)))
  }

  /** Bits of every token of the slice. */
  bigram(): Float64Array {
    return Float64Array.from(
      this.#scored.score,
      (token, i) => -Math.log2(this.#pair(contextAt(this.#scored, i, 1), token)),
    )
  }

  /** Bits of every token of the slice. @throws Error when only pairs were counted */
  trigram(): Float64Array {
    const triples = this.#triples
    if (triples === undefined) throw new Error("FloorCounts: no triples were counted.")
    return Float64Array.from(this.#scored.score, (token, i) => {
      const lower = this.#pair(contextAt(this.#scored, i, 1), token)
      const slot = triples.slots[i]!
      if (slot < 0) return -Math.log2(lower)
      const [total, distinct] = [triples.totals[slot]!, triples.distinct[slot]!]
      return -Math.log2(wittenBell(triples.of(slot, token), total, distinct, lower))
    })
  }
}

const countsOf = (input: FloorInput, order: 2 | 3): FloorCounts => {
  const counts = new FloorCounts(input, order)
  counts.add(input.train)
  return counts
}

/** Bits of every token of the slice. */
export const unigramBits = (input: FloorInput): Float64Array => countsOf(input, 2).unigram()

export const unigramFloor = (input: FloorInput): FloorBits => sumOf(unigramBits(input))

export const bigramFloor = (input: FloorInput): FloorBits => sumOf(countsOf(input, 2).bigram())

export const trigramFloor = (input: FloorInput): FloorBits => sumOf(countsOf(input, 3).trigram())

/** A compressor's output in bits per byte of its input. */
export const compressedBitsPerByte = (compressedBytes: number, textBytes: number): number =>
  (8 * compressedBytes) / textBytes

/** `untrained` for a model that needs more bits than counting tokens does. */
export const floorVerdict = (bitsPerToken: number, unigramBitsPerToken: number): "untrained" | "trained" =>
  bitsPerToken > unigramBitsPerToken ? "untrained" : "trained"
