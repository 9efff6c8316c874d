/**
 * The arithmetic of re-scoring: the same bits over another number of bytes, and what a finite number of diffusion
 * steps adds to a bound.
 */
import { convertInterval, convertValue, type Interval } from "./units.js"

/** Bytes per token of a slice. */
export const bytesPerToken = (bytes: number, tokens: number): number => bytes / tokens

/** By how much a constant overstates the bytes: published bits per byte are too low by this factor. */
export const constantFactor = (constant: number, ratio: number): number => constant / ratio

export interface Rescoring {
  readonly bitsPerToken: number
  readonly natsPerToken: number
  /** bits per byte under the exact ratio */
  readonly bitsPerByte: number
  /** The same over the interval of the ratio; degenerate for an exact ratio. */
  readonly interval: Interval
}

/**
 * A figure whose bytes were tokens times a constant, under the exact bytes per token of the same tokens. No model is
 * run again: the bits stay, the bytes change.
 *
 * @param published bits / (tokens * constant)
 * @param ratio exact bytes per token of the scored tokens; an interval where the slice is only sampled
 * @param point the ratio's own value where it is an interval
 */
export const replaceConstant = (
  published: number,
  constant: number,
  ratio: number | Interval,
  point = typeof ratio === "number" ? ratio : (ratio.lo + ratio.hi) / 2,
): Rescoring => {
  const bitsPerToken = convertValue(published, "bits/byte", "bits/token", { bytesPerToken: constant })
  const exact = { lo: bitsPerToken, hi: bitsPerToken }
  return {
    bitsPerToken,
    natsPerToken: convertValue(bitsPerToken, "bits/token", "nats/token"),
    bitsPerByte: convertValue(bitsPerToken, "bits/token", "bits/byte", { bytesPerToken: point }),
    interval: convertInterval(exact, "bits/token", "bits/byte", { bytesPerToken: ratio }),
  }
}

/**
 * Where the bytes per token of a slice of `windows` windows lie, if windows are an independent sample of the split.
 *
 * @param ratio the split's
 * @param sdPerWindow standard deviation of a window's bytes per token
 * @param z two-sided normal quantile; 95 % when absent
 */
export const sampledRatio = (
  ratio: number,
  sdPerWindow: number,
  windows: number,
  z = 1.959963984540054,
): Interval => {
  const half = (z * sdPerWindow) / Math.sqrt(windows)
  return { lo: ratio - half, hi: ratio + half }
}

/**
 * What T steps add to the continuous-time NELBO, bits per token: the upper Riemann sum of the integral of c over the
 * visible fraction, (c(eps) - c(1)) (1 - eps) / (2T) to first order. It assumes that c, the bits of one masked token,
 * falls about linearly as more is visible.
 *
 * @param fullMaskBits c when nothing is visible (near the unigram entropy)
 * @param informedBits c when all else is visible
 */
export const discretisationGap = (
  steps: number,
  fullMaskBits: number,
  informedBits: number,
  eps = 0,
): number => ((fullMaskBits - informedBits) * (1 - eps)) / (2 * steps)

/**
 * The T-step bound that a continuous-time one predicts, bits per token: with its gap and the prior term.
 *
 * @param continuousBits without prior term
 */
export const predictedDiscrete = (
  continuousBits: number,
  steps: number,
  fullMaskBits: number,
  informedBits: number,
  { eps, vocabSize }: { readonly eps: number; readonly vocabSize: number },
): number =>
  continuousBits + discretisationGap(steps, fullMaskBits, informedBits, eps) + eps * Math.log2(vocabSize)
