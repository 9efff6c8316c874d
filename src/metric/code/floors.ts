/**
 * Sanity floors: code lengths of models that need no training to speak of, on the very tokens that were scored.
 *
 * Every token of the scored slice is a target, boundary tokens included, as in the canonical evaluator. A model
 * worse than the unigram has learnt nothing that counting would not teach, and is called untrained.
 */
import type { Tokens } from "../tokens.js"

export interface FloorInput {
  /** Training stream the counts are taken from. */
  readonly train: Tokens
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

export interface FloorBits {
  readonly bits: number
  readonly tokens: number
}

/** Bits per token of the uniform distribution. */
export const uniformFloor = (vocabSize: number): number => Math.log2(vocabSize)

/** Add-one smoothed frequencies: never zero, and indistinguishable from plain ones at millions of tokens. */
const unigramProbabilities = (train: Tokens, vocabSize: number): Float64Array => {
  const counts = new Float64Array(vocabSize).fill(1)
  for (let i = 0; i < train.length; i++) counts[train[i]!]!++
  const total = train.length + vocabSize
  return counts.map((c) => c / total)
}

const sumOf = (bits: Float64Array): FloorBits => ({
  bits: bits.reduce((sum, each) => sum + each, 0),
  tokens: bits.length,
})

/** Bits of every token of the slice. */
export const unigramBits = ({ train, score, vocabSize }: FloorInput): Float64Array => {
  const p = unigramProbabilities(train, vocabSize)
  return Float64Array.from(score, (token) => -Math.log2(p[token]!))
}

export const unigramFloor = (input: FloorInput): FloorBits => sumOf(unigramBits(input))

/** Counts of a context's successors: total and number of distinct ones. */
interface Successors {
  readonly total: Float64Array
  readonly distinct: Float64Array
}

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

interface BigramModel {
  readonly counts: PairCounts
  readonly successors: Successors
  readonly unigram: Float64Array
  readonly vocabSize: number
}

const fitBigram = (train: Tokens, vocabSize: number): BigramModel => {
  const counts = pairCounts(vocabSize)
  const total = new Float64Array(vocabSize)
  const distinct = new Float64Array(vocabSize)
  for (let i = 1; i < train.length; i++) {
    const context = train[i - 1]!
    if (counts.add(context * vocabSize + train[i]!) === 1) distinct[context]!++
    total[context]!++
  }
  return {
    counts,
    successors: { total, distinct },
    unigram: unigramProbabilities(train, vocabSize),
    vocabSize,
  }
}

/**
 * Witten-Bell smoothing: p(y|h) = (c(h,y) + d(h) p(y|h')) / (c(h) + d(h)), with d(h) the number of distinct
 * successors of h and h' the shorter context (Chen and Goodman 1999, section 2.5). An unseen context gives p(y|h').
 */
const wittenBell = (count: number, total: number, distinct: number, lower: number): number =>
  total === 0 ? lower : (count + distinct * lower) / (total + distinct)

const bigramProbability = (
  { counts, successors, unigram, vocabSize }: BigramModel,
  context: number | undefined,
  token: number,
): number =>
  context === undefined
    ? unigram[token]!
    : wittenBell(
        counts.of(context * vocabSize + token),
        successors.total[context]!,
        successors.distinct[context]!,
        unigram[token]!,
      )

/** Token `back` places before position i of the slice. */
const contextAt = (
  { score, previous, contextOf }: FloorInput,
  i: number,
  back: number,
): number | undefined =>
  contextOf !== undefined
    ? contextOf(i, back)
    : i >= back
      ? score[i - back]
      : previous[previous.length + i - back]

/** Bits of every token of the slice. */
export const bigramBits = (input: FloorInput): Float64Array => {
  const model = fitBigram(input.train, input.vocabSize)
  return Float64Array.from(
    input.score,
    (token, i) => -Math.log2(bigramProbability(model, contextAt(input, i, 1), token)),
  )
}

export const bigramFloor = (input: FloorInput): FloorBits => sumOf(bigramBits(input))

/** Bits of every token of the slice. */
export const trigramBits = (input: FloorInput): Float64Array => {
  const { train, score, vocabSize } = input
  const bigram = fitBigram(train, vocabSize)
  // Only contexts that the slice asks for are counted: the table stays as small as the slice.
  const slots = new Map<number, number>()
  const contexts = new Int32Array(score.length).fill(-1)
  for (let i = 0; i < score.length; i++) {
    const [a, b] = [contextAt(input, i, 2), contextAt(input, i, 1)]
    if (a === undefined || b === undefined) continue
    const key = a * vocabSize + b
    let slot = slots.get(key)
    if (slot === undefined) slots.set(key, (slot = slots.size))
    contexts[i] = slot
  }
  const totals = new Float64Array(slots.size)
  const distinct = new Float64Array(slots.size)
  const counts = new Map<number, number>()
  const slotOf = new Int32Array(vocabSize * vocabSize).fill(-1)
  for (const [key, slot] of slots) slotOf[key] = slot
  for (let i = 2; i < train.length; i++) {
    const slot = slotOf[train[i - 2]! * vocabSize + train[i - 1]!]!
    if (slot < 0) continue
    const key = slot * vocabSize + train[i]!
    const count = counts.get(key)
    if (count === undefined) distinct[slot]!++
    counts.set(key, (count ?? 0) + 1)
    totals[slot]!++
  }
  return Float64Array.from(score, (token, i) => {
    const lower = bigramProbability(bigram, contextAt(input, i, 1), token)
    const slot = contexts[i]!
    return -Math.log2(
      slot < 0
        ? lower
        : wittenBell(counts.get(slot * vocabSize + token) ?? 0, totals[slot]!, distinct[slot]!, lower),
    )
  })
}

export const trigramFloor = (input: FloorInput): FloorBits => sumOf(trigramBits(input))

/** A compressor's output in bits per byte of its input. */
export const compressedBitsPerByte = (compressedBytes: number, textBytes: number): number =>
  (8 * compressedBytes) / textBytes

/** `untrained` for a model that needs more bits than counting tokens does. */
export const floorVerdict = (bitsPerToken: number, unigramBitsPerToken: number): "untrained" | "trained" =>
  bitsPerToken > unigramBitsPerToken ? "untrained" : "trained"
