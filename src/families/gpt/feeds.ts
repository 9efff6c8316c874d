/** Next-token training in batches: slices of consecutive rows, each row shifted right behind a boundary token. */
import { contentOf, nextTokenFeeds, shiftRight, type Feeds } from "../../diffusion/batch.js"
import { sliceCount } from "../../diffusion/slices.js"
import type { StepLayout } from "../../diffusion/step-layout.js"
import type { FeedJob, Layout, RowShape, Rows, StepFeeds } from "../part.js"
import type { AutoregressiveObjective } from "./schema.js"

/** One program: inputIds i32 [rows, length], targets i32 and weights f32 [rows * length]. */
export const nextTokenLayout = (
  _objective: AutoregressiveObjective,
  { microBatch, length }: RowShape,
  preferred: StepLayout,
): Layout => {
  const slices = sliceCount(microBatch, preferred.slices)
  const rows = microBatch / slices
  return {
    slices,
    rows,
    programs: [
      [
        { name: "inputIds", dtype: "i32", shape: [rows, length] },
        { name: "targets", dtype: "i32", shape: [rows * length] },
        { name: "weights", dtype: "f32", shape: [rows * length] },
      ],
    ],
  }
}

export const nextTokenFeeder = (
  _objective: AutoregressiveObjective,
  { tokenizer: { boundaryId, padId }, length, microBatch, accumulation, layout }: FeedJob,
): ((step: number, rows: Rows) => StepFeeds) => {
  /** Slices weighted by the divisor of the whole micro-batch. */
  const slicesOf = (targets: Int32Array): readonly Feeds[] => {
    const divisor = contentOf(targets, padId)
    return Array.from({ length: layout.slices }, (_, i) => {
      const own = targets.subarray(i * layout.rows * length, (i + 1) * layout.rows * length)
      return nextTokenFeeds(shiftRight(own, length, boundaryId), own, length, padId, divisor)
    })
  }
  return (_step, { tokens }) => ({
    program: 0,
    micro: Array.from({ length: accumulation }, (_, i) =>
      slicesOf(tokens.subarray(i * microBatch * length, (i + 1) * microBatch * length)),
    ).flat(),
  })
}
