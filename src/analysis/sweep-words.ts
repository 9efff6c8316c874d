/** What a sweep's tests say, in sentences. */
import type { PairTest, PointComparison } from "../metric/statistics/pairwise.js"
import { decimalsFor, formatNumber } from "./numbers.js"

/** `0.012`: two significant digits. */
const small = (value: number): string =>
  Number.isFinite(value)
    ? formatNumber(value, decimalsFor("", { low: 0, high: 2 * value, level: 0.95, method: "" }))
    : "unlimited"

/** `p = 0.012`, `p < 0.001`. */
export const showP = (p: number): string => (p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(p < 0.1 ? 3 : 2)}`)

const percent = (share: number): string => `${Number((100 * share).toFixed(1))} %`

const join = (words: readonly string[]): string =>
  words.length <= 1 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`

/** Whether a pair's difference stands after the correction. */
export const isTold = ({ holm }: PairTest, { level }: PointComparison): boolean =>
  holm !== undefined && holm <= 1 - level

/** The tests of one pair, as the note of its row. */
export const pairNotes = (pair: PairTest, comparison: PointComparison, unit: string): readonly string[] => {
  const { overSeeds, overWindows, holm } = pair
  const { family, power, basis } = comparison
  const corrected = holm === undefined || family === 1 ? "" : `; Holm over ${family} pairs: ${showP(holm)}`
  const notes: string[] = []
  if (overSeeds !== undefined) {
    const { kind, seeds, t, freedom, p, detectable } = overSeeds
    const test =
      kind === "paired-t"
        ? `Paired t test over ${seeds} seeds that share their streams`
        : `Two-sample t test over ${seeds} independent seeds a point`
    notes.push(
      `${test}: t(${freedom}) = ${Number.isFinite(t) ? t.toFixed(2) : "unlimited"}, ${showP(p)}${corrected}. It finds a true difference of ${small(detectable)} ${unit} with probability ${percent(power)}.`,
    )
  }
  if (overWindows !== undefined) {
    const { windows, p, standardError, unpairedStandardError, detectable } = overWindows
    const alone =
      basis === "windows"
        ? `${corrected}. It speaks of these trained models only, and finds a difference of ${small(detectable)} ${unit} with probability ${percent(power)}`
        : ", of these trained models only"
    notes.push(
      `Over the same ${windows} windows and masks: standard error ${small(standardError)} (${small(unpairedStandardError)} unpaired), ${showP(p)}${alone}.`,
    )
  }
  if (notes.length === 0) notes.push("No test: one seed, and the windows are not the same.")
  return notes
}

/** `heads=2 below heads=8, heads=16`; which pairs stand after the correction. */
const toldPairs = (comparison: PointComparison, names: readonly string[]): string => {
  const told = comparison.pairs.filter((pair) => isTold(pair, comparison))
  const corrected = comparison.family > 1 ? ` after Holm's correction for ${comparison.family} pairs` : ""
  if (told.length === 0) return `no pair shown differs${corrected}`
  const below = told.map(({ a, b, difference }) =>
    difference < 0 ? `${names[a]} below ${names[b]}` : `${names[b]} below ${names[a]}`,
  )
  return `${join(below)}${corrected}`
}

/** One sentence: whether the differences exceed noise, and what difference could have been detected. */
export const noiseSentence = (
  estimator: string,
  comparison: PointComparison,
  names: readonly string[],
  unit: string,
): string => {
  const { basis, variance, detectable, level, power, family, pairs } = comparison
  const tells = toldPairs(comparison, names)
  if (basis === "nothing")
    return `${estimator}: whether the points differ cannot be told, with one seed and different windows.`
  if (basis === "windows") {
    const widest = Math.max(...pairs.flatMap(({ overWindows }) => overWindows?.detectable ?? []))
    return `${estimator}: one seed, so whether the differences exceed the noise between training runs cannot be told; over the same windows, of these trained models alone, ${tells}, and a difference of ${small(widest)} ${unit} would have been found with probability ${percent(power)}.`
  }
  if (variance === undefined || detectable === undefined)
    return `${estimator}: the points have different seeds, so each pair is tested over those it shares: ${tells}.`
  const { f, between, residual, p } = variance
  const blocks = pairs.some(({ overSeeds }) => overSeeds?.kind === "paired-t")
  const test = `${blocks ? "randomised blocks" : "one-way analysis of variance"}, F(${between}, ${residual}) = ${Number.isFinite(f) ? f.toFixed(2) : "unlimited"}, ${showP(p)}`
  const exceeds = p <= 1 - level ? "exceed" : "do not exceed"
  const corrected = family > 1 ? ` (${small(detectable.corrected)} if corrected for ${family} pairs)` : ""
  return `${estimator}: the differences between the ${names.length} points ${exceeds} the noise over seeds (${test}), ${tells}; a true difference of ${small(detectable.single)} ${unit} between two points would have been found with probability ${percent(power)}${corrected}.`
}
