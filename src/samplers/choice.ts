/** Which token stands at a position, from what a network predicts there. */
import { drawDistribution, invertDistribution, type TokenRule } from "../diffusion/categorical.js"

/**
 * - standard: the shortest beginning whose mass reaches topP; the token that crosses it stays.
 * - strict: tokens whose cumulative mass is at most topP, and the first (xlm-core): the crossing token goes.
 */
export type NucleusRule = "standard" | "strict"

export interface ChoiceRule extends TokenRule {
  readonly nucleus?: NucleusRule
  /** The most probable tokens that may be drawn; all when absent. */
  readonly topK?: number
}

export const ARGMAX: Pick<ChoiceRule, "temperature" | "topP"> = { temperature: 0, topP: 1 }

const byProbability = (probabilities: Float64Array): readonly number[] =>
  Array.from(probabilities.keys()).sort((a, b) => probabilities[b]! - probabilities[a]! || a - b)

/** Zeroes all but the first `count` of an order, and renormalises. */
const keepFirst = (probabilities: Float64Array, order: readonly number[], count: number): Float64Array => {
  const kept = new Float64Array(probabilities.length)
  let sum = 0
  for (const id of order.slice(0, count)) sum += kept[id] = probabilities[id]!
  return kept.map((p) => p / sum)
}

/** Tokens with cumulative mass at most `topP`; at least one. */
export const strictNucleus = (probabilities: Float64Array, topP: number): Float64Array => {
  if (topP >= 1) return probabilities
  const order = byProbability(probabilities)
  let sum = 0
  const inside = order.findIndex((id) => (sum += probabilities[id]!) > topP)
  return keepFirst(probabilities, order, inside < 0 ? order.length : Math.max(1, inside))
}

/** The distribution that a token is drawn from: temperature, then the most probable, then the nucleus of those. */
export const choiceDistribution = (logits: ArrayLike<number>, rule: ChoiceRule): Float64Array => {
  const { topP, topK, nucleus = "standard" } = rule
  const strict = nucleus === "strict"
  if (topK === undefined && !strict) return drawDistribution(logits, rule)
  const whole = drawDistribution(logits, { ...rule, topP: 1 })
  const most = topK === undefined ? whole : keepFirst(whole, byProbability(whole), topK)
  if (strict) return strictNucleus(most, topP)
  return drawDistribution(most.map(Math.log), { temperature: 1, topP, banned: [] })
}

export const chooseToken = (logits: ArrayLike<number>, rule: ChoiceRule, uniform: number): number =>
  invertDistribution(choiceDistribution(logits, rule), uniform)

/** Softmax over the ids that are not banned. */
export const probabilitiesOf = (logits: ArrayLike<number>, banned: readonly number[] = []): Float64Array =>
  drawDistribution(logits, { temperature: 1, topP: 1, banned })
