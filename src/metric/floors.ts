/**
 * Sanity floors: code lengths of models that need no training to speak of, on the very tokens that were scored.
 *
 * Every token of the scored slice is a target, boundary tokens included, as in the canonical evaluator. A model
 * worse than the unigram has learnt nothing that counting would not teach, and is called untrained.
 */

export interface FloorInput {
  /** Training stream the counts are taken from. */
  readonly train: Uint16Array
  /** The scored slice. */
  readonly score: Uint16Array
  /** Up to two tokens before the slice, most recent last; missing context is an unseen one. */
  readonly previous: readonly number[]
  readonly vocabSize: number
}

export interface FloorBits {
  readonly bits: number
  readonly tokens: number
}

/** Bits per token of the uniform distribution. */
export const uniformFloor = (vocabSize: number): number => Math.log2(vocabSize)

/** Add-one smoothed frequencies: never zero, and indistinguishable from plain ones at millions of tokens. */
const unigramProbabilities = (train: Uint16Array, vocabSize: number): Float64Array => {
  const counts = new Float64Array(vocabSize).fill(1)
  for (let i = 0; i < train.length; i++) counts[train[i]!]!++
  const total = train.length + vocabSize
  return counts.map((c) => c / total)
}

export const unigramFloor = ({ train, score, vocabSize }: FloorInput): FloorBits => {
  const p = unigramProbabilities(train, vocabSize)
  let bits = 0
  for (let i = 0; i < score.length; i++) bits -= Math.log2(p[score[i]!]!)
  return { bits, tokens: score.length }
}

/** Counts of a context's successors: total and number of distinct ones. */
interface Successors {
  readonly total: Float64Array
  readonly distinct: Float64Array
}

interface BigramModel {
  readonly counts: Uint32Array
  readonly successors: Successors
  readonly unigram: Float64Array
  readonly vocabSize: number
}

const fitBigram = (train: Uint16Array, vocabSize: number): BigramModel => {
  const counts = new Uint32Array(vocabSize * vocabSize)
  const total = new Float64Array(vocabSize)
  const distinct = new Float64Array(vocabSize)
  for (let i = 1; i < train.length; i++) {
    const context = train[i - 1]!
    const at = context * vocabSize + train[i]!
    if (counts[at] === 0) distinct[context]!++
    counts[at]!++
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
        counts[context * vocabSize + token]!,
        successors.total[context]!,
        successors.distinct[context]!,
        unigram[token]!,
      )

/** Token `back` places before position i of the slice. */
const contextAt = ({ score, previous }: FloorInput, i: number, back: number): number | undefined =>
  i >= back ? score[i - back] : previous[previous.length + i - back]

export const bigramFloor = (input: FloorInput): FloorBits => {
  const model = fitBigram(input.train, input.vocabSize)
  const { score } = input
  let bits = 0
  for (let i = 0; i < score.length; i++)
    bits -= Math.log2(bigramProbability(model, contextAt(input, i, 1), score[i]!))
  return { bits, tokens: score.length }
}

export const trigramFloor = (input: FloorInput): FloorBits => {
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
  const total = new Float64Array(slots.size)
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
    total[slot]!++
  }
  let bits = 0
  for (let i = 0; i < score.length; i++) {
    const token = score[i]!
    const lower = bigramProbability(bigram, contextAt(input, i, 1), token)
    const slot = contexts[i]!
    bits -= Math.log2(
      slot < 0
        ? lower
        : wittenBell(counts.get(slot * vocabSize + token) ?? 0, total[slot]!, distinct[slot]!, lower),
    )
  }
  return { bits, tokens: score.length }
}

/** A compressor's output in bits per byte of its input. */
export const compressedBitsPerByte = (compressedBytes: number, textBytes: number): number =>
  (8 * compressedBytes) / textBytes

/** `untrained` for a model that needs more bits than counting tokens does. */
export const floorVerdict = (bitsPerToken: number, unigramBitsPerToken: number): "untrained" | "trained" =>
  bitsPerToken > unigramBitsPerToken ? "untrained" : "trained"
