/** Chance from a seed, so that what a soak found can be found again. */
export interface Chance {
  /** In [0, 1). */
  readonly next: () => number
  /** In [0, below). */
  readonly below: (below: number) => number
  readonly pick: <A>(items: readonly A[]) => A
}

/** Mulberry32: good enough to choose moments and places. */
export const chanceOf = (seed: number): Chance => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return { next, below, pick: (items) => items[below(items.length)]! }
}
