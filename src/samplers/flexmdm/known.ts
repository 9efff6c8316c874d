/**
 * A network without a fault, of one text: what a state says of the text that it comes from, exactly. A sampler over it
 * shows what the sampler alone gets wrong.
 */
import { embeddingPosterior, logEmbeddings } from "../../diffusion/insertion/embeddings.js"
import type { FlexForward, FlexPass, TimedState } from "../forward.js"
import { passOf } from "../memory.js"

export interface KnownText {
  /** The whole row: what is given at its beginning, the text, what is given at its end; no padding. */
  readonly tokens: ArrayLike<number>
  /** Given tokens at the beginning and at the end. */
  readonly prefix: number
  readonly suffix: number
  readonly maskId: number
}

interface Prediction {
  readonly gaps: ArrayLike<number>
  /** By position of the state, over the text's own ids: ln of the probability. */
  readonly logits: readonly (Float64Array | undefined)[]
}

/**
 * Passes of that network: expected numbers of missing tokens, and for each MASK the tokens that it may stand for, as
 * they follow from state and text (`embeddingPosterior`). A state that no longer is part of the text misses nothing, and
 * its MASKs may be any of the text's tokens. Work is as wide as the text, not as the vocabulary.
 */
export const knownForward = ({ tokens: row, prefix, suffix, maskId }: KnownText): FlexForward => {
  const end = row.length - suffix
  const x1 = Array.from(row).slice(prefix)
  const ids = [...new Set(x1.slice(0, end - prefix))].sort((a, b) => a - b)
  const place = new Map(ids.map((id, k) => [id, k]))
  const options = { maskId, fixed: (position: number) => position >= end - prefix }
  const predict = ({ tokens }: TimedState): Prediction => {
    const gaps = new Float64Array(tokens.length + 1)
    const logits: (Float64Array | undefined)[] = []
    const state = tokens.subarray(prefix)
    if (logEmbeddings(state, x1, options) === Number.NEGATIVE_INFINITY) return { gaps, logits }
    const posterior = embeddingPosterior(state, x1, options)
    gaps.set(posterior.gaps, prefix)
    for (const { position, tokens: may, probabilities } of posterior.targets) {
      const own = new Float64Array(ids.length).fill(Number.NEGATIVE_INFINITY)
      may.forEach((token, k) => (own[place.get(token)!] = Math.log(probabilities[k]!)))
      logits[prefix + position] = own
    }
    return { gaps, logits }
  }
  const anyOfThem = new Float64Array(ids.length)
  const own = (banned: readonly number[]): readonly number[] =>
    banned.flatMap((id) => (place.has(id) ? [place.get(id)!] : []))
  return {
    forward: async (states): Promise<FlexPass> => {
      const rows = states.map(predict)
      const pass = passOf((at) => rows[at.row]!.logits[at.position] ?? anyOfThem)
      return {
        gaps: rows.map(({ gaps }) => gaps),
        draw: async (at, rule) => {
          const { tokens, probabilities } = await pass.draw(at, { ...rule, banned: own(rule.banned) })
          return { tokens: tokens.map((k) => ids[k]!), probabilities }
        },
        confidence: (at, kind, ranking, banned) => pass.confidence(at, kind, ranking, own(banned)),
        probability: async (at, id) =>
          place.has(id) ? pass.probability(at, place.get(id)!) : new Float64Array(at.length),
      }
    },
  }
}
