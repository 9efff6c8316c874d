/**
 * The denominator behind two printed figures: nats/token / (ln 2 * bits/byte) = bytes/token.
 *
 * Figures are taken as printed, so that the interval of what rounding hid follows from their digits: with eight
 * decimals a total of 151 million bytes is known to about one byte. Both figures must measure the same event on the
 * same tokens; a training loss beside a bound's bits per byte says nothing.
 */
import { roundingHalfWidth } from "./rescore-claim.js"
import type { Inferred } from "./inferred.js"

export { judgeRatio, type HeldAgainst, type RatioStatements, type RatioVerdict } from "./judge-ratio.js"
export type { Inferred } from "./inferred.js"
export { KNOWN_RATIOS, type KnownRatio } from "./known-ratios.js"

export interface InferInput {
  /** As printed. */
  readonly loss: string
  readonly bpb: string
  /** nats/token when absent */
  readonly lossUnit?: "nats/token" | "bits/token"
  /** Scored tokens, where known. */
  readonly tokens?: number
}

const positiveNumber = (name: string, printed: string): number => {
  const value = Number(printed)
  if (!(value > 0) || !Number.isFinite(value))
    throw new RangeError(`${name} must be a positive number, found "${printed}"`)
  return value
}

/** @throws RangeError for figures that are not positive numbers, or tokens that are no count */
export const inferRatio = ({ loss, bpb, lossUnit = "nats/token", tokens }: InferInput): Inferred => {
  if (tokens !== undefined && !(Number.isSafeInteger(tokens) && tokens > 0))
    throw new RangeError(`tokens must be a whole number above 0, found ${tokens}`)
  const [a, b] = [positiveNumber("loss", loss), positiveNumber("bits per byte", bpb)]
  const [da, db] = [roundingHalfWidth(loss), roundingHalfWidth(bpb)]
  const perBit = lossUnit === "nats/token" ? 1 / Math.LN2 : 1
  const bytesPerToken = (a * perBit) / b
  const interval = { lo: ((a - da) * perBit) / (b + db), hi: ((a + da) * perBit) / (b - db) }
  if (tokens === undefined) return { bytesPerToken, interval }
  return {
    bytesPerToken,
    interval,
    bytes: {
      value: bytesPerToken * tokens,
      interval: { lo: interval.lo * tokens, hi: interval.hi * tokens },
    },
  }
}
