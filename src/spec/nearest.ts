/** The nearest valid word to a mistyped one. */

/** Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours cost one. */
export const editDistance = (a: string, b: string): number => {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, beforeLast[j - 2]! + 1)
      row.push(cost)
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}

const fold = (word: string): string => word.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, "")

/**
 * The candidate nearest to `word`, or undefined where none is near: more than two fifths of the letters wrong, and
 * neither word a prefix of the other. Case and punctuation are free.
 */
export const nearest = (word: string, candidates: readonly string[]): string | undefined => {
  const folded = fold(word)
  if (folded === "" || folded.length > 100) return undefined
  let best: { readonly candidate: string; readonly distance: number } | undefined
  for (const candidate of candidates) {
    const other = fold(candidate)
    const prefix =
      folded.length >= 3 && other.length >= 3 && (other.startsWith(folded) || folded.startsWith(other))
    const limit = Math.max(1, Math.floor(Math.max(folded.length, other.length) * 0.4))
    // Each letter more costs one.
    if (!prefix && Math.abs(folded.length - other.length) > limit) continue
    const distance = editDistance(folded, other)
    if (distance > limit && !prefix) continue
    if (best === undefined || distance < best.distance) best = { candidate, distance }
  }
  return best?.candidate
}
