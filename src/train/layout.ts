/** How a job's step is cut for an executor, as the objective lays it out. */
import type { StepLayout } from "../diffusion/step-layout.js"
import { networkPart, objectivePart } from "../families/index.js"
import type { Layout } from "../families/part.js"
import type { Experiment } from "../spec/experiment.js"

/** The objective's layout with the feeds that the network takes. */
export const layoutFor = (
  { model, objective, training, data }: Pick<Experiment, "model" | "objective" | "training" | "data">,
  preferred: StepLayout,
): Layout => {
  const shape = { microBatch: training.microBatch, length: data.batching.length }
  const layout = objectivePart(objective).layout(objective, shape, preferred)
  const taken = networkPart(model).takes(model)
  return {
    ...layout,
    programs: layout.programs.map((feeds) =>
      feeds.filter(({ name, optional }) => optional !== true || taken.includes(name)),
    ),
  }
}
