/** The ratios of bytes to tokens that evaluators of the FineWeb validation split produce under SP-1024. */
import { KNOWN_SLICES, type KnownSlice } from "./known-slices.js"
import type { StatedWindows } from "./log-statements.js"
import { repeatedRatio, tailRepetitions } from "../metric/code/sliding.js"
import type { Interval } from "../metric/contract/units.js"

/** A ratio that an evaluator of the FineWeb validation text is known to produce. */
export interface KnownRatio {
  readonly name: string
  /** Tokens that the evaluator's log prints. */
  readonly tokens: number
  readonly bytesPerToken: number
  /** Scores the last targets of the stream again and again (tails A and B). */
  readonly repeats?: boolean
}

/** Bytes of the last 64 targets of the scored split: the one number that fits every log of repeated tails. */
export const TAIL = { targets: 64, bytes: 143 } as const

const scored = KNOWN_SLICES.find(({ tokens }) => tokens === 62_021_632)

const ratioOf = ({ name, tokens, bytes }: KnownSlice): KnownRatio => ({
  name,
  tokens,
  bytesPerToken: bytes / tokens,
})

/** Overlapping windows whose tail scores the stream's last 64 targets again. */
export const repeatedTail = (length: number): readonly KnownRatio[] =>
  scored === undefined
    ? []
    : [
        {
          name: `windows of ${length} every ${TAIL.targets} tokens, the last 64 targets scored ${tailRepetitions(length, TAIL.targets) + 1} times`,
          tokens: scored.tokens,
          repeats: true,
          bytesPerToken: repeatedRatio(
            scored.bytes,
            scored.tokens,
            TAIL.bytes,
            TAIL.targets,
            tailRepetitions(length, TAIL.targets),
          ),
        },
      ]

/** The ratio of the whole present split first: what a ratio is held against where nothing else is known. */
export const KNOWN_RATIOS: readonly [KnownRatio, ...KnownRatio[]] = [
  ratioOf(KNOWN_SLICES[0]),
  ...KNOWN_SLICES.slice(1).map(ratioOf),
  ...[1024, 2048].flatMap(repeatedTail),
]

/** The ratios of SP-1024 that the log's own windows and tail leave possible. */
export const ratiosUnder = (windows: StatedWindows | undefined): readonly [KnownRatio, ...KnownRatio[]] => {
  const { length, stride, tail } = windows ?? {}
  const own =
    length !== undefined && stride === TAIL.targets && length > TAIL.targets ? repeatedTail(length) : []
  const [whole, ...others] = KNOWN_RATIOS
  return [
    whole,
    ...[...others, ...own.filter(({ name }) => others.every((other) => other.name !== name))].filter(
      ({ repeats }) => tail !== "C" || repeats !== true,
    ),
  ]
}

/**
 * Bytes per token of single windows of 2048 tokens: the standard deviation over the 30 validation windows whose text
 * the author of parameter-golf PR #1241 stored.
 */
export const WINDOW = { tokens: 2048, standardDeviation: 0.182 } as const

/** A slice of the split lies this many standard deviations from the split's ratio at most; farther is another count. */
const SIGMAS = 7

/**
 * The ratios that a slice of this many tokens may have; one window's where the tokens are not known. The spread of
 * another tokenizer's windows is taken to be in proportion to its ratio.
 */
export const plausible = (ratio: number, tokens: number): Interval => {
  const spread = WINDOW.standardDeviation * (ratio / KNOWN_RATIOS[0].bytesPerToken)
  const half = SIGMAS * spread * Math.sqrt(WINDOW.tokens / tokens)
  return { lo: ratio - half, hi: ratio + half }
}
