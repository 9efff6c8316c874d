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

const ratioOf = ({ name, tokens, bytes }: KnownSlice): KnownRatio => ({
  name,
  tokens,
  bytesPerToken: bytes / tokens,
})

/** The ratio of the whole present split first: what a ratio is held against where nothing else is known. */
export const KNOWN_RATIOS: readonly [KnownRatio, ...KnownRatio[]] = [
  ratioOf(KNOWN_SLICES[0]),
  ...KNOWN_SLICES.slice(1).map(ratioOf),
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

/**
 * Bytes per token of single windows of 2048 tokens: the standard deviation over the 30 validation windows whose text
 * the author of parameter-golf PR #1241 stored.
 */
const WINDOW = { tokens: 2048, standardDeviation: 0.182 } as const

/** A slice of the split lies this many standard deviations from the split's ratio at most; farther is another count. */
const SIGMAS = 7

/** UTF-8 bytes of the validation text (published manifest), which no tokenizer changes. */
const TEXT_BYTES = 151_080_645
/** The longest window whose incomplete last one an evaluator is known to drop. */
const LONGEST_WINDOW = 32_768

/** The ratios that a slice of this many tokens may have; one window's where the tokens are not known. */
const plausible = (ratio: number, tokens: number): Interval => {
  const half = SIGMAS * WINDOW.standardDeviation * Math.sqrt(WINDOW.tokens / tokens)
  return { lo: ratio - half, hi: ratio + half }
}

export interface RatioVerdict {
  /**
   * agrees: a known ratio of these tokens (or, where the tokens are not given, of any slice) lies within rounding.
   * differs: no slice of these tokens can have the ratio: the known totals of the tokens exclude it, or it lies more
   * than seven standard deviations from the split's. unknown: a slice may have it, and none with these tokens is
   * known. coarse: the printed digits leave both possible.
   */
  readonly verdict: "agrees" | "differs" | "unknown" | "coarse"
  /** The known ratios within rounding. */
  readonly matches: readonly KnownRatio[]
  /** What the ratio is held against: the known ratio of these tokens, otherwise the whole present split's. */
  readonly reference: KnownRatio
  /** inferred / reference: bits per byte are printed too low by this factor. */
  readonly factor: number
  /** The ratios that a slice of these tokens may have. */
  readonly plausible: Interval
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

/** The validation text under another tokenizer: other tokens, the same bytes, up to an incomplete last window. */
const sameText = ({ lo, hi }: Interval, tokens: number): KnownRatio | undefined =>
  hi * tokens >= TEXT_BYTES - LONGEST_WINDOW * hi && lo * tokens <= TEXT_BYTES + 50_000
    ? {
        name: "the bytes of the validation text, under another tokenizer",
        tokens,
        bytesPerToken: TEXT_BYTES / tokens,
      }
    : undefined

/**
 * Whether an inferred ratio is one that the exact byte table of SP-1024 gives.
 *
 * @param known the ratio of the whole present split first
 */
export const judgeRatio = (
  inferred: Inferred,
  tokens?: number,
  known: readonly [KnownRatio, ...KnownRatio[]] = KNOWN_RATIOS,
): RatioVerdict => {
  const { bytesPerToken, interval } = inferred
  const within = ({ bytesPerToken: ratio }: KnownRatio): boolean =>
    ratio >= interval.lo && ratio <= interval.hi
  const same = tokens === undefined ? known : known.filter((ratio) => ratio.tokens === tokens)
  const other = tokens === undefined || same.length > 0 ? undefined : sameText(interval, tokens)
  const any = plausible(known[0].bytesPerToken, WINDOW.tokens)
  const band = tokens === undefined ? any : plausible(known[0].bytesPerToken, tokens)
  const outside = interval.hi < band.lo || interval.lo > band.hi
  const coarse = !outside && (interval.lo < any.lo || interval.hi > any.hi)
  const matches = coarse ? [] : other === undefined ? same.filter(within) : [other]
  const exact = tokens !== undefined && same.length > 0
  const verdict = coarse ? "coarse" : matches.length > 0 ? "agrees" : outside || exact ? "differs" : "unknown"
  const reference = matches[0] ?? (exact ? same[0] : undefined) ?? known[0]
  const constant = verdict === "differs" || verdict === "unknown" ? constantIn(interval) : undefined
  return {
    verdict,
    matches,
    reference,
    factor: bytesPerToken / reference.bytesPerToken,
    plausible: band,
    ...(constant === undefined ? {} : { constant }),
  }
}
