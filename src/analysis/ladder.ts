/**
 * The ladder of a run: every evaluation's bits per byte against what it costs, all on the same windows.
 *
 * Boundary positions that a model gets free are charged, so that every rung is a complete code. An evaluation on
 * fewer windows (a prefix of the others') is carried over to all of them by its ratio to the reference on the windows
 * that both scored, the ratio estimator of survey sampling: the text's own difficulty cancels.
 */
import { bootstrapRatio, type BootstrapResult } from "../metric/statistics/bootstrap.js"
import { studentInterval } from "../metric/statistics/intervals.js"
import { BYTES_CALLED } from "../metric/bytes/text-account.js"
import { estimatorName } from "../evaluators/index.js"
import { contractIn } from "./contract-in.js"
import {
  firstFloors,
  isCountable,
  type EvaluationSummary,
  type FloorSummary,
  type WindowSums,
} from "./language-model.js"
import { formatNumber } from "./numbers.js"
import type { LadderPlot, LadderPoint } from "./ladder-plot.js"
import { boundSign, type BoundKind } from "./table.js"

/** Bits of a window, boundary positions included. */
export const chargedBits = ({ bits, boundaryBits = 0 }: WindowSums): number => bits + boundaryBits

export const boundKindOf = (summary: EvaluationSummary): BoundKind => {
  const { bound } = contractIn(summary)
  return bound === "not stated" ? "unknown" : bound
}

interface Level {
  readonly value: number
  readonly low: number
  readonly high: number
}

const relativeHalfWidth = ({ low, high, estimate }: BootstrapResult): number => (high - low) / 2 / estimate

/** The value on all windows of `reference`, with an interval of level 0.95. */
const levelOn = (summary: EvaluationSummary, reference: EvaluationSummary): Level | undefined => {
  const [mine, all] = [summary.perWindow, reference.perWindow]
  if (all.length < 2 || mine.length < 2) return undefined
  const whole = bootstrapRatio(
    all.map((window) => ({ numerator: chargedBits(window), denominator: window.bytes })),
  )
  if (summary === reference) return { value: whole.estimate, low: whole.low, high: whole.high }
  if (mine.length === all.length) {
    const own = bootstrapRatio(
      mine.map((window) => ({ numerator: chargedBits(window), denominator: window.bytes })),
    )
    return { value: own.estimate, low: own.low, high: own.high }
  }
  const ratio = bootstrapRatio(
    mine.map((window, w) => ({ numerator: chargedBits(window), denominator: chargedBits(all[w]!) })),
  )
  const value = whole.estimate * ratio.estimate
  const relative = Math.hypot(relativeHalfWidth(whole), relativeHalfWidth(ratio))
  return { value, low: value * (1 - relative), high: value * (1 + relative) }
}

type Windows = Pick<EvaluationSummary, "perWindow"> & Partial<Pick<EvaluationSummary, "evaluation">>

/** Whether the windows of `summary` are the first ones of `reference`'s: cut alike, equal tokens and bytes, one by one. */
export const isPrefix = (summary: Windows, reference: Windows): boolean =>
  summary.evaluation?.windows.alignment === reference.evaluation?.windows.alignment &&
  summary.perWindow.length <= reference.perWindow.length &&
  summary.perWindow.every(
    ({ bytes, tokens }, w) =>
      bytes === reference.perWindow[w]!.bytes && tokens === reference.perWindow[w]!.tokens,
  )

export interface LadderInput {
  /** In the order of the spec; the first is the reference. */
  readonly evaluations: readonly EvaluationSummary[]
  /** The same evaluations of the model's other seeds: points are then means over seeds. */
  readonly otherSeeds?: readonly (readonly EvaluationSummary[])[]
  /** Name of the model, where several share one picture. */
  readonly series?: string
}

/** Means over seeds with Student's interval; a point that some seed lacks stays that of the first. */
const meanPoints = (seeds: readonly (readonly LadderPoint[])[]): readonly LadderPoint[] =>
  seeds[0]!.map((point) => {
    const same = seeds.flatMap((points) => points.find(({ label }) => label === point.label) ?? [])
    const over = same.length === seeds.length ? studentInterval(same.map(({ value }) => value)) : undefined
    return over === undefined ? point : { ...point, value: over.mean, low: over.low, high: over.high }
  })

/** One point an evaluation; those whose cost is unknown or whose windows are others are left out. */
export const ladderPoints = (input: LadderInput): readonly LadderPoint[] => {
  const { otherSeeds = [], series } = input
  const own = seedPoints(input)
  if (otherSeeds.length === 0) return own
  return meanPoints([
    own,
    ...otherSeeds.map((evaluations) =>
      seedPoints({ evaluations, ...(series === undefined ? {} : { series }) }),
    ),
  ])
}

const seedPoints = ({ evaluations, series }: LadderInput): readonly LadderPoint[] => {
  const [reference] = evaluations
  if (reference === undefined) return []
  return evaluations.flatMap((summary): readonly LadderPoint[] => {
    const { forwards, perWindow } = summary
    if (forwards === undefined || !isCountable(summary) || !isPrefix(summary, reference)) return []
    const level = levelOn(summary, reference)
    if (level === undefined) return []
    const boundKind = boundKindOf(summary)
    const sign = boundSign(boundKind)
    const name = estimatorName(summary.evaluation)
    const fewer = perWindow.length < reference.perWindow.length ? ` (${perWindow.length} windows)` : ""
    return [
      {
        label:
          series === undefined
            ? `${name}${fewer} ${sign === "" ? "" : `${sign} `}${formatNumber(level.value, 3)}`
            : `${name}${fewer}`,
        cost: forwards / perWindow.length,
        ...level,
        boundKind,
        ...(series === undefined ? {} : { series }),
      },
    ]
  })
}

/** The picture; undefined with fewer than two points. */
export const ladderOf = (
  models: readonly LadderInput[],
  floors: readonly FloorSummary[],
): LadderPlot | undefined => {
  const points = models.flatMap(ladderPoints)
  const standings = new Set(
    models.flatMap(({ evaluations }) => evaluations.map(({ text }) => text?.standing ?? "exact")),
  )
  if (points.length < 2) return undefined
  const charged = models.some(({ evaluations }) =>
    evaluations.some(({ perWindow }) => perWindow.some(({ boundaryBits = 0 }) => boundaryBits > 0)),
  )
  const seeds = 1 + Math.max(...models.map(({ otherSeeds = [] }) => otherSeeds.length))
  const bars = seeds === 1 ? "95 % interval over windows" : `mean and 95 % interval over ${seeds} seeds`
  return {
    title: `Bits per byte against their cost, the same windows${charged ? ", boundary positions charged" : ""}`,
    cost: "sequences through the network for one window",
    unit: `bits/byte, ${standings.size === 1 && standings.has("exact") ? "exact byte count" : [...standings].map((standing) => BYTES_CALLED[standing]).join(" or ")}; ${seeds === 1 ? "bars: " : ""}${bars}`,
    points,
    references: firstFloors(floors).flatMap(({ id, bitsPerByte }) =>
      bitsPerByte === null ? [] : [{ name: `${id} ${formatNumber(bitsPerByte, 3)}`, y: bitsPerByte }],
    ),
  }
}
