/** The same parameters and the same masked batch for both sides, as safetensors files. */
import { mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { writeSafetensors } from "../src/data/safetensors.js"
import { corruptBatch, corruptionStreams } from "../src/diffusion/batch.js"
import { integersBelow, stream } from "../src/diffusion/philox.js"
import { alpha } from "../src/diffusion/schedule.js"
import { networkOf } from "../src/model/network.js"
import { initialise } from "../src/model/parameters.js"
import type { MaskedDiffusionObjective } from "../src/spec/objective.js"
import { capacities } from "../src/train/capacity.js"
import { benchExperiment, type Shape } from "./shapes.js"

export interface Job {
  readonly shape: Shape
  readonly folder: string
  readonly parameters: string
  readonly batch: string
  /** Masked positions that our program has room for. */
  readonly capacity: number
  readonly masked: number
}

/** Random token ids with a boundary about every 300, masked by the published rule at step 0. */
export const makeJob = async (shape: Shape): Promise<Job> => {
  const experiment = benchExperiment(shape)
  const objective = experiment.objective as MaskedDiffusionObjective
  const { batch: rows, length } = shape
  const tokens = Int32Array.from(integersBelow(stream(1, "sample"), [], 1020, rows * length), (n, i) =>
    i % 300 === 0 ? 1 : n + 4,
  )
  const corrupted = corruptBatch(tokens, length, objective, experiment.data.tokenizer, corruptionStreams(3), {
    step: 0,
    micro: 0,
  })
  const folder = await mkdtemp(join(tmpdir(), "repro-bench-"))
  const parameters = join(folder, "parameters.safetensors")
  const batch = join(folder, "batch.safetensors")
  await writeSafetensors(
    parameters,
    Object.fromEntries(
      Object.entries(initialise(networkOf(experiment).parameters, 42)).map(([name, t]) => [
        name,
        { dtype: "F32", shape: t.shape, data: t.data } as const,
      ]),
    ),
  )
  const alphas = Float32Array.from(corrupted.times, (t) => alpha(objective.schedule, t))
  await writeSafetensors(batch, {
    tokens: { dtype: "I32", shape: [rows, length], data: tokens },
    ids: { dtype: "I32", shape: [rows, length], data: corrupted.inputIds },
    alpha: { dtype: "F32", shape: [rows], data: alphas },
    positions: { dtype: "I32", shape: [corrupted.positions.length], data: corrupted.positions },
    targets: { dtype: "I32", shape: [corrupted.targets.length], data: corrupted.targets },
    weights: { dtype: "F32", shape: [corrupted.weights.length], data: Float32Array.from(corrupted.weights) },
  })
  const capacity = capacities(objective, rows, length).find((room) => room >= corrupted.positions.length)!
  return { shape, folder, parameters, batch, capacity, masked: corrupted.positions.length }
}
