/**
 * The denominator behind two printed figures: nats/token / (ln 2 * bits/byte) = bytes/token.
 *
 * Figures are taken as printed, so that the interval of what rounding hid follows from their digits: with eight
 * decimals a total of 151 million bytes is known to about one byte. Both figures must measure the same event on the
 * same tokens; a training loss beside a bound's bits per byte says nothing.
 */
import { KNOWN_SLICES, type KnownSlice } from "./known-slices.js"
import { roundingHalfWidth } from "./rescore-claim.js"
import { repeatedRatio, tailRepetitions } from "./sliding.js"
import type { Interval } from "./units.js"

export interface InferInput {
  /** As printed. */
  readonly loss: string
  readonly bpb: string
  /** nats/token when absent */
  readonly lossUnit?: "nats/token" | "bits/token"
  /** Scored tokens, where known. */
  readonly tokens?: number
}

export interface Inferred {
  readonly bytesPerToken: number
  /** All ratios that rounding leaves possible. */
  readonly interval: Interval
  /** bytesPerToken * tokens, where the tokens are known. */
  readonly bytes?: { readonly value: number; readonly interval: Interval }
}

const positiveNumber = (name: string, printed: string): number => {
  const value = Number(printed)
  if (!(value > 0) || !Number.isFinite(value))
    throw new RangeError(`${name} must be a positive number, found "${printed}"`)
  return value
}

/** @throws RangeError for figures that are not positive numbers */
export const inferRatio = ({ loss, bpb, lossUnit = "nats/token", tokens }: InferInput): Inferred => {
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

/** A ratio that an evaluator of FineWeb SP-1024 is known to produce. */
export interface KnownRatio {
  readonly name: string
  /** Tokens that the evaluator's log prints. */
  readonly tokens: number
  readonly bytesPerToken: number
}

/** Bytes of the last 64 targets of the scored split: the one number that fits every log of repeated tails. */
const TAIL = { targets: 64, bytes: 143 } as const

const scored = KNOWN_SLICES.find(({ tokens }) => tokens === 62_021_632)

export const KNOWN_RATIOS: readonly KnownRatio[] = [
  ...KNOWN_SLICES.map(({ name, tokens, bytes }: KnownSlice) => ({
    name,
    tokens,
    bytesPerToken: bytes / tokens,
  })),
  ...(scored === undefined
    ? []
    : [1024, 2048].map((length) => ({
        name: `windows of ${length} every 64 tokens, the last 64 targets scored ${tailRepetitions(length, 64) + 1} times`,
        tokens: scored.tokens,
        bytesPerToken: repeatedRatio(
          scored.bytes,
          scored.tokens,
          TAIL.bytes,
          TAIL.targets,
          tailRepetitions(length, 64),
        ),
      }))),
]

export interface RatioVerdict {
  /**
   * agrees: a known ratio of these tokens (or, where the tokens are not given, of any slice) lies within rounding.
   * differs: the tokens are known and no ratio of theirs does. unknown: no slice has these tokens.
   */
  readonly verdict: "agrees" | "differs" | "unknown"
  /** The known ratios within rounding. */
  readonly matches: readonly KnownRatio[]
  /** The known ratio the inferred one is nearest to, among those with these tokens where there are any. */
  readonly nearest: KnownRatio
  /** inferred / nearest: bits per byte are printed too low by this factor. */
  readonly factor: number
  /** A number of at most two decimals within rounding, where it is precise enough to tell: a constant, perhaps. */
  readonly constant?: number
}

/** The roundest number within an interval narrow enough to make that remarkable (a hundredth of the last place). */
const constantIn = ({ lo, hi }: Interval): number | undefined => {
  for (const step of [1, 0.1, 0.01]) {
    const candidate = Math.round((lo + hi) / 2 / step) * step
    if (hi - lo < step / 100 && candidate >= lo && candidate <= hi) return Number(candidate.toFixed(2))
  }
  return undefined
}

/** Whether an inferred ratio is one that the exact byte table gives. */
export const judgeRatio = (
  inferred: Inferred,
  tokens?: number,
  known: readonly KnownRatio[] = KNOWN_RATIOS,
): RatioVerdict => {
  const { lo, hi } = inferred.interval
  const same = tokens === undefined ? known : known.filter((ratio) => ratio.tokens === tokens)
  const matches = same.filter((ratio) => ratio.bytesPerToken >= lo && ratio.bytesPerToken <= hi)
  const distance = (ratio: KnownRatio): number =>
    Math.abs(Math.log(inferred.bytesPerToken / ratio.bytesPerToken))
  const candidates = same.length > 0 ? same : known
  const nearest = candidates.reduce((a, b) => (distance(b) < distance(a) ? b : a))
  const constant = matches.length > 0 ? undefined : constantIn(inferred.interval)
  return {
    verdict: matches.length > 0 ? "agrees" : same.length > 0 ? "differs" : "unknown",
    matches,
    nearest,
    factor: inferred.bytesPerToken / nearest.bytesPerToken,
    ...(constant === undefined ? {} : { constant }),
  }
}
