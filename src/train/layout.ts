/** How a job's step is cut for an executor, as the objective lays it out. */
import type { StepLayout } from "../diffusion/step-layout.js"
import { contentLength } from "../diffusion/insertion/interpolant.js"
import { networkPart, objectivePart } from "../families/index.js"
import { sliceFeeds, type FeedSpec, type Layout, type RowContent, type RowShape } from "../families/part.js"
import type { Experiment } from "../spec/experiment.js"
import { dropoutSpecs } from "./dropout.js"
import type { RowSource } from "../data/rows/row-source.js"

/** The objective's layout with the feeds that the network takes. */
export const layoutFor = (
  { model, objective, training, data }: Pick<Experiment, "model" | "objective" | "training" | "data">,
  preferred: StepLayout,
  typical?: readonly RowContent[],
): Layout => {
  const layout = objectivePart(objective).layout(
    objective,
    shapeFor({ model, training, data }, typical),
    preferred,
  )
  const part = networkPart(model)
  const taken = part.takes(model)
  const kept = (feeds: readonly FeedSpec[]): readonly FeedSpec[] => [
    ...feeds.filter(({ name, optional }) => optional !== true || taken.includes(name)),
    ...dropoutSpecs(part.dropout?.(model), feeds),
  ]
  return {
    ...layout,
    programs: layout.programs.map((program) => {
      const slices = sliceFeeds(program, layout.slices)
      const alike = slices.every((feeds) => feeds === slices[0])
      return alike ? kept(slices[0]!) : slices.map(kept)
    }),
  }
}

/** What an objective is told of a micro-batch. */
export const shapeFor = (
  { model, training, data }: Pick<Experiment, "model" | "training" | "data">,
  typical?: readonly RowContent[],
): RowShape => {
  const part = networkPart(model)
  const endSlot = part.endSlot?.(model)
  const { vocabSize } = data.tokenizer
  return {
    microBatch: training.microBatch,
    length: data.batching.length,
    classes: part.classes?.(model, vocabSize) ?? vocabSize,
    ...(endSlot === undefined ? {} : { endSlot }),
    ...(part.padding?.(model) === "seen" ? { paddingSeen: true } : {}),
    ...(typical === undefined ? {} : { typical }),
  }
}

/** Steps whose rows say what rows of the corpus hold. */
const SAMPLED_STEPS = 8

/** What the rows of the first steps hold. */
export const typicalRows = async (
  { rows }: RowSource,
  { training, data }: Pick<Experiment, "training" | "data">,
): Promise<readonly RowContent[]> => {
  const contents: RowContent[] = []
  for (let step = 0; step < Math.min(SAMPLED_STEPS, training.stepsPerGroup); step++) {
    const count = training.microBatch * training.accumulation
    const { tokens, length, fixed, lengths } = await rows(step, count)
    for (let r = 0; r < count; r++) {
      const content =
        lengths?.[r] ?? contentLength(tokens.subarray(r * length, (r + 1) * length), data.tokenizer.padId)
      const given = fixed?.subarray(r * length, r * length + content).reduce((n, f) => n + f, 0) ?? 0
      contents.push({ length: content, free: content - given })
    }
  }
  return contents
}
