/** Random choices of generated items: item k of a split depends on the seed, the split and k alone. */
import { integersBelow, stream, uniforms } from "../diffusion/philox.js"

/** Splits of a generated data set, by the coordinate that keeps their streams apart. */
export const GENERATED_SPLITS = { train: 0, validation: 1, test: 2 } as const
export type GeneratedSplit = keyof typeof GENERATED_SPLITS

/** One item's randomness, drawn in order. */
export interface Draws {
  /** An integer in [0, n), uniform. */
  readonly below: (n: number) => number
  /** An index with probability proportional to its weight. */
  readonly weighted: (weights: readonly number[]) => number
  /** The first `count` of a uniform permutation of [0, n). */
  readonly distinct: (n: number, count: number) => readonly number[]
  /** The values in uniform order. */
  readonly shuffled: <A>(values: readonly A[]) => readonly A[]
}

/** The draws of item `index`. Every draw has a site of its own, so that their kinds never share numbers. */
export const drawsOf = (seed: number, split: GeneratedSplit, index: number): Draws => {
  const source = stream(seed, "items")
  let drawn = 0
  const site = (): readonly [number, number, number] => [GENERATED_SPLITS[split], index, drawn++]
  const below = (n: number): number => integersBelow(source, site(), n, 1)[0]!
  const distinct = (n: number, count: number): readonly number[] => {
    if (count > n) throw new RangeError(`${count} distinct integers below ${n} do not exist`)
    const all = Array.from({ length: n }, (_, i) => i)
    for (let i = 0; i < count; i++) {
      const j = i + below(n - i)
      ;[all[i], all[j]] = [all[j]!, all[i]!]
    }
    return all.slice(0, count)
  }
  return {
    below,
    distinct,
    weighted: (weights) => {
      const total = weights.reduce((a, b) => a + b, 0)
      let rest = uniforms(source, site(), 1)[0]! * total
      for (const [i, w] of weights.entries()) {
        if (rest < w) return i
        rest -= w
      }
      return weights.length - 1
    },
    shuffled: (values) => distinct(values.length, values.length).map((i) => values[i]!),
  }
}
