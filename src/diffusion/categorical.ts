/**
 * Drawing a token from predicted log-probabilities: temperature, nucleus, and the draw itself, all in float64.
 *
 * Float64 matters: Gumbel noise made from float32 uniforms is cut off above, which lowers the effective temperature of
 * masked diffusion samplers (Zheng et al., arXiv 2409.02908). Here one uniform with 53 random bits inverts the
 * cumulative distribution, which has no such tail.
 */

export interface TokenRule {
  /** Log-probabilities are divided by it; 0 takes the most probable token, the first of equals. */
  readonly temperature: number
  /** Mass of the nucleus, in (0, 1]; 1 keeps every token. */
  readonly topP: number
  /** Ids that are never drawn; the others keep their proportions. */
  readonly banned: readonly number[]
}

/** Index of the largest entry; the first of equals. */
const largest = (values: Float64Array): number => {
  let at = 0
  for (let i = 1; i < values.length; i++) if (values[i]! > values[at]!) at = i
  return at
}

/**
 * Probabilities proportional to exp(logProb / temperature) over the ids that are not banned.
 *
 * @throws RangeError when nothing is left to draw
 */
const tempered = (
  logProbs: ArrayLike<number>,
  temperature: number,
  banned: readonly number[],
): Float64Array => {
  const values = Float64Array.from(logProbs)
  for (const id of banned) if (id < values.length) values[id] = Number.NEGATIVE_INFINITY
  const top = values[largest(values)]!
  if (!Number.isFinite(top))
    throw new RangeError(`no token can be drawn: the largest log-probability is ${top}`)
  if (temperature === 0) {
    const at = largest(values)
    return values.fill(0).fill(1, at, at + 1)
  }
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i] = Math.exp((values[i]! - top) / temperature)
  for (let i = 0; i < values.length; i++) values[i]! /= sum
  return values
}

/**
 * Nucleus (Holtzman et al., "The curious case of neural text degeneration", 2020): of the tokens in order of falling
 * probability, equal ones in order of their ids, the shortest beginning whose sum reaches `topP`, renormalised. At
 * least one token remains; 1 keeps every token.
 */
export const nucleus = (probabilities: Float64Array, topP: number): Float64Array => {
  if (topP >= 1) return probabilities
  const order = Array.from(probabilities.keys()).sort(
    (a, b) => probabilities[b]! - probabilities[a]! || a - b,
  )
  const kept = new Float64Array(probabilities.length)
  let sum = 0
  for (const id of order) {
    kept[id] = probabilities[id]!
    sum += kept[id]
    if (sum >= topP) break
  }
  return kept.map((p) => p / sum)
}

/**
 * The distribution a token is drawn from: temperature first, then the nucleus of the tempered distribution.
 *
 * @param logProbs natural log-probabilities, or logits up to a constant
 */
export const drawDistribution = (
  logProbs: ArrayLike<number>,
  { temperature, topP, banned }: TokenRule,
): Float64Array => nucleus(tempered(logProbs, temperature, banned), topP)

/** The token at `uniform` in [0, 1) of the cumulative distribution in order of ids; one of probability 0 is never drawn. */
export const invertDistribution = (probabilities: Float64Array, uniform: number): number => {
  let total = 0
  for (const p of probabilities) total += p
  const goal = uniform * total
  let sum = 0
  let last = 0
  for (let id = 0; id < probabilities.length; id++) {
    if (probabilities[id] === 0) continue
    sum += probabilities[id]!
    last = id
    if (goal < sum) return id
  }
  return last // rounding kept the sum below the goal
}

export const drawToken = (logProbs: ArrayLike<number>, rule: TokenRule, uniform: number): number =>
  invertDistribution(drawDistribution(logProbs, rule), uniform)
