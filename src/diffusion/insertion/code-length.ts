/**
 * The code length of a variable-length masked diffusion model: an upper bound on -ln p(x1), length included.
 *
 * Given x1 alone, x_t is a Markov jump process whose rates are those of the hidden indices averaged over all
 * embeddings of x_t into x1. Its path divergence from the model's process bounds -ln p(x1), since the last state is x1:
 *
 *   -ln p(x1) <= E over t ~ U(0, 1), x_t of [ h_a(t) sum over slots of phi(mean gap, g) + h_b(t) sum over masks of KL(q, f) ]
 *
 * where q is a mask's distribution over the tokens of x1, phi the generalised divergence of rates and h the hazards.
 * A mask inserted on either side of a run of masks gives the same next state, so data's and model's rates are added up
 * over the slots around a run: the bound is tighter and costs nothing. For the true posterior it is -ln p(x1) itself.
 * The published loss, conditioned on the hidden indices, is the same kind of bound and far looser.
 */
import type { EmbeddingPosterior } from "./embeddings.js"
import { bregman } from "./loss.js"
import { hazardAt, isProper, type JointSchedule } from "./schedule.js"

/** What a model says of one state. */
export interface StatePrediction {
  /** [n + 1], or [n] with an EOS anchor: expected number of missing tokens in each slot. */
  readonly gaps: ArrayLike<number>
  /**
   * For each MASK, natural log-probabilities of the tokens of its soft target, in their order. The distribution is over
   * what the sampler draws from: without PAD and MASK, and with mass 1.
   */
  readonly logProbs: readonly ArrayLike<number>[]
}

export interface StateAtTime {
  /** [n] x_t without padding. */
  readonly tokens: ArrayLike<number>
  readonly t: number
  readonly posterior: EmbeddingPosterior
}

export interface CodeLengthRule {
  readonly maskId: number
  readonly schedules: JointSchedule
  /** Slots that the sampler may insert into: not those inside a prompt. All when absent. */
  readonly open?: (slot: number) => boolean
  /** runs: slots around a run of masks count together. slots: each on its own, looser. */
  readonly merge?: "runs" | "slots"
  /** The model whose gaps are raised to this is the one that the bound is of: it keeps the bound finite. */
  readonly gapFloor?: number
}

export interface Integrand {
  /** Nats per unit of t. */
  readonly insert: number
  readonly unmask: number
}

/** @throws RangeError for schedules that do not begin empty and end with the data */
export const requireProper = ({ insertion, unmasking }: JointSchedule): void => {
  if (!isProper(insertion) || !isProper(unmasking))
    throw new RangeError(
      "a code length needs schedules with alpha(0) = 0 and alpha(1) = 1; the geometric schedule inserts some tokens before 0 and some after 1, so give linear, sine, cosine or polynomial.",
    )
}

const insertionTerm = (
  { tokens, posterior }: StateAtTime,
  predicted: ArrayLike<number>,
  { maskId, open = () => true, merge = "runs", gapFloor = 0 }: CodeLengthRule,
): number => {
  const n = tokens.length
  if (predicted.length !== n && predicted.length !== n + 1)
    throw new RangeError(
      `a state of ${n} tokens has ${n + 1} slots, or ${n} before an anchor; found ${predicted.length}`,
    )
  let [sum, gap, rate] = [0, 0, 0]
  for (let slot = 0; slot <= n; slot++) {
    const usable = slot < predicted.length && open(slot)
    if (usable) {
      gap += posterior.gaps[slot]!
      rate += Math.max(gapFloor, predicted[slot]!)
    } else if (posterior.gaps[slot]! > 0) return Number.POSITIVE_INFINITY
    const joined = merge === "runs" && slot < n && tokens[slot] === maskId
    if (joined) continue
    sum += bregman(gap, rate, 0)
    ;[gap, rate] = [0, 0]
  }
  return sum
}

const unmaskingTerm = ({ posterior }: StateAtTime, { logProbs }: StatePrediction): number => {
  const { targets } = posterior
  if (targets.length !== logProbs.length)
    throw new RangeError(`${targets.length} masks need as many predictions, found ${logProbs.length}`)
  let sum = 0
  targets.forEach(({ tokens, probabilities }, k) => {
    const given = logProbs[k]!
    if (given.length !== tokens.length)
      throw new RangeError(
        `a mask that may be ${tokens.length} tokens needs as many log-probabilities, found ${given.length}`,
      )
    for (let v = 0; v < tokens.length; v++) {
      const q = probabilities[v]!
      if (q > 0) sum += q * (Math.log(q) - given[v]!)
    }
  })
  return sum
}

/** The integrand at one state. Its mean over t uniform on (0, 1) and x_t drawn from x1 is the bound, in nats. */
export const codeLengthIntegrand = (
  state: StateAtTime,
  prediction: StatePrediction,
  rule: CodeLengthRule,
): Integrand => {
  requireProper(rule.schedules)
  const { insertion, unmasking } = rule.schedules
  return {
    insert: hazardAt(insertion, state.t) * insertionTerm(state, prediction.gaps, rule),
    unmask:
      state.posterior.targets.length === 0
        ? 0
        : hazardAt(unmasking, state.t) * unmaskingTerm(state, prediction),
  }
}

export interface CodeLengthEstimate {
  /** Estimate of the bound. */
  readonly nats: number
  /** Variance of `nats` over the draws of t and x_t, nats squared; undefined for a single draw. */
  readonly variance: number | undefined
  readonly draws: number
}

/**
 * One sequence's estimate from integrands at stratified times: draw r of stratum k has t uniform on [k / K, (k + 1) / K)
 * and a state of its own.
 *
 * The variance is unbiased with two draws or more in a stratum; with one, strata are paired and it errs upwards.
 *
 * @param integrands [draws of a stratum, strata], insertion and unmasking added
 */
export const estimateCodeLength = (integrands: ArrayLike<number>, strata: number): CodeLengthEstimate => {
  const draws = integrands.length
  const each = draws / strata
  if (!Number.isInteger(each) || draws === 0)
    throw new RangeError(`${draws} integrands are not whole rounds of ${strata} strata`)
  const values = Float64Array.from(integrands)
  const nats = values.reduce((a, b) => a + b, 0) / draws
  if (draws === 1) return { nats, variance: undefined, draws }
  let variance = 0
  if (each > 1) {
    for (let k = 0; k < strata; k++) {
      let mean = 0
      for (let r = 0; r < each; r++) mean += values[r * strata + k]! / each
      let square = 0
      for (let r = 0; r < each; r++) square += (values[r * strata + k]! - mean) ** 2
      variance += square / (each - 1) / each
    }
  } else {
    for (let k = 0; k + 1 < strata; k += 2) variance += (values[k]! - values[k + 1]!) ** 2
    if (strata % 2 === 1) variance += (values[strata - 1]! - values[strata - 2]!) ** 2
  }
  return { nats, variance: variance / strata ** 2, draws }
}

/** Sum over sequences that were drawn independently. */
export const totalCodeLength = (estimates: readonly CodeLengthEstimate[]): CodeLengthEstimate => ({
  nats: estimates.reduce((sum, { nats }) => sum + nats, 0),
  variance: estimates.reduce<number | undefined>(
    (sum, { variance }) => (sum === undefined || variance === undefined ? undefined : sum + variance),
    0,
  ),
  draws: estimates.reduce((sum, { draws }) => sum + draws, 0),
})
