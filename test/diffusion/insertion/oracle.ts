/** A distribution over a few words, its exact predictions at any state, and exact integrals over states and times. */
import {
  embeddingPosterior,
  logEmbeddings,
  type EmbeddingPosterior,
} from "../../../src/diffusion/insertion/embeddings.js"
import type { StatePrediction } from "../../../src/diffusion/insertion/code-length.js"
import { stateShares } from "../../../src/diffusion/insertion/hitting.js"
import { complementAt, type JointSchedule } from "../../../src/diffusion/insertion/schedule.js"

export const MASK = 1
export const PAD = 0

/** Letters are their character codes; "?" is MASK. */
export const ids = (text: string): Int32Array =>
  Int32Array.from(text, (c) => (c === "?" ? MASK : c.charCodeAt(0)))

export type Words = Readonly<Record<string, number>>

export interface OraclePrediction {
  readonly gaps: Float64Array
  /** For each MASK, probability of each token. */
  readonly tokens: readonly ReadonlyMap<number, number>[]
}

/** E[missing tokens | x_t, t] and P(token | x_t, t) under the distribution of the words. */
export const oracle = (
  words: Words,
  schedules: JointSchedule,
  xt: Int32Array,
  t: number,
): OraclePrediction => {
  const absent = complementAt(schedules.insertion, t)
  const gaps = new Float64Array(xt.length + 1)
  const masks = xt.filter((token) => token === MASK).length
  const tokens = Array.from({ length: masks }, () => new Map<number, number>())
  let total = 0
  for (const [word, p] of Object.entries(words)) {
    const x1 = ids(word)
    const log = logEmbeddings(xt, x1, { maskId: MASK })
    if (log === Number.NEGATIVE_INFINITY) continue
    const weight = p * Math.exp(log) * absent ** (x1.length - xt.length)
    const posterior = embeddingPosterior(xt, x1, { maskId: MASK })
    total += weight
    posterior.gaps.forEach((gap, j) => (gaps[j]! += weight * gap))
    posterior.targets.forEach((target, k) =>
      target.tokens.forEach((token, v) =>
        tokens[k]!.set(token, (tokens[k]!.get(token) ?? 0) + weight * target.probabilities[v]!),
      ),
    )
  }
  return {
    gaps: gaps.map((gap) => gap / total),
    tokens: tokens.map((map) => new Map([...map].map(([token, w]) => [token, w / total]))),
  }
}

export const asPrediction = (
  { gaps, tokens }: OraclePrediction,
  { targets }: EmbeddingPosterior,
): StatePrediction => ({
  gaps,
  logProbs: targets.map((target, k) =>
    Array.from(target.tokens, (token) => Math.log(tokens[k]!.get(token) ?? 0)),
  ),
})

export interface WeighedState {
  readonly tokens: Int32Array
  readonly source: readonly number[]
  readonly probability: number
}

/** Every hidden state of a sequence at time t, 3^n of them, with its probability. */
export const statesOf = (x1: Int32Array, schedules: JointSchedule, t: number): readonly WeighedState[] => {
  const { absent, masked, clean } = stateShares(schedules, t)
  return Array.from({ length: 3 ** x1.length }, (_, code) => {
    let rest = code
    let probability = 1
    const tokens: number[] = []
    const source: number[] = []
    x1.forEach((token, i) => {
      const state = rest % 3
      rest = Math.floor(rest / 3)
      probability *= state === 0 ? absent : state === 1 ? masked : clean
      if (state === 0) return
      tokens.push(state === 1 ? MASK : token)
      source.push(i)
    })
    return { tokens: Int32Array.from(tokens), source, probability }
  })
}

/** Integral over t in (0, 1) by Simpson's rule in s with 1 - t = (1 - s)^4, which tames what is singular at 1. */
export const overTime = (f: (t: number) => number, intervals = 200): number => {
  let sum = 0
  for (let i = 0; i <= intervals; i++) {
    const s = i / intervals
    const t = 1 - (1 - s) ** 4
    const weight = i === 0 || i === intervals ? 1 : i % 2 === 0 ? 2 : 4
    if (t < 1) sum += weight * f(t) * 4 * (1 - s) ** 3
  }
  return sum / (3 * intervals)
}
