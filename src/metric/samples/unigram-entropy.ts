/**
 * Unigram entropy of generated texts: how varied their tokens are. Text that repeats itself has a low one; a value far
 * below that of real text says that a sampler has collapsed. It judges variety alone, never quality.
 */
const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0)

/**
 * Entropy in nats of the relative frequencies of the tokens, -sum_v (n_v / n) ln(n_v / n). At most ln n and at most
 * ln V: short texts cannot reach the entropy of long ones. 0 for no tokens.
 */
export const frequencyEntropy = (tokens: Iterable<number>): number => {
  const counts = new Map<number, number>()
  let n = 0
  for (const token of tokens) {
    counts.set(token, (counts.get(token) ?? 0) + 1)
    n++
  }
  return total([...counts.values()].map((count) => (-count / n) * Math.log(count / n))) || 0
}

export interface UnigramEntropy {
  /** Mean over texts of the entropy within each, the form in which samplers are compared (Zheng et al., arXiv 2409.02908). */
  readonly perText: number
  /** Entropy of the frequencies in all texts together. */
  readonly pooled: number
}

/** Nats per token; texts without tokens are left out of the mean. */
export const unigramEntropy = (texts: readonly ArrayLike<number>[]): UnigramEntropy => {
  const filled = texts.map((text) => Array.from(text)).filter(({ length }) => length > 0)
  return {
    perText: filled.length === 0 ? 0 : total(filled.map(frequencyEntropy)) / filled.length,
    pooled: frequencyEntropy(filled.flat()),
  }
}
