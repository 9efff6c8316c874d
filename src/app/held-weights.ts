/** Weights that the executor holds, for programs that would have them as numbers of this process. */
import type { Executor, HostTensors } from "../engine/executor.js"
import { sizeOf } from "../engine/ir.js"
import type { Weights } from "../engine/weights.js"
import type { Network } from "../model/network.js"
import { trainable } from "../model/optimizer-state.js"

/** Frozen parameters up to this many bytes are copied here; beyond, the executor alone holds them. */
const COPIED_BYTES = 512 * 2 ** 20

/** Values that trained parameters begin with, where they are not drawn. */
export const begunValues = async (network: Network, weights: Weights | undefined): Promise<HostTensors> => {
  if (weights === undefined) return {}
  const held = new Set(weights.tensors.map(({ name }) => name))
  return weights.read(trainable(network.parameters).flatMap(({ name }) => (held.has(name) ? [name] : [])))
}

/** The trained parameters with the frozen ones, where these are small. */
export const heldParameters = async (
  network: Network,
  trained: HostTensors,
  weights: Weights | undefined,
): Promise<HostTensors> => {
  const frozen = network.parameters.filter((spec) => spec.frozen === true && trained[spec.name] === undefined)
  const bytes = frozen.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0)
  if (weights === undefined || bytes > COPIED_BYTES) return trained
  return { ...trained, ...(await weights.read(frozen.map(({ name }) => name))) }
}

/** The executor, whose evaluators take from `weights` what they are not given. */
export const lending = (executor: Executor, weights: Weights | undefined): Executor =>
  weights === undefined
    ? executor
    : {
        ...executor,
        evaluator: (graph, parameters, own) => executor.evaluator(graph, parameters, own ?? weights),
      }
