/**
 * Bracket strings. As published (brianlck/FlexMDM 99eb7b7, data/parenthesis.py) the generator writes opening
 * brackets alone, so that only the length carries information; balanced, every string is a uniform balanced word of
 * its length, whose entropy is known.
 */
import type { Draws } from "../generated.js"

export const OPEN = 0
export const CLOSE = 1

/** Probability of each length in tokens. */
export type LengthMixture = Readonly<Record<number, number>>

/** The published mixture. */
export const PUBLISHED_LENGTHS: LengthMixture = { 4: 0.1, 16: 0.4, 32: 0.4, 64: 0.1 }
/** A mixture of short balanced words, of mean 9. */
export const BALANCED_LENGTHS: LengthMixture = { 2: 0.1, 4: 0.2, 8: 0.4, 16: 0.3 }

const entries = (mixture: LengthMixture): readonly (readonly [number, number])[] =>
  Object.entries(mixture).map(([length, p]) => [Number(length), p] as const)

export const drawLength = (mixture: LengthMixture, draws: Draws): number => {
  const all = entries(mixture)
  return all[draws.weighted(all.map(([, p]) => p))]![0]
}

/** n opening brackets. */
export const openingWord = (length: number): readonly number[] => Array.from({ length }, () => OPEN)

/**
 * Ways to finish a balanced word with `open` brackets open and `left` tokens to go: the ballot numbers, exact in
 * float64 up to 64 tokens.
 */
const completions = (open: number, left: number): number => {
  let row = Float64Array.from({ length: left + 2 }, (_, i) => (i === 0 ? 1 : 0))
  for (let k = 1; k <= left; k++) {
    row = Float64Array.from(row, (_, i) => (i + 1 < row.length ? row[i + 1]! : 0) + (i > 0 ? row[i - 1]! : 0))
  }
  return row[open] ?? 0
}

/** Number of balanced words of 2n tokens: the Catalan number. */
export const balancedWords = (length: number): number => (length % 2 === 0 ? completions(0, length) : 0)

/** A balanced word, uniform among those of its length. */
export const balancedWord = (length: number, draws: Draws): readonly number[] => {
  if (length % 2 !== 0) throw new RangeError(`a balanced word has an even length, not ${length}`)
  const word: number[] = []
  let open = 0
  for (let left = length; left > 0; left--) {
    const weights = [completions(open + 1, left - 1), open === 0 ? 0 : completions(open - 1, left - 1)]
    const token = draws.weighted(weights) === 0 ? OPEN : CLOSE
    open += token === OPEN ? 1 : -1
    word.push(token)
  }
  return word
}

/** Whether every bracket closes and nothing closes before it opens; the empty word is balanced. */
export const isBalanced = (word: ArrayLike<number>): boolean => {
  let open = 0
  for (let i = 0; i < word.length; i++) {
    if (word[i] !== OPEN && word[i] !== CLOSE) return false
    open += word[i] === OPEN ? 1 : -1
    if (open < 0) return false
  }
  return open === 0
}

/** Entropy of the source in nats per string: of the length, and of the word given its length. */
export const bracketEntropy = (mixture: LengthMixture, balanced: boolean): number =>
  entries(mixture).reduce(
    (sum, [length, p]) =>
      sum - (p === 0 ? 0 : p * (Math.log(p) - (balanced ? Math.log(balancedWords(length)) : 0))),
    0,
  )

/** -ln of the probability of a word; infinite for one that is never drawn. */
export const bracketNats = (
  mixture: LengthMixture,
  word: ArrayLike<number>,
  words: "opening" | "balanced",
): number => {
  const drawn = words === "balanced" ? isBalanced(word) : Array.from(word).every((token) => token === OPEN)
  const p = mixture[word.length] ?? 0
  if (!drawn || p === 0) return Number.POSITIVE_INFINITY
  return (words === "balanced" ? Math.log(balancedWords(word.length)) : 0) - Math.log(p)
}

/** Expected length in tokens. */
export const meanLength = (mixture: LengthMixture): number =>
  entries(mixture).reduce((sum, [length, p]) => sum + length * p, 0)
