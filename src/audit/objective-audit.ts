/**
 * What a training weight does to a loss: its value for models of known cross-entropy, its noise, and whether the
 * storage format lets an update through.
 *
 * Where the weight puts its mass is in `findings-objective.ts`. Notation: L maskable tokens, alpha the visible share,
 * log-linear schedule alpha(t) = 1 - (1 - eps) t.
 */
import { continuousSizeWeights } from "../metric/code/any-order.js"
import { auditWeight, sequenceWeightMoments } from "./findings-objective.js"

export type TrainingWeight = "dsigma" | "nelbo"

/** Weight of the summed masked cross-entropy at time t: (1-eps)/alpha as published, (1-eps)/(1-alpha) for the NELBO. */
export const weightAt = (weight: TrainingWeight, t: number, eps: number): number => {
  const alpha = 1 - (1 - eps) * t
  return (1 - eps) / (weight === "dsigma" ? alpha : 1 - alpha)
}

/** dsigma / NELBO at time t: expm1(sigma) = (1 - alpha) / alpha. */
export const weightRatio = (t: number, eps: number): number => {
  const alpha = 1 - (1 - eps) * t
  return (1 - alpha) / alpha
}

/**
 * Expected training loss per token, nats, of a model whose masked tokens cost the same whatever is visible: the
 * weight's mass times that cost. For a uniform model the cost is ln V.
 */
export const constantLoss = (weight: TrainingWeight, natsPerToken: number, eps: number): number =>
  auditWeight(weight, eps).mass * natsPerToken

/**
 * Cross-entropy in nats, to second order, of a head whose logits are independent with the given variance: ln V +
 * variance / 2. PyTorch's default linear layer on unit inputs gives a variance of 1/3.
 */
export const initialCrossEntropy = (vocabSize: number, logitVariance: number): number =>
  Math.log(vocabSize) + logitVariance / 2

/** Nodes and weights of Gauss-Legendre quadrature on [-1, 1], n = 16: symmetric halves. */
const GAUSS_NODES = [
  0.09501250983763744, 0.2816035507792589, 0.45801677765722737, 0.6178762444026438, 0.755404408355003,
  0.8656312023878318, 0.9445750230732326, 0.9894009349916499,
] as const
const GAUSS_WEIGHTS = [
  0.1894506104550685, 0.1826034150449236, 0.16915651939500254, 0.14959598881657674, 0.12462897125553388,
  0.09515851168249279, 0.062253523938647894, 0.027152459411754096,
] as const

const gauss = (f: (x: number) => number, lo: number, hi: number): number => {
  const [middle, half] = [(lo + hi) / 2, (hi - lo) / 2]
  return (
    half *
    GAUSS_NODES.reduce(
      (sum, x, i) => sum + GAUSS_WEIGHTS[i]! * (f(middle - half * x) + f(middle + half * x)),
      0,
    )
  )
}

/**
 * Weight of E_{|S| = k}[CE(S)] in the expected training loss of L maskable tokens (not per token), k = 0..L: the
 * integral over alpha of Bin(L, k; 1 - alpha) times 1/alpha (dsigma) or 1/(1 - alpha) (NELBO, down to eps). L below
 * a few hundred: the published weight is integrated numerically, in ln alpha.
 */
export const trainingSizeWeights = (weight: TrainingWeight, eps: number, maskable: number): Float64Array => {
  if (weight === "nelbo") return continuousSizeWeights(eps, maskable)
  const weights = new Float64Array(maskable + 1)
  let choose = 1
  for (let k = 1; k <= maskable; k++) {
    choose *= (maskable - k + 1) / k
    const scale = choose
    const density = (u: number): number => {
      const alpha = Math.exp(u)
      return scale * (1 - alpha) ** k * alpha ** (maskable - k)
    }
    const panels = 64
    const width = -Math.log(eps) / panels
    for (let p = 0; p < panels; p++)
      weights[k]! += gauss(density, Math.log(eps) + p * width, Math.log(eps) + (p + 1) * width)
  }
  return weights
}

/**
 * Relative standard deviation of a mean of `sequences` weights drawn at independent times: how far two averages of
 * the published loss differ by the times alone.
 */
export const lossNoise = (eps: number, sequences: number): number => {
  const { mean, sd } = sequenceWeightMoments(eps)
  return sd / mean / Math.sqrt(sequences)
}
