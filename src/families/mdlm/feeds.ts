/** Masked diffusion in batches: rows of the `data` stream corrupted, sliced, and padded to a program's capacity. */
import { batchFeeds, corruptBatch, corruptionStreams, type CorruptedBatch } from "../../diffusion/batch.js"
import { sliceBatch, sliceCount } from "../../diffusion/slices.js"
import type { StepLayout } from "../../diffusion/step-layout.js"
import {
  sliceFeeds,
  type FeedJob,
  type FeedSpec,
  type Layout,
  type RowShape,
  type Rows,
  type StepFeeds,
} from "../part.js"
import { capacities } from "./capacity.js"
import type { MaskedDiffusionObjective } from "./schema.js"

/**
 * The feeds of a program with room for `capacity` positions under the loss: inputIds i32 [rows, length]; sigma f32
 * [rows] for networks that are told the noise level; positions, targets i32 and weights f32 [capacity]; slots i32
 * [rows * length], see `gatherFeeds`.
 */
export const maskedFeedSpecs = (rows: number, length: number, capacity: number): readonly FeedSpec[] => [
  { name: "inputIds", dtype: "i32", shape: [rows, length] },
  { name: "sigma", dtype: "f32", shape: [rows], optional: true },
  { name: "positions", dtype: "i32", shape: [capacity] },
  { name: "targets", dtype: "i32", shape: [capacity] },
  { name: "weights", dtype: "f32", shape: [capacity] },
  { name: "slots", dtype: "i32", shape: [rows * length] },
]

export const maskedLayout = (
  objective: Pick<MaskedDiffusionObjective, "times">,
  { microBatch, length }: RowShape,
  preferred: StepLayout,
): Layout => {
  const slices = sliceCount(microBatch, preferred.slices)
  const rows = microBatch / slices
  return {
    slices,
    rows,
    programs: capacities(objective, microBatch, length, { ...preferred, slices }).map((capacity) =>
      maskedFeedSpecs(rows, length, capacity),
    ),
  }
}

/** Positions under the loss that each program of a masked layout has room for. */
export const roomsOf = ({ programs }: Pick<Layout, "programs">): readonly number[] =>
  programs.map((feeds) => sliceFeeds(feeds, 1)[0]!.find(({ name }) => name === "positions")!.shape[0]!)

/** The smallest program with room for the positions under the loss of every slice. @throws RangeError when none has */
export const programFor = (
  slices: readonly Pick<CorruptedBatch, "positions">[],
  rooms: readonly number[],
): number => {
  const needed = Math.max(...slices.map(({ positions }) => positions.length))
  const program = rooms.findIndex((room) => room >= needed)
  if (program === -1) throw new RangeError(`${needed} masked positions exceed every program`)
  return program
}

/** The rows of a step that each slice of its micro-batches holds. */
export const rowsOfSlices = (
  slices: readonly Pick<CorruptedBatch, "rows" | "dealt">[],
  microBatch: number,
): readonly (readonly number[])[] => {
  let before = 0
  return slices.map(({ rows, dealt }) => {
    const first = Math.floor(before / microBatch) * microBatch
    before += rows
    return Array.from({ length: rows }, (_, i) => first + (dealt?.[i] ?? i))
  })
}

export const maskedFeeds = (
  objective: MaskedDiffusionObjective,
  { tokenizer, seed, length, microBatch, accumulation, layout }: FeedJob,
): ((step: number, rows: Rows) => StepFeeds) => {
  const streams = corruptionStreams(seed)
  const rooms = roomsOf(layout)
  return (step, { tokens }) => {
    const slices = Array.from({ length: accumulation }, (_, micro) => {
      const own = tokens.subarray(micro * microBatch * length, (micro + 1) * microBatch * length)
      return sliceBatch(
        corruptBatch(own, length, objective, tokenizer, streams, { step, micro }),
        layout.slices,
      )
    }).flat()
    const program = programFor(slices, rooms)
    return {
      program,
      micro: slices.map((slice) => batchFeeds(slice, rooms[program]!)),
      rows: rowsOfSlices(slices, microBatch),
    }
  }
}
