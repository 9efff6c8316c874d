/** Points of a grid against each other, over seeds and over windows. */
import type { Pair } from "./bootstrap.js"
import { studentQuantile, studentTail } from "./distributions.js"
import { holm } from "./holm.js"
import { summarise } from "./intervals.js"
import { pairedComparison } from "./paired.js"
import { detectableShift, minimumDetectable } from "./power.js"
import { analysisOfVariance, type VarianceAnalysis } from "./variance.js"

/** What one point measured with one seed. */
export interface SeedValue {
  readonly seed: number
  /** For example bits per byte over all windows. */
  readonly value: number
  /** The same value window by window, as the sums it is a ratio of. */
  readonly windows: readonly Pair[]
}

export interface SeedTest {
  /** paired-t: differences of equal seeds. two-sample-t: seeds that share nothing, pooled variance. */
  readonly kind: "paired-t" | "two-sample-t"
  readonly seeds: number
  readonly standardError: number
  readonly freedom: number
  readonly low: number
  readonly high: number
  readonly t: number
  readonly p: number
  /** Smallest true difference that this test finds with probability `power`. */
  readonly detectable: number
}

export interface WindowTest {
  readonly windows: number
  readonly standardError: number
  readonly low: number
  readonly high: number
  readonly p: number
  /** Smallest difference between these models on all text that this test finds with probability `power`. */
  readonly detectable: number
  /** Standard error if the windows were not the same. */
  readonly unpairedStandardError: number
}

export interface PairTest {
  /** Indices of the two points; the difference is a - b. */
  readonly a: number
  readonly b: number
  readonly difference: number
  /** Absent with fewer than two seeds. */
  readonly overSeeds?: SeedTest
  /** Absent where the points were not scored on the same windows. */
  readonly overWindows?: WindowTest
  /** Holm's adjusted p-value over every pair of points; absent without a test. */
  readonly holm?: number
}

export interface PointComparison {
  /** Pairs that were asked for, and the lowest point against each other one. */
  readonly pairs: readonly PairTest[]
  /** Pairs that the correction counts: all with a test, since which are of interest was seen in the same data. */
  readonly family: number
  /** What the p-values speak of. */
  readonly basis: "seeds" | "windows" | "nothing"
  /** Point with the lowest mean. */
  readonly lowest: number
  /** Absent unless two points at least have two seeds in common. */
  readonly variance?: VarianceAnalysis
  /**
   * Smallest true difference between two points that the test of one pair finds with probability `power`: tested alone,
   * and as the first of Holm's procedure over all pairs. The noise is the pooled residual, the degrees of freedom are
   * those of the pair's own test, which are fewer than the residual's.
   */
  readonly detectable?: { readonly single: number; readonly corrected: number }
  readonly level: number
  readonly power: number
}

export interface PairwiseOptions {
  /** Whether equal seeds share their random streams. */
  readonly paired: boolean
  /** Pairs of indices to report. */
  readonly neighbours: readonly (readonly [number, number])[]
  readonly level?: number
  readonly power?: number
}

type Point = readonly SeedValue[]

const mean = (values: readonly number[]): number => summarise(values).mean

/** Values of the seeds that both have, in the order of `a`. */
const common = (a: Point, b: Point): readonly (readonly [SeedValue, SeedValue])[] =>
  a.flatMap((left) => {
    const right = b.find(({ seed }) => seed === left.seed)
    return right === undefined ? [] : [[left, right] as const]
  })

const testFrom = (
  kind: SeedTest["kind"],
  seeds: number,
  difference: number,
  standardError: number,
  freedom: number,
  detectable: number,
  level: number,
): SeedTest => {
  const half = studentQuantile((1 + level) / 2, freedom) * standardError
  // Seeds without any spread: a difference of zero is no difference, any other one is certain.
  const t = difference === 0 ? 0 : difference / standardError
  return {
    kind,
    seeds,
    standardError,
    freedom,
    low: difference - half,
    high: difference + half,
    t,
    p: Number.isFinite(t) ? studentTail(t, freedom) : 0,
    detectable,
  }
}

const overSeeds = (
  a: Point,
  b: Point,
  paired: boolean,
  level: number,
  power: number,
): SeedTest | undefined => {
  if (paired) {
    const differences = common(a, b).map(([x, y]) => x.value - y.value)
    if (differences.length < 2) return undefined
    const { n, mean: difference, standardDeviation = 0 } = summarise(differences)
    const detectable = minimumDetectable(standardDeviation, n, { level, power })
    return testFrom("paired-t", n, difference, standardDeviation / Math.sqrt(n), n - 1, detectable, level)
  }
  if (a.length < 2 || b.length < 2) return undefined
  const [left, right] = [a, b].map((point) => summarise(point.map(({ value }) => value)))
  const squares = [left!, right!].reduce((sum, s) => sum + (s.n - 1) * (s.standardDeviation ?? 0) ** 2, 0)
  const freedom = left!.n + right!.n - 2
  const standardError = Math.sqrt((squares / freedom) * (1 / left!.n + 1 / right!.n))
  const detectable = detectableShift(freedom, { level, power }) * standardError
  const seeds = Math.min(left!.n, right!.n)
  return testFrom("two-sample-t", seeds, left!.mean - right!.mean, standardError, freedom, detectable, level)
}

/** Bits of each window averaged over seeds; undefined unless all have the same windows. */
const averaged = (values: readonly SeedValue[]): readonly Pair[] | undefined => {
  const [first] = values
  if (first === undefined || first.windows.length < 2) return undefined
  const same = values.every(
    ({ windows }) =>
      windows.length === first.windows.length &&
      windows.every(({ denominator }, w) => denominator === first.windows[w]!.denominator),
  )
  return same
    ? first.windows.map(({ denominator }, w) => ({
        numerator: mean(values.map(({ windows }) => windows[w]!.numerator)),
        denominator,
      }))
    : undefined
}

const overWindows = (a: Point, b: Point, level: number, power: number): WindowTest | undefined => {
  const both = common(a, b)
  const [left, right] = [both.map(([x]) => x), both.map(([, y]) => y)]
  const together = averaged([...left, ...right])
  const [x, y] = [averaged(left), averaged(right)]
  if (together === undefined || x === undefined || y === undefined) return undefined
  const { estimate, standardError, low, high, unpairedStandardError } = pairedComparison(x, y, { level })
  const p = estimate === 0 ? 1 : standardError === 0 ? 0 : studentTail(estimate / standardError, x.length - 1)
  const detectable = detectableShift(x.length - 1, { level, power }) * standardError
  return { windows: x.length, standardError, low, high, p, detectable, unpairedStandardError }
}

const differenceOf = (a: Point, b: Point, paired: boolean): number => {
  const both = paired ? common(a, b) : []
  return both.length > 0
    ? mean(both.map(([x, y]) => x.value - y.value))
    : mean(a.map(({ value }) => value)) - mean(b.map(({ value }) => value))
}

/** The analysis of variance over the seeds that every point has (shared streams) or as many as every point has. */
const varianceOf = (
  points: readonly Point[],
  paired: boolean,
): { readonly analysis: VarianceAnalysis; readonly seeds: number } | undefined => {
  const seeds = paired
    ? points[0]!.map(({ seed }) => seed).filter((s) => points.every((p) => p.some(({ seed }) => seed === s)))
    : undefined
  const rows = points.map((point) =>
    seeds === undefined
      ? point.map(({ value }) => value)
      : seeds.map((seed) => point.find((each) => each.seed === seed)!.value),
  )
  const [first = []] = rows
  if (rows.length < 2 || first.length < 2 || rows.some((row) => row.length !== first.length)) return undefined
  return { analysis: analysisOfVariance(rows, { blocked: paired }), seeds: first.length }
}

/**
 * Compares points, lower being better. Each pair is tested over seeds: whether another training run would show the
 * difference. With one seed the tests are over windows alone and speak of these trained models only. A pair over
 * windows uses equal windows and equal masks (common random numbers), averaged over the seeds.
 *
 * @throws RangeError with fewer than two points, or a point without a value
 */
export const comparePoints = (
  points: readonly Point[],
  { paired, neighbours, level = 0.95, power = 0.8 }: PairwiseOptions,
): PointComparison => {
  if (points.length < 2 || points.some((point) => point.length === 0))
    throw new RangeError("a comparison needs two points at least, each with a value")
  const means = points.map((point) => mean(point.map(({ value }) => value)))
  const lowest = means.indexOf(Math.min(...means))
  const all = points.flatMap((_, a) => points.slice(a + 1).map((__, i) => [a, a + 1 + i] as const))
  const seedTests = all.map(([a, b]) => overSeeds(points[a]!, points[b]!, paired, level, power))
  const wanted = all.map(
    ([a, b]) =>
      a === lowest ||
      b === lowest ||
      neighbours.some(([x, y]) => Math.min(x, y) === a && Math.max(x, y) === b),
  )
  const seedsSpeak = seedTests.some((test) => test !== undefined)
  const windowTests = all.map(([a, b], i) =>
    seedsSpeak && !wanted[i]! ? undefined : overWindows(points[a]!, points[b]!, level, power),
  )
  const basis = seedsSpeak ? "seeds" : windowTests.some((test) => test !== undefined) ? "windows" : "nothing"
  const tested = all.flatMap((_, i) => {
    const test = seedsSpeak ? seedTests[i] : windowTests[i]
    return test === undefined ? [] : [{ i, p: test.p }]
  })
  const corrected = holm(tested.map(({ p }) => p))
  const adjusted = new Map(tested.map(({ i }, at) => [i, corrected[at]!]))
  const pairs = all.flatMap(([a, b], i): readonly PairTest[] => {
    if (!wanted[i]!) return []
    const [seedTest, windowTest, adjust] = [seedTests[i], windowTests[i], adjusted.get(i)]
    return [
      {
        a,
        b,
        difference: differenceOf(points[a]!, points[b]!, paired),
        ...(seedTest === undefined ? {} : { overSeeds: seedTest }),
        ...(windowTest === undefined ? {} : { overWindows: windowTest }),
        ...(adjust === undefined ? {} : { holm: adjust }),
      },
    ]
  })
  const variance = varianceOf(points, paired)
  const detectable =
    variance === undefined
      ? undefined
      : (alpha: number): number =>
          detectableShift((paired ? 1 : 2) * (variance.seeds - 1), { level: 1 - alpha, power }) *
          variance.analysis.residualDeviation *
          Math.sqrt(2 / variance.seeds)
  return {
    pairs,
    family: tested.length,
    basis,
    lowest,
    ...(variance === undefined || detectable === undefined
      ? {}
      : {
          variance: variance.analysis,
          detectable: { single: detectable(1 - level), corrected: detectable((1 - level) / all.length) },
        }),
    level,
    power,
  }
}
