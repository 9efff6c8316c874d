/**
 * Whether runs reproduce a published value. Separate from comparability: this says nothing unless both numbers are of
 * the same definition on the same tokens.
 */
import { studentQuantile } from "./distributions.js"
import { summarise } from "./intervals.js"
import { detectableShift } from "./power.js"

export const REPRODUCTION_VERDICTS = [
  "within-noise",
  "better",
  "worse",
  "underpowered",
  "not-attempted",
] as const

export type ReproductionVerdict = (typeof REPRODUCTION_VERDICTS)[number]

export interface ReproductionInput {
  readonly published: {
    readonly value: number
    /** What rounding may have hidden, either way; 0 when absent. */
    readonly halfWidth?: number
    /** Seeds behind the published value; one when absent. */
    readonly seeds?: number
    /** Sample standard deviation across them, where stated; it needs two seeds. */
    readonly standardDeviation?: number
  }
  /** One value per seed, of the published value's definition. */
  readonly runs: readonly number[]
  /** Difference that would matter: within it two values count as the same. */
  readonly margin: number
  readonly lowerIsBetter?: boolean
  readonly level?: number
}

export interface Reproduction {
  readonly verdict: ReproductionVerdict
  readonly seeds: number
  /** mean of the runs - published value, and its interval; undefined where there is none */
  readonly difference?: number
  readonly low?: number
  readonly high?: number
  /** Smallest true difference that the same comparison would have found with probability 0.8, rounding added. */
  readonly detectable?: number
  /** The difference is real but smaller than the margin. */
  readonly negligible?: boolean
  readonly reason: string
}

/**
 * Standard error of the runs' mean minus the published value. The published value is a draw too: where the source
 * states its spread, Welch's error and degrees of freedom; where it does not, its seeds are taken to vary as ours do.
 * To take one published seed for the truth would call chance a difference: for three runs in one case of six instead
 * of one in twenty.
 */
const spread = (
  deviation: number,
  n: number,
  { standardDeviation, seeds = 1 }: ReproductionInput["published"],
): { readonly error: number; readonly freedom: number; readonly basis: string } => {
  if (standardDeviation === undefined || seeds < 2)
    return {
      error: deviation * Math.sqrt(1 / n + 1 / seeds),
      freedom: n - 1,
      basis: `${n} runs; the published ${seeds === 1 ? "seed is" : `${seeds} seeds are`} taken to vary as they do`,
    }
  const [ours, theirs] = [deviation ** 2 / n, standardDeviation ** 2 / seeds]
  const both = ours + theirs
  return {
    error: Math.sqrt(both),
    freedom: both === 0 ? n - 1 : Math.max(1, both ** 2 / (ours ** 2 / (n - 1) + theirs ** 2 / (seeds - 1))),
    basis: `${n} runs and the published spread of ${seeds} seeds`,
  }
}

/**
 * - not-attempted: no run.
 * - underpowered: one run (its spread is unknown, so it never counts as reproduced), or an interval that holds both
 *   no difference and one larger than the margin.
 * - within-noise: the interval of the difference holds 0 and lies within the margin.
 * - better, worse: the interval excludes 0.
 *
 * The interval is Student-t over seeds, ours and the source's (see `spread`), widened by the rounding of the published
 * figure.
 */
export const reproductionVerdict = (input: ReproductionInput): Reproduction => {
  const { published, runs, margin, lowerIsBetter = true, level = 0.95 } = input
  if (!(margin > 0)) throw new RangeError(`the margin must be positive, found ${margin}`)
  if (runs.length === 0) return { verdict: "not-attempted", seeds: 0, reason: "There is no run." }
  const { n, mean, standardDeviation } = summarise(runs)
  const difference = mean - published.value
  if (!Number.isFinite(difference))
    throw new RangeError(
      `a reproduction needs finite values, found ${runs.join(", ")} and ${published.value}`,
    )
  if (standardDeviation === undefined)
    return {
      verdict: "underpowered",
      seeds: 1,
      difference,
      reason:
        "One seed has no spread: whether the difference is noise cannot be told. Run two more at least.",
    }
  const { error, freedom, basis } = spread(standardDeviation, n, published)
  const rounding = published.halfWidth ?? 0
  const half = studentQuantile((1 + level) / 2, freedom) * error + rounding
  const [low, high] = [difference - half, difference + half]
  const shared = {
    seeds: n,
    difference,
    low,
    high,
    detectable: detectableShift(freedom, { level }) * error + rounding,
  }
  if (low > 0 || high < 0) {
    const verdict = low > 0 === lowerIsBetter ? "worse" : "better"
    const negligible = low >= -margin && high <= margin
    return {
      ...shared,
      verdict,
      negligible,
      reason: negligible
        ? `The interval of the difference excludes 0 but lies within the margin (${basis}).`
        : `The interval of the difference excludes 0 (${basis}).`,
    }
  }
  if (low >= -margin && high <= margin)
    return {
      ...shared,
      verdict: "within-noise",
      reason: `The interval of the difference holds 0 and lies within the margin (${basis}).`,
    }
  return {
    ...shared,
    verdict: "underpowered",
    reason: `The interval of the difference holds 0, but also differences larger than the margin of ${margin}: more seeds are needed (${basis}).`,
  }
}
