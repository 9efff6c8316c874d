/** How attention [B,T,H,D] over S keys is cut into blocks whose scores [heads, queries, S] fit a cache. */

/** Sizes of one attention: B * H heads, T queries, S keys, width D. */
export interface AttentionSizes {
  readonly heads: number
  readonly queries: number
  readonly keys: number
  readonly width: number
  /** Heads and queries of one block; they divide the whole. */
  readonly blockHeads: number
  readonly blockQueries: number
}

/** One block: heads of group `group`, queries from `first` on. */
export interface Block {
  readonly group: number
  readonly part: number
  readonly first: number
}

const largestDivisor = (n: number, limit: number): number => {
  for (let d = Math.min(n, Math.max(1, Math.floor(limit))); d > 1; d--) if (n % d === 0) return d
  return 1
}

/** Whole heads where one fits in `blockBytes` of float32 scores, else a part of one head's queries. */
export const sizesOf = (q: readonly number[], k: readonly number[], blockBytes: number): AttentionSizes => {
  const [batch, queries, perBatch, width] = q as [number, number, number, number]
  const keys = k[1]!
  const heads = batch * perBatch
  const limit = blockBytes / 4
  return {
    heads,
    queries,
    keys,
    width,
    blockHeads: largestDivisor(heads, limit / (queries * keys)),
    blockQueries: largestDivisor(queries, limit / keys),
  }
}

/** The blocks in order: groups of heads, and within a group its queries. */
export const blocksOf = ({ heads, queries, blockHeads, blockQueries }: AttentionSizes): readonly Block[] => {
  const parts = queries / blockQueries
  return Array.from({ length: (heads / blockHeads) * parts }, (_, i) => ({
    group: Math.floor(i / parts),
    part: i % parts,
    first: (i % parts) * blockQueries,
  }))
}
