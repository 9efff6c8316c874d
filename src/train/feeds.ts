/** Feeds of one optimiser step: rows of the `data` stream, corrupted or shifted, padded to a program's capacity. */
import {
  batchFeeds,
  corruptBatch,
  corruptionStreams,
  nextTokenFeeds,
  shiftRight,
  type Feeds,
} from "../diffusion/batch.js"
import type { Tokenizer } from "../spec/data.js"
import type { Objective } from "../spec/objective.js"

export interface StepFeeds {
  readonly micro: readonly Feeds[]
  /** Which of the traced capacities serves every micro-batch of the step. */
  readonly program: number
}

export interface FeedOptions {
  readonly objective: Objective
  readonly tokenizer: Tokenizer
  readonly seed: number
  readonly length: number
  readonly microBatch: number
  readonly accumulation: number
  /** Room of each program for masked positions, ascending; empty for next-token training. */
  readonly capacities: readonly number[]
}

/** Makes the feeds of step `step` from its rows [accumulation * microBatch, length]. */
export const makeFeeder = (options: FeedOptions): ((step: number, rows: Int32Array) => StepFeeds) => {
  const { objective, tokenizer, seed, length, microBatch, accumulation } = options
  const streams = corruptionStreams(seed)
  const part = (rows: Int32Array, i: number): Int32Array =>
    rows.subarray(i * microBatch * length, (i + 1) * microBatch * length)
  if (objective.kind === "autoregressive") {
    return (_, rows) => ({
      program: 0,
      micro: Array.from({ length: accumulation }, (_unused, i) => {
        const targets = part(rows, i)
        return nextTokenFeeds(
          shiftRight(targets, length, tokenizer.boundaryId),
          targets,
          length,
          tokenizer.padId,
        )
      }),
    })
  }
  return (step, rows) => {
    const batches = Array.from({ length: accumulation }, (_, micro) =>
      corruptBatch(part(rows, micro), length, objective, tokenizer, streams, { step, micro }),
    )
    const needed = Math.max(...batches.map((b) => b.positions.length))
    const program = options.capacities.findIndex((capacity) => capacity >= needed)
    const capacity = options.capacities[program]
    if (capacity === undefined) throw new RangeError(`${needed} masked positions exceed every program`)
    return { program, micro: batches.map((batch) => batchFeeds(batch, capacity)) }
  }
}
