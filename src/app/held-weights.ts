/** Weights that the executor holds, so that numbers which fill an accelerator never pass through this process. */
import { totalmem } from "node:os"
import type { Choice } from "../engine/choose.js"
import type { Executor, HostTensors } from "../engine/executor.js"
import type { Weights, WeightSource } from "../engine/weights.js"
import type { Network } from "../model/network.js"
import { trainable } from "../model/optimizer-state.js"
import { explainMemory } from "../plan/fit.js"
import type { Experiment } from "../spec/experiment.js"

interface Place {
  readonly experiment: Experiment
  readonly executor: Executor
  readonly choice: Choice
}

/** What `work` gives; a failure for want of memory says what the plan estimates and which setting fits. */
export const withMemory = <T>({ experiment, executor, choice }: Place, work: () => Promise<T>): Promise<T> =>
  work().catch((error: unknown) => {
    const { device } = choice.options
    throw explainMemory(error, experiment, { executor: executor.name, device, machineBytes: totalmem() })
  })

/** The weights of a source, read by the executor; undefined where there is none. */
export const heldWeights = async (
  place: Place,
  source: WeightSource | undefined,
): Promise<Weights | undefined> =>
  source === undefined ? undefined : withMemory(place, () => place.executor.weights(source))

/** Values that trained parameters begin with, where they are not drawn. */
export const begunValues = async (network: Network, weights: Weights | undefined): Promise<HostTensors> => {
  if (weights === undefined) return {}
  const held = new Set(weights.tensors.map(({ name }) => name))
  return weights.read(trainable(network.parameters).flatMap(({ name }) => (held.has(name) ? [name] : [])))
}

/** The executor, whose evaluators, and the weights that it makes of values, take from `weights` what they are not given. */
export const lending = (executor: Executor, weights: Weights | undefined): Executor => {
  if (weights === undefined) return executor
  const held = new Set(weights.tensors.map(({ name }) => name))
  return {
    ...executor,
    evaluator: (graph, parameters, own) => executor.evaluator(graph, parameters, own ?? weights),
    weights: (source) =>
      executor.weights(
        source.kind === "values"
          ? {
              ...source,
              tensors: source.tensors.filter(
                ({ name }) => source.values[name] !== undefined || !held.has(name),
              ),
              over: source.over ?? weights,
            }
          : source,
      ),
  }
}
