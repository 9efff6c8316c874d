/** Feeds of one optimiser step: rows of the `data` stream, corrupted or shifted, padded to a program's capacity. */
import {
  batchFeeds,
  contentOf,
  corruptBatch,
  corruptionStreams,
  nextTokenFeeds,
  shiftRight,
  type Feeds,
} from "../diffusion/batch.js"
import { sliceBatch } from "../diffusion/slices.js"
import type { Tokenizer } from "../spec/data.js"
import type { Objective } from "../spec/objective.js"
import { programFor, type Layout } from "./layout.js"

export interface StepFeeds {
  /** Slices of the micro-batches, one micro-batch after another. */
  readonly micro: readonly Feeds[]
  /** Which of the traced capacities serves every slice of the step. */
  readonly program: number
}

export interface FeedOptions {
  readonly objective: Objective
  readonly tokenizer: Tokenizer
  readonly seed: number
  readonly length: number
  readonly microBatch: number
  readonly accumulation: number
  readonly layout: Layout
}

/** Makes the feeds of step `step` from its rows [accumulation * microBatch, length]. */
export const makeFeeder = (options: FeedOptions): ((step: number, rows: Int32Array) => StepFeeds) => {
  const { objective, tokenizer, seed, length, microBatch, accumulation, layout } = options
  const streams = corruptionStreams(seed)
  const part = (rows: Int32Array, i: number): Int32Array =>
    rows.subarray(i * microBatch * length, (i + 1) * microBatch * length)
  if (objective.kind === "autoregressive") {
    return (_, rows) => ({
      program: 0,
      micro: Array.from({ length: accumulation }, (_unused, i) =>
        nextTokenSlices(part(rows, i), length, tokenizer, layout),
      ).flat(),
    })
  }
  return (step, rows) => {
    const slices = Array.from({ length: accumulation }, (_, micro) =>
      sliceBatch(
        corruptBatch(part(rows, micro), length, objective, tokenizer, streams, { step, micro }),
        layout.slices,
      ),
    ).flat()
    const program = programFor(slices, layout.capacities)
    return { program, micro: slices.map((slice) => batchFeeds(slice, layout.capacities[program]!)) }
  }
}

/** Slices of consecutive rows, weighted by the divisor of the whole micro-batch. */
const nextTokenSlices = (
  targets: Int32Array,
  length: number,
  { boundaryId, padId }: Tokenizer,
  { slices, rows }: Layout,
): readonly Feeds[] => {
  const divisor = contentOf(targets, padId)
  return Array.from({ length: slices }, (_, i) => {
    const own = targets.subarray(i * rows * length, (i + 1) * rows * length)
    return nextTokenFeeds(shiftRight(own, length, boundaryId), own, length, padId, divisor)
  })
}
