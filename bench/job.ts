/** The same parameters, masked batch and evaluation noise for both sides, as safetensors files. */
import { mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { writeSafetensors } from "../src/files/safetensors.js"
import { corruptBatch, corruptionStreams } from "../src/diffusion/batch.js"
import { integersBelow, stream, uniforms32 } from "../src/diffusion/philox.js"
import { alpha } from "../src/diffusion/schedule.js"
import { networkOf } from "../src/families/traced.js"
import { initialise } from "../src/model/parameters.js"
import type { MaskedDiffusionObjective } from "../src/spec/objective.js"
import { capacities } from "../src/families/mdlm/capacity.js"
import { benchExperiment, type Shape } from "./shapes.js"

export interface Job {
  readonly shape: Shape
  readonly folder: string
  readonly parameters: string
  readonly batch: string
  /** `uniforms` [1, parityElboSteps, length]: the noise of our evaluation stream, for one window. */
  readonly uniforms: string
  /** Masked positions that our program has room for. */
  readonly capacity: number
  readonly masked: number
}

/** Steps of the bound that both sides compute with the same masks. */
export const PARITY_ELBO_STEPS = 16

/** Seed of our evaluation stream. */
export const ELBO_SEED = 1

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
  const [parameters, batch, uniforms] = ["parameters", "batch", "uniforms"].map((name) =>
    join(folder, `${name}.safetensors`),
  ) as [string, string, string]
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
  const noise = new Float64Array(PARITY_ELBO_STEPS * length)
  for (let k = 1; k <= PARITY_ELBO_STEPS; k++)
    noise.set(uniforms32(stream(ELBO_SEED, "eval-mask"), [0, k, 0], length), (k - 1) * length)
  await writeSafetensors(uniforms, {
    uniforms: { dtype: "F64", shape: [1, PARITY_ELBO_STEPS, length], data: noise },
  })
  const capacity = capacities(objective, rows, length).find((room) => room >= corrupted.positions.length)!
  return { shape, folder, parameters, batch, uniforms, capacity, masked: corrupted.positions.length }
}
