/** Memory of one accelerator in training, where a network says what it keeps there; nothing is measured here. */
import { networkPart } from "../families/index.js"
import { averageSpecs, momentSpecs, trainable } from "../model/optimizer-state.js"
import { countParameters } from "../model/parameters.js"
import type { Experiment } from "../spec/experiment.js"

/** Memory of common accelerators. */
export const ACCELERATORS = [
  { name: "A10G 24 GB", bytes: 22 * 2 ** 30 },
  { name: "A100 40 GB", bytes: 39 * 2 ** 30 },
  { name: "H100 80 GB", bytes: 79 * 2 ** 30 },
  { name: "H200 141 GB", bytes: 140 * 2 ** 30 },
] as const

/** Context, allocator and kernels. */
const RESERVED_BYTES = 2 * 2 ** 30

/** Bytes of one process with an accelerator of its own. */
export interface AcceleratorEstimate {
  readonly frozen: number
  /** Weights in fp32, gradients, moments and average. */
  readonly trained: number
  readonly activations: number
  readonly total: number
  /** Names of those that hold it. */
  readonly fits: readonly string[]
  /** Accelerators that share the micro-batches of a step at most. */
  readonly most: number
}

export const acceleratorEstimate = ({
  model,
  data,
  training,
}: Pick<Experiment, "model" | "data" | "training">): AcceleratorEstimate | undefined => {
  const part = networkPart(model)
  const activations = part.acceleratorBytes?.(
    model,
    data.tokenizer.vocabSize,
    training.microBatch,
    data.batching.length,
  )
  if (activations === undefined) return undefined
  const specs = part.parameters(model, data.tokenizer.vocabSize)
  const changed = trainable(specs)
  const frozen = 2 * countParameters(specs.filter((spec) => spec.frozen === true))
  const trained =
    8 * countParameters(changed) +
    4 * countParameters(momentSpecs(specs, training)) +
    4 * countParameters(averageSpecs(specs, training))
  const total = frozen + trained + activations + RESERVED_BYTES
  return {
    frozen,
    trained,
    activations,
    total,
    fits: ACCELERATORS.flatMap(({ name, bytes }) => (bytes >= total ? [name] : [])),
    most: training.accumulation,
  }
}
