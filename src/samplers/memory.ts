/** Passes whose logits are in memory: for small networks, oracles and tests. */
import { ARGMAX, chooseToken, probabilitiesOf } from "./choice.js"
import { confidenceOf, softmaxOfRates } from "./confidence.js"
import type { FlexForward, MaskedForward, Place, TimedState, TokenPass } from "./forward.js"

/** Logits of one position over the vocabulary. */
export type Logits = (place: Place) => ArrayLike<number>

export const passOf = (logits: Logits): TokenPass => ({
  draw: async (at, rule) => ({
    tokens: Int32Array.from(at, (place) => chooseToken(logits(place), rule, place.uniform)),
    probabilities: Float64Array.from(at, (place) => {
      const token = chooseToken(logits(place), rule, place.uniform)
      return probabilitiesOf(logits(place), rule.banned)[token]!
    }),
  }),
  confidence: async (at, kind, ranking, banned) =>
    Float64Array.from(at, (place) => {
      const p = probabilitiesOf(logits(place), banned)
      return confidenceOf(
        kind,
        ranking.of === "rates" ? softmaxOfRates(p, ranking.hazard) : p,
        place.position,
      )
    }),
  probability: async (at, id) => Float64Array.from(at, (place) => probabilitiesOf(logits(place))[id]!),
})

export interface MemoryPrediction {
  readonly gaps: ArrayLike<number>
  /** Logits at a position. */
  readonly logits: (position: number) => ArrayLike<number>
}

export const memoryForward = (
  predict: (state: TimedState, row: number) => MemoryPrediction,
): FlexForward => ({
  forward: async (states) => {
    const rows = states.map(predict)
    return {
      gaps: rows.map(({ gaps }) => gaps),
      ...passOf(({ row, position }) => rows[row]!.logits(position)),
    }
  },
})

/** @param logits [length][vocabulary] of one row */
export const memoryMaskedForward = (
  logits: (tokens: Int32Array) => readonly ArrayLike<number>[],
): MaskedForward => ({
  forward: async (rows, guidance) => {
    const given = rows.map(logits)
    if (guidance === undefined) return passOf(({ row, position }) => given[row]![position]!)
    const without = guidance.unconditional.map(logits)
    return passOf(({ row, position }) => {
      const base = without[row]![position]!
      return Float64Array.from(
        given[row]![position]!,
        (x, v) => base[v]! + (guidance.scale + 1) * (x - base[v]!),
      )
    })
  },
})

/** Deterministic choice among ids that are not banned. */
export const argmaxRule = (banned: readonly number[]) => ({ ...ARGMAX, banned })
