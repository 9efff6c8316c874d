/**
 * The masks of dropout, as feeds that whoever computes draws (docs/adr/0007-dropout.md): a function of (seed, step, row of
 * the step, place), so that neither slices, nor their widths, nor the executor change what is dropped.
 */
import { stream } from "../diffusion/philox.js"
import type { DrawnTensor } from "../engine/draw.js"
import type { Feeds } from "../engine/executor.js"
import { networkPart } from "../families/index.js"
import {
  maskName,
  sliceFeeds,
  type DropoutUse,
  type FeedSpec,
  type Layout,
  type StepFeeds,
} from "../families/part.js"
import type { Experiment } from "../spec/experiment.js"

/** The feeds of the masks of a slice: bool [rows * length, width] for each place. */
export const dropoutSpecs = (
  use: DropoutUse | undefined,
  feeds: readonly FeedSpec[],
): readonly FeedSpec[] => {
  if (use === undefined) return []
  const [rows, length] = feeds.find(({ name }) => name === "inputIds")!.shape as [number, number]
  return use.places.map((place) => ({
    name: maskName(place),
    dtype: "bool",
    shape: [rows * length, use.width],
  }))
}

export interface FedStep {
  readonly micro: readonly Feeds[]
  readonly program: number
}

/**
 * Adds the masks to the feeds of a step, where the network has dropout.
 * @throws RangeError where the objective does not say which rows its slices hold
 */
export const dropoutMasks = (
  { model, training }: Pick<Experiment, "model" | "training">,
  layout: Layout,
): ((step: number, feeds: StepFeeds) => FedStep) => {
  const use = networkPart(model).dropout?.(model)
  if (use === undefined) return (_step, feeds) => feeds
  const { key0, key1 } = stream(training.seed, "dropout")
  const places = new Map(use.places.map((place, index) => [maskName(place), index]))
  return (step, { micro, program, rows }) => {
    if (rows === undefined) throw new RangeError("the objective does not say which rows a slice holds")
    const slices = sliceFeeds(layout.programs[program]!, layout.slices)
    return {
      program,
      micro: micro.map((feeds, i) => {
        const masks: Record<string, DrawnTensor> = {}
        for (const { name, shape } of slices[i % layout.slices]!) {
          const place = places.get(name)
          if (place === undefined) continue
          const sites = rows[i]!.map((row) => [step, row, place] as const)
          masks[name] = {
            shape,
            draw: { kind: "bernoulli-parts", key: [key0, key1], sites, probability: 1 - use.rate },
          }
        }
        return { ...feeds, ...masks }
      }),
    }
  }
}
