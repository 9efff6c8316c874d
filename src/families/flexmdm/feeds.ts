/**
 * Variable-length masked diffusion in batches: each row is computed at the length that it has.
 *
 * The rows of a micro-batch are sorted by their numbers of tokens and cut into slices, so that slice k holds the k-th
 * part from the shortest; each slice of a program has a width and a capacity of its own. Which program serves a step,
 * and how rows are dealt to slices, changes the order of additions alone.
 */
import { corruptionStreams } from "../../diffusion/batch.js"
import { insertionBatch, insertionTimes, type InsertionRows } from "../../diffusion/insertion/batch.js"
import { slotCount, type EndSlot } from "../../diffusion/insertion/interpolant.js"
import { insertionFeeds, type SliceRoom } from "../../diffusion/insertion/feeds.js"
import { stateShares } from "../../diffusion/insertion/hitting.js"
import { stream, uniforms } from "../../diffusion/philox.js"
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
import type { FlexmdmObjective } from "./schema.js"

/**
 * The feeds of a slice: inputIds i32 [rows, width]; lengths i32 [rows], its positions that are there; time and
 * insertionAlpha f32 [rows]; positions i32 and weights f32 [capacity]; targets i32 [capacity], or softTargets f32
 * [capacity, classes] and entropies f32 [capacity]; gapTargets, gapWeights f32 [rows * width]; slots i32 [rows * width],
 * see `gatherFeeds`.
 */
export const insertionFeedSpecs = (
  targets: FlexmdmObjective["targets"],
  rows: number,
  { width, capacity }: SliceRoom,
  classes: number,
): readonly FeedSpec[] => [
  { name: "inputIds", dtype: "i32", shape: [rows, width] },
  { name: "lengths", dtype: "i32", shape: [rows], optional: true },
  { name: "time", dtype: "f32", shape: [rows], optional: true },
  { name: "insertionAlpha", dtype: "f32", shape: [rows], optional: true },
  { name: "positions", dtype: "i32", shape: [capacity] },
  ...(targets === "hidden"
    ? ([{ name: "targets", dtype: "i32", shape: [capacity] }] as const)
    : ([
        { name: "softTargets", dtype: "f32", shape: [capacity, classes] },
        { name: "entropies", dtype: "f32", shape: [capacity] },
      ] as const)),
  { name: "weights", dtype: "f32", shape: [capacity] },
  { name: "gapTargets", dtype: "f32", shape: [rows * width] },
  { name: "gapWeights", dtype: "f32", shape: [rows * width] },
  { name: "slots", dtype: "i32", shape: [rows * width] },
]

/** The most slices: each is a copy of the network in the step's graph. */
const MOST_SLICES = 4

/** Slices of equal numbers of rows, at least as many as the executor wants where the rows allow it. */
export const lengthSlices = (rows: number, preferred: number): number => {
  let count = Math.max(1, Math.min(rows, Math.max(MOST_SLICES, preferred)))
  while (rows % count !== 0) count--
  return count
}

interface Size {
  readonly tokens: number
  readonly masks: number
}

/** Rows sorted by their tokens and cut into slices; within a slice in the order of the micro-batch. */
export const dealByLength = (sizes: readonly Size[], slices: number): readonly (readonly number[])[] => {
  const order = sizes.map((_, row) => row)
  order.sort((a, b) => sizes[a]!.tokens - sizes[b]!.tokens || sizes[a]!.masks - sizes[b]!.masks || a - b)
  const each = sizes.length / slices
  return Array.from({ length: slices }, (_, k) => order.slice(k * each, (k + 1) * each).sort((a, b) => a - b))
}

const roomFor = (sizes: readonly Size[], rows: readonly number[], endSlot: EndSlot): SliceRoom => ({
  width: Math.max(...rows.map((r) => slotCount(endSlot, sizes[r]!.tokens))),
  capacity: rows.reduce((sum, r) => sum + sizes[r]!.masks, 0),
})

/** Simulated micro-batches from which the usual programs are measured. */
const SIMULATIONS = 100

/** Numbers of tokens and MASKs of a micro-batch of rows like the corpus's. */
const simulatedSizes = (
  objective: FlexmdmObjective,
  { microBatch, length, endSlot, typical }: RowShape,
  index: number,
): readonly Size[] => {
  const source = stream(0, "time")
  const times = insertionTimes(objective, uniforms(source, [index], microBatch))
  const anchor = endSlot === "eos-anchor" ? 1 : 0
  return Array.from(times, (t, row) => {
    const content = typical?.[(index * microBatch + row) % typical.length] ?? { length, free: length }
    const { absent, masked } = stateShares(objective.schedules, t)
    const draws = uniforms(source, [index, row + 1], content.free)
    let [present, masks] = [content.length - content.free + anchor, 0]
    for (const u of draws) {
      if (u >= absent) present++
      if (u >= absent && u < absent + masked) masks++
    }
    return { tokens: present, masks }
  })
}

const roundUp = (n: number, to: number): number => Math.max(to, Math.ceil(n / to) * to)

const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))]!

const same = (a: readonly SliceRoom[], b: readonly SliceRoom[]): boolean =>
  a.every(({ width, capacity }, k) => width === b[k]!.width && capacity === b[k]!.capacity)

/**
 * Shares of the simulated micro-batches whose slice k a program serves; the last program serves all that there can be.
 */
const SERVED = [0.9, 1] as const

export const insertionLayout = (
  objective: FlexmdmObjective,
  shape: RowShape,
  preferred: StepLayout,
): Layout => {
  const { microBatch, length, endSlot = "extra", classes = 0 } = shape
  const slices = lengthSlices(microBatch, preferred.slices)
  const rows = microBatch / slices
  // One column more for the end slot, or for an anchor that the row lacks.
  const whole: SliceRoom = { width: length + 1, capacity: rows * length }
  const wholeProgram = Array.from({ length: slices }, () =>
    insertionFeedSpecs(objective.targets, rows, whole, classes),
  )
  if (shape.paddingSeen === true) return { slices, rows, programs: [wholeProgram] }
  const simulated = Array.from({ length: SIMULATIONS }, (_, index) => {
    const sizes = simulatedSizes(objective, shape, index)
    return dealByLength(sizes, slices).map((own) => roomFor(sizes, own, endSlot))
  })
  const usual = SERVED.map((share) =>
    Array.from({ length: slices }, (_, k): SliceRoom => {
      const of = (key: keyof SliceRoom): number =>
        quantile(
          simulated.map((rooms) => rooms[k]![key]),
          share,
        )
      return {
        width: Math.min(whole.width, roundUp(of("width"), 8)),
        capacity: Math.min(whole.capacity, roundUp(of("capacity"), 16)),
      }
    }),
  )
  const programs = [...usual, Array.from({ length: slices }, () => whole)]
  return {
    slices,
    rows,
    programs: programs
      .filter((rooms, i) => i === programs.length - 1 || !same(rooms, programs[i + 1]!))
      .map((rooms) => rooms.map((room) => insertionFeedSpecs(objective.targets, rows, room, classes))),
  }
}

/** What each slice of each program has room for. */
export const roomsOfSlices = ({ programs, slices }: Layout): readonly (readonly SliceRoom[])[] =>
  programs.map((program) =>
    sliceFeeds(program, slices).map((feeds) => {
      const shapeOf = (name: string): readonly number[] => feeds.find((feed) => feed.name === name)!.shape
      return { width: shapeOf("inputIds")[1]!, capacity: shapeOf("positions")[0]! }
    }),
  )

export const insertionFeeder = (
  objective: FlexmdmObjective,
  { tokenizer, seed, length, microBatch, accumulation, layout, endSlot = "extra", classes }: FeedJob,
): ((step: number, rows: Rows) => StepFeeds) => {
  const streams = corruptionStreams(seed)
  const rooms = roomsOfSlices(layout)
  const { slices } = layout
  const how = {
    targets: objective.targets,
    endSlot,
    padId: tokenizer.padId,
    classes: classes ?? tokenizer.vocabSize,
  }
  const microRows = (rows: Rows, micro: number): InsertionRows => {
    const [from, to] = [micro * microBatch, (micro + 1) * microBatch]
    return {
      tokens: rows.tokens.subarray(from * length, to * length),
      length,
      ...(rows.fixed === undefined ? {} : { fixed: rows.fixed.subarray(from * length, to * length) }),
      ...(rows.lengths === undefined ? {} : { lengths: rows.lengths.subarray(from, to) }),
    }
  }
  return (step, rows) => {
    const dealt = Array.from({ length: accumulation }, (_, micro) => {
      const states = insertionBatch(microRows(rows, micro), objective, tokenizer, endSlot, streams, {
        step,
        micro,
      })
      const sizes = states.map(({ tokens, masks }) => ({ tokens: tokens.length, masks: masks.length }))
      return dealByLength(sizes, slices).map((own, k) => ({
        k,
        rows: own.map((r) => micro * microBatch + r),
        states: own.map((r) => states[r]!),
        needed: roomFor(sizes, own, endSlot),
      }))
    }).flat()
    const program = rooms.findIndex((room) =>
      dealt.every(({ k, needed }) => room[k]!.width >= needed.width && room[k]!.capacity >= needed.capacity),
    )
    if (program === -1) throw new RangeError("a slice of a step exceeds every program")
    return {
      program,
      micro: dealt.map(({ k, states }) => insertionFeeds(states, rooms[program]![k]!, how)),
      rows: dealt.map(({ rows: own }) => own),
    }
  }
}
