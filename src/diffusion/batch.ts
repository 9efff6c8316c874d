/**
 * From token rows to the feeds of one micro-batch.
 *
 * Only masked positions enter the loss, so only they are listed: loss = sum_j weights[j] * CE_j, where the
 * weights hold the objective's weight and divisor, computed in float64. The randomness of a row depends on
 * (seed, step, micro-batch, row) alone; a process that holds some of a micro-batch's rows draws the same numbers.
 */
import { countOfTime, maskByCount, maskByProbability, maskablePositions, type MaskRule } from "./corrupt.js"
import { stream, uniforms, uniforms32, type Stream } from "./philox.js"
import { countWeight, maskProbability, sigma, sigmaOfVisible, timeWeight } from "./schedule.js"
import type { NoiseSchedule, Weight } from "./schedule.js"
import { timesFromUniforms, uniformsForTimes, type TimeRange, type TimeSampling } from "./times.js"

/** A masked-diffusion objective, as in a spec. */
export interface DiffusionObjective {
  readonly schedule: NoiseSchedule
  readonly weight: Weight
  readonly times: TimeSampling
  readonly timeMin: number
  readonly timeMax: number
  readonly boundary: MaskRule["boundary"]
}

export interface SpecialIds {
  readonly maskId: number
  readonly padId: number
  readonly boundaryId: number
}

/** Where a micro-batch stands in training, and what part of it is given. */
export interface BatchPlace {
  /** Optimiser step since the start of the run. */
  readonly step: number
  /** Micro-batch within the step, counted over all processes. */
  readonly micro: number
  /** Rows of the whole micro-batch; those given when absent. */
  readonly microRows?: number
  /** Index in the micro-batch of the first row given; 0 when absent. */
  readonly firstRow?: number
  /** Divisor of the whole micro-batch; that of the rows given when absent. */
  readonly divisor?: number
}

/** The two streams of corruption in training. */
export interface CorruptionStreams {
  readonly time: Stream
  readonly mask: Stream
}

export const corruptionStreams = (seed: number): CorruptionStreams => ({
  time: stream(seed, "time"),
  mask: stream(seed, "mask"),
})

/** A micro-batch with its masks, before it is padded to a program's capacity. */
export interface CorruptedBatch {
  readonly rows: number
  readonly length: number
  /** [rows * length], masked tokens replaced by MASK. */
  readonly inputIds: Int32Array
  /** [rows] */
  readonly sigma: Float64Array
  /** [rows] */
  readonly times: Float64Array
  /** Flattened positions (row * length + column) under the loss, ascending. Their number is the capacity needed. */
  readonly positions: Int32Array
  /** Token at each position. */
  readonly targets: Int32Array
  /** Weight of each position's cross-entropy. */
  readonly weights: Float64Array
  /** Non-PAD positions, boundary tokens included, and at least 1. */
  readonly divisor: number
  /** Of a slice: its rows' places in the micro-batch; all of them in order when absent. */
  readonly dealt?: readonly number[]
}

const rowsOf = (tokens: Int32Array, length: number): number => {
  const rows = tokens.length / length
  if (!Number.isInteger(rows)) throw new RangeError(`${tokens.length} tokens are not whole rows of ${length}`)
  return rows
}

/** Non-PAD tokens, and at least 1: the divisor of a micro-batch. */
export const contentOf = (tokens: Int32Array, padId: number): number =>
  Math.max(
    1,
    tokens.reduce((n, token) => (token === padId ? n : n + 1), 0),
  )

/**
 * Masks a micro-batch and weighs it as the objective says (parameter-golf PR #1241, train_mdlm.py `mdlm_loss`):
 * the weight of a row's time divided by the micro-batch's non-PAD positions.
 *
 * @param tokens [rows * length], filled up with PAD
 */
export const corruptBatch = (
  tokens: Int32Array,
  length: number,
  objective: DiffusionObjective,
  ids: SpecialIds,
  streams: CorruptionStreams,
  place: BatchPlace,
): CorruptedBatch => {
  const rows = rowsOf(tokens, length)
  const { step, micro, firstRow = 0, microRows = rows } = place
  const rule: MaskRule = { ...ids, boundary: objective.boundary }
  const range: TimeRange = { kind: objective.times, timeMin: objective.timeMin, timeMax: objective.timeMax }
  const timeDraws = uniforms(streams.time, [step, micro], uniformsForTimes(objective.times, microRows))
  const times = timesFromUniforms(range, microRows, timeDraws).slice(firstRow, firstRow + rows)
  const divisor = place.divisor ?? contentOf(tokens, ids.padId)
  const sigmas = new Float64Array(rows)
  const inputIds = tokens.slice()
  const positions: number[] = []
  const weights: number[] = []
  for (let r = 0; r < rows; r++) {
    const row = tokens.subarray(r * length, (r + 1) * length)
    const draws = uniforms32(streams.mask, [step, micro, firstRow + r], length)
    const t = times[r]!
    let masked: readonly number[]
    let weight: number
    if (objective.weight === "uniform-k") {
      const maskable = maskablePositions(rule, row).length
      const k = countOfTime(maskable, t)
      masked = maskByCount(rule, row, k, draws)
      weight = k === 0 ? 0 : countWeight(maskable, k)
      sigmas[r] = sigmaOfVisible(objective.schedule, 1 - k / (maskable + 1))
    } else {
      masked = maskByProbability(rule, row, maskProbability(objective.schedule, t), draws)
      weight = timeWeight(objective.weight, objective.schedule, t)
      sigmas[r] = sigma(objective.schedule, t)
    }
    for (const column of masked) {
      positions.push(r * length + column)
      weights.push(weight / divisor)
      inputIds[r * length + column] = ids.maskId
    }
  }
  return {
    rows,
    length,
    inputIds,
    sigma: sigmas,
    times,
    positions: Int32Array.from(positions),
    targets: Int32Array.from(positions, (p) => tokens[p]!),
    weights: Float64Array.from(weights),
    divisor,
  }
}

/** One feed: dense data in row-major order. */
export interface Feed {
  readonly shape: readonly number[]
  readonly data: Float32Array | Int32Array
}
export type Feeds = Readonly<Record<string, Feed>>

/** More positions under the loss than the program has room for. */
export class CapacityError extends Error {
  readonly _tag = "CapacityError"
  override readonly name = "CapacityError"
  readonly needed: number
  readonly capacity: number

  constructor(needed: number, capacity: number) {
    super(
      `${needed} positions are under the loss, but the program has room for ${capacity}; use a larger program`,
    )
    this.needed = needed
    this.capacity = capacity
  }
}

/** Positions, padded by position 0, and for each position of the batch its slot, or `capacity` when it has none. */
export const gatherFeeds = (positions: Int32Array, capacity: number, total: number): Feeds => {
  if (positions.length > capacity) throw new CapacityError(positions.length, capacity)
  const padded = new Int32Array(capacity)
  padded.set(positions)
  const slots = new Int32Array(total).fill(capacity)
  positions.forEach((p, j) => (slots[p] = j))
  return { positions: { shape: [capacity], data: padded }, slots: { shape: [total], data: slots } }
}

/** `values` followed by zeros up to the capacity. */
const padded = <T extends Int32Array | Float32Array>(values: ArrayLike<number>, to: T): T => {
  to.set(values)
  return to
}

/**
 * The feeds of a program with room for `capacity` positions; the rest has position 0, target 0 and weight 0.
 *
 * inputIds i32 [rows, length], sigma f32 [rows], positions, targets i32 [capacity], weights f32 [capacity],
 * slots i32 [rows * length]. A network takes those it asks for.
 *
 * @throws CapacityError when more positions are masked than the program has room for
 */
export const batchFeeds = (batch: CorruptedBatch, capacity: number): Feeds => {
  const { rows, length, inputIds } = batch
  return {
    inputIds: { shape: [rows, length], data: inputIds },
    sigma: { shape: [rows], data: Float32Array.from(batch.sigma) },
    ...gatherFeeds(batch.positions, capacity, rows * length),
    targets: { shape: [capacity], data: padded(batch.targets, new Int32Array(capacity)) },
    weights: { shape: [capacity], data: padded(batch.weights, new Float32Array(capacity)) },
  }
}

/**
 * Next-token inputs of rows that hold their own targets: each row shifted right by one, with the boundary token
 * in front. The last token of a row is predicted but never seen.
 */
export const shiftRight = (tokens: Int32Array, length: number, boundaryId: number): Int32Array => {
  rowsOf(tokens, length)
  return Int32Array.from(tokens, (_, i) => (i % length === 0 ? boundaryId : tokens[i - 1]!))
}

/**
 * The feeds of next-token training: the mean cross-entropy over the targets that are not PAD.
 *
 * inputIds i32 [rows, length], targets i32 [rows * length], weights f32 [rows * length].
 *
 * @param divisor of the whole micro-batch, where the rows given are a part of it
 */
export const nextTokenFeeds = (
  inputs: Int32Array,
  targets: Int32Array,
  length: number,
  padId: number,
  divisor = contentOf(targets, padId),
): Feeds => {
  const rows = rowsOf(inputs, length)
  if (targets.length !== inputs.length)
    throw new RangeError(`${inputs.length} inputs need as many targets, found ${targets.length}`)
  return {
    inputIds: { shape: [rows, length], data: inputs },
    targets: { shape: [targets.length], data: targets.map((token) => (token === padId ? 0 : token)) },
    weights: {
      shape: [targets.length],
      data: Float32Array.from(targets, (token) => (token === padId ? 0 : 1 / divisor)),
    },
  }
}
