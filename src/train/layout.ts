/** How a job's step is cut for an executor: slices of a micro-batch, and room for positions under the loss. */
import type { CorruptedBatch } from "../diffusion/batch.js"
import { sliceCount } from "../diffusion/slices.js"
import type { StepLayout } from "../engine/executor.js"
import type { Experiment } from "../spec/experiment.js"
import { capacities } from "./capacity.js"

export interface Layout {
  /** Slices of each micro-batch; each has `rows` rows. */
  readonly slices: number
  readonly rows: number
  /** Room of each program for masked positions of a slice, ascending; empty for next-token training. */
  readonly capacities: readonly number[]
}

export const layoutFor = (
  { objective, training, data }: Pick<Experiment, "objective" | "training" | "data">,
  preferred: StepLayout,
): Layout => {
  const slices = sliceCount(training.microBatch, preferred.slices)
  return {
    slices,
    rows: training.microBatch / slices,
    capacities:
      objective.kind === "masked-diffusion"
        ? capacities(objective, training.microBatch, data.batching.length, { ...preferred, slices })
        : [],
  }
}

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
