/** The toy model behind the interface of a network. */
import type { MaskRule } from "../../src/diffusion/corrupt.js"
import type { Scorer, ScoreRow } from "../../src/inference/scorer.js"
import { crossEntropy, TOY, type Toy } from "./model.js"

export const MASK = 2
export const rule: MaskRule = { maskId: MASK, padId: 3, boundaryId: 4, boundary: "maskable" }
export const schedule = { kind: "log-linear", eps: 1e-3 } as const
export const options = { schedule, rule }

export const visibleSet = (inputIds: ArrayLike<number>): number =>
  Array.from(inputIds).reduce((set, id, i) => (id === MASK ? set : set | (1 << i)), 0)

/** The toy behind the interface of a network; keeps the rows it was given. */
export const toyScorer = (toy: Toy = TOY): Scorer & { readonly rows: ScoreRow[] } => {
  const rows: ScoreRow[] = []
  return {
    rows,
    score: (given) => {
      rows.push(...given)
      return Promise.resolve(
        given.map(({ inputIds, columns, targets }) =>
          Float32Array.from(columns, (column, j) => {
            const x = Array.from(inputIds)
            x[column] = targets[j]!
            return crossEntropy(toy, x, column, visibleSet(inputIds))
          }),
        ),
      )
    },
    forwards: () => rows.length,
    dispose: () => Promise.resolve(),
  }
}
