/** LLaDA with adapters at a shape that a CPU steps through in a second, and what both sides start from. */
import { mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { integersBelow, stream } from "../../src/diffusion/philox.js"
import { maskedRows } from "../../src/families/llada/feeds.js"
import type { LladaModel, LladaObjective } from "../../src/families/llada/schema.js"
import type { Rows } from "../../src/families/part.js"
import { networkOf } from "../../src/families/traced.js"
import { writeSafetensors } from "../../src/files/safetensors.js"
import { initialise } from "../../src/model/parameters.js"
import type { Experiment } from "../../src/spec/experiment.js"
import { loadSpec } from "../../src/spec/spec-file.js"
import { shaken } from "../bundle/masked.js"

export interface LladaShape {
  readonly name: string
  readonly layers: number
  readonly width: number
  readonly heads: number
  readonly mlpWidth: number
  readonly classes: number
  readonly rank: number
  /** Positions of a row; the first quarter is a prompt. */
  readonly length: number
  readonly rows: number
}

/** The head is as large a part of a pass as in LLaDA-8B, about a fourteenth. */
export const LLADA_SMALL: LladaShape = {
  name: "small",
  layers: 4,
  width: 256,
  heads: 4,
  mlpWidth: 768,
  classes: 1024,
  rank: 32,
  length: 128,
  rows: 8,
}
/** The laptop profile of `specs/llada_8b_math.json`: so little arithmetic that what surrounds it counts. */
export const LLADA_LAPTOP: LladaShape = {
  name: "laptop",
  layers: 3,
  width: 64,
  heads: 4,
  mlpWidth: 192,
  classes: 57,
  rank: 32,
  length: 24,
  rows: 32,
}
export const LLADA_SHAPES: readonly LladaShape[] = [LLADA_LAPTOP, LLADA_SMALL]

/** A smoke test of the bench itself. */
export const LLADA_TINY: LladaShape = {
  ...LLADA_SMALL,
  name: "tiny",
  layers: 1,
  width: 32,
  heads: 2,
  mlpWidth: 96,
  classes: 64,
  rank: 4,
  length: 16,
  rows: 2,
}

const SPEC = fileURLToPath(new URL("../../specs/llada_8b_math.json", import.meta.url))

/** LLaDA's tuning for GSM8K at another shape, without dropout. */
export const lladaExperiment = async (shape: LladaShape): Promise<Experiment> => {
  const { layers, width, heads, mlpWidth, classes, rank, length, rows } = shape
  const { experiment: spec } = await loadSpec(SPEC, "paper")
  const boundaryId = classes - 2
  return {
    ...spec,
    data: {
      ...spec.data,
      tokenizer: {
        ...spec.data.tokenizer,
        vocabSize: classes,
        boundaryId,
        padId: boundaryId,
        maskId: classes - 1,
      },
      batching: { ...spec.data.batching, length },
    },
    model: {
      ...(spec.model as LladaModel),
      layers,
      width,
      heads,
      mlpWidth,
      tableRows: classes,
      lora: { rank, alpha: rank },
    } as LladaModel,
    objective: { ...(spec.objective as LladaObjective), divisor: "canvas" },
    training: { ...spec.training, microBatch: rows, accumulation: 1, seed: 3 },
  } as Experiment
}

/** Rows without padding, the least favourable to what leaves padding out. */
export const lladaRows = ({ length, rows, classes }: LladaShape, step: number): Rows => ({
  tokens: Int32Array.from(integersBelow(stream(1, "sample"), [step], classes - 2, rows * length)),
  length,
  lengths: new Int32Array(rows).fill(length),
  fixed: Uint8Array.from({ length: rows * length }, (_, i) => (i % length < length / 4 ? 1 : 0)),
})

/** Prompts of a quarter of a row. */
export const lladaPrompts = ({ length, classes }: LladaShape, texts: number) =>
  Array.from({ length: texts }, (_, index) => ({
    index,
    tokens: Array.from(integersBelow(stream(2, "sample"), [index], classes - 2, length / 4)),
  }))

/** To the nearest bfloat16, as frozen weights are kept. */
const rounded = (values: Float32Array): Float32Array => {
  const bits = new Uint32Array(values.slice().buffer)
  for (let i = 0; i < bits.length; i++)
    bits[i] = ((bits[i]! + 0x7fff + ((bits[i]! >>> 16) & 1)) & 0xffff0000) >>> 0
  return new Float32Array(bits.buffer)
}

export interface LladaJob {
  readonly folder: string
  readonly parameters: string
  /** The batch of the first step. */
  readonly feeds: string
}

const integers = (shape: readonly number[], data: Int32Array) => ({ dtype: "I32", shape, data }) as const

/** Parameters, none of them zero, and the rows of the first step, as files. */
export const writeLladaJob = async (shape: LladaShape): Promise<LladaJob> => {
  const experiment = await lladaExperiment(shape)
  const folder = await mkdtemp(join(tmpdir(), "repro-bench-"))
  const parameters = join(folder, "parameters.safetensors")
  const feeds = join(folder, "feeds.safetensors")
  const specs = networkOf(experiment).parameters
  const frozen = new Set(specs.flatMap(({ name, frozen: own }) => (own === true ? [name] : [])))
  const values = initialise(
    shaken(specs.map(({ name, shape: own, init, group }) => ({ name, shape: own, init, group }))),
    42,
  )
  await writeSafetensors(
    parameters,
    Object.fromEntries(
      Object.entries(values).map(([name, { shape: own, data }]) => [
        name,
        {
          dtype: "F32",
          shape: own,
          data: frozen.has(name) ? rounded(data as Float32Array) : (data as Float32Array),
        },
      ]),
    ),
  )
  const rows = lladaRows(shape, 0)
  const { inputIds, positions, targets, weights } = maskedRows(
    rows,
    experiment.objective as LladaObjective,
    experiment.data.tokenizer,
    { seed: experiment.training.seed, step: 0, micro: 0 },
  )
  await writeSafetensors(feeds, {
    inputIds: integers([shape.rows, shape.length], Int32Array.from(inputIds)),
    positions: integers([positions.length], positions),
    targets: integers([positions.length], Int32Array.from(targets)),
    weights: { dtype: "F32", shape: [positions.length], data: Float32Array.from(weights) },
  })
  return { folder, parameters, feeds }
}
