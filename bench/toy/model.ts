/**
 * A masked model small enough to enumerate: V = 2, L = 3, p(x_i = 1 | visible S) = sigmoid(a_i + sum over j in S of
 * B_ij (2 x_j - 1)). Every quantity of the estimators is then a finite sum.
 */
export interface Toy {
  readonly a: readonly number[]
  readonly b: readonly (readonly number[])[]
}

export const TOY: Toy = {
  a: [0.3, -0.4, 0.1],
  b: [
    [0, 1.2, -0.5],
    [0.8, 0, 0.9],
    [-0.2, 1.5, 0],
  ],
}

/** The same with position i seeing only positions before it: an autoregressive model. */
export const CAUSAL_TOY: Toy = { a: TOY.a, b: TOY.b.map((row, i) => row.map((x, j) => (j < i ? x : 0))) }

export const X = [1, 0, 1] as const

export const LENGTH = 3

/** -ln p(x_i | the positions in `visible`), nats; `visible` is a bit set */
export const crossEntropy = ({ a, b }: Toy, x: readonly number[], i: number, visible: number): number => {
  let logit = a[i]!
  for (let j = 0; j < x.length; j++) if ((visible >> j) & 1) logit += b[i]![j]! * (2 * x[j]! - 1)
  return Math.log1p(Math.exp(x[i] === 1 ? -logit : logit))
}

/** Sum over the masked positions, nats; `masked` is a bit set */
export const maskedNats = (toy: Toy, x: readonly number[], masked: number): number => {
  const visible = (2 ** x.length - 1) & ~masked
  let sum = 0
  for (let i = 0; i < x.length; i++) if ((masked >> i) & 1) sum += crossEntropy(toy, x, i, visible)
  return sum
}

export const popCount = (set: number): number => (set === 0 ? 0 : (set & 1) + popCount(set >> 1))

export const subsets = (length = LENGTH): readonly number[] =>
  Array.from({ length: 2 ** length }, (_, set) => set)

export const permutations = (items: readonly number[]): readonly (readonly number[])[] =>
  items.length === 0
    ? [[]]
    : items.flatMap((first) => permutations(items.filter((x) => x !== first)).map((rest) => [first, ...rest]))

/** Cross-entropies along an order, nats per revealed position */
export const alongOrder = (toy: Toy, x: readonly number[], order: readonly number[]): readonly number[] => {
  let visible = 0
  return order.map((i) => {
    const nats = crossEntropy(toy, x, i, visible)
    visible |= 1 << i
    return nats
  })
}

/** E over sets of each size 0..L of the masked sum, nats */
export const meanNatsBySize = (toy: Toy, x: readonly number[]): readonly number[] =>
  Array.from({ length: x.length + 1 }, (_, k) => {
    const sets = subsets(x.length).filter((s) => popCount(s) === k)
    return sets.reduce((sum, s) => sum + maskedNats(toy, x, s), 0) / sets.length
  })

/** All strings over 0..v-1 */
export const strings = (v = 2, length = LENGTH): readonly (readonly number[])[] =>
  length === 0 ? [[]] : strings(v, length - 1).flatMap((s) => Array.from({ length: v }, (_, c) => [...s, c]))

export const total = (values: Iterable<number>): number => [...values].reduce((x, y) => x + y, 0)

export const close = (a: number, b: number, relative: number): boolean =>
  Math.abs(a - b) <= relative * Math.abs(b)
