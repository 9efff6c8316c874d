/** FlexMDM at the shapes that are measured, and what both sides of a measurement start from. */
import { mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { corruptionStreams } from "../../src/diffusion/batch.js"
import { insertionBatch, type InsertionRows } from "../../src/diffusion/insertion/batch.js"
import { integersBelow, stream } from "../../src/diffusion/philox.js"
import { insertionFeeds } from "../../src/diffusion/insertion/feeds.js"
import type { FlexmdmModel, FlexmdmObjective } from "../../src/families/flexmdm/schema.js"
import { networkOf } from "../../src/families/traced.js"
import { writeSafetensors, type TensorData } from "../../src/files/safetensors.js"
import { initialise } from "../../src/model/parameters.js"
import type { Experiment } from "../../src/spec/experiment.js"
import { loadSpec } from "../../src/spec/spec-file.js"
import { shaken } from "../bundle/masked.js"

export interface InsertionShape {
  readonly name: string
  readonly layers: number
  readonly width: number
  readonly heads: number
  /** Positions of a row, the EOS anchor included. */
  readonly canvas: number
  readonly rows: number
}

export const SMALL: InsertionShape = { name: "small", layers: 4, width: 256, heads: 4, canvas: 256, rows: 8 }
export const OWT: InsertionShape = { name: "OWT", layers: 12, width: 768, heads: 12, canvas: 1024, rows: 2 }
/** A smoke test of the bench itself. */
export const TINY: InsertionShape = { name: "tiny", layers: 1, width: 32, heads: 2, canvas: 32, rows: 4 }
export const SHAPES: readonly InsertionShape[] = [SMALL, OWT, TINY]

const SPEC = fileURLToPath(new URL("../../specs/flexmdm_owt.json", import.meta.url))

/** xlm-core's experiment on OpenWebText at another shape, without dropout and with one group of parameters. */
export const insertionExperiment = async (shape: InsertionShape): Promise<Experiment> => {
  const { layers, width, heads, canvas, rows } = shape
  const { experiment: spec } = await loadSpec(SPEC, "paper")
  const { dropout: _, ...model } = spec.model as FlexmdmModel
  const { groups: __, ...optimizer } = spec.training.optimizer as typeof spec.training.optimizer & {
    readonly groups?: unknown
  }
  return {
    ...spec,
    data: { ...spec.data, batching: { ...spec.data.batching, length: canvas } },
    model: { ...model, layers, width, heads, gapHead: { scale: canvas + 4 } } as FlexmdmModel,
    training: { ...spec.training, optimizer, microBatch: rows, accumulation: 1, seed: 3 },
  } as Experiment
}

/** Documents that fill the canvas, the least favourable to rows of their own length; the last token is the anchor. */
export const insertionRows = (
  { canvas, rows }: InsertionShape,
  { data: { tokenizer } }: Experiment,
  step: number,
): InsertionRows & { readonly lengths: Int32Array; readonly fixed: Uint8Array } => {
  const tokens = Int32Array.from(
    integersBelow(stream(1, "sample"), [step], tokenizer.vocabSize - 1, rows * canvas),
  )
  const fixed = new Uint8Array(rows * canvas)
  for (let r = 1; r <= rows; r++) {
    tokens[r * canvas - 1] = tokenizer.boundaryId
    fixed[r * canvas - 1] = 1
  }
  return { tokens, length: canvas, lengths: new Int32Array(rows).fill(canvas), fixed }
}

const DTYPES = { f32: "F32", i32: "I32" } as const
const stored = (
  tensors: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: unknown }>>,
) =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]) => [
      name,
      { dtype: DTYPES[data instanceof Int32Array ? "i32" : "f32"], shape, data: data as TensorData },
    ]),
  )

export interface InsertionJob {
  readonly folder: string
  readonly parameters: string
  /** The batch of the first step, every row on the whole canvas. */
  readonly feeds: string
}

/** Parameters, none of them zero, and the states of the first step, as files. */
export const writeInsertionJob = async (shape: InsertionShape): Promise<InsertionJob> => {
  const experiment = await insertionExperiment(shape)
  const folder = await mkdtemp(join(tmpdir(), "repro-bench-"))
  const [parameters, feeds] = ["parameters", "feeds"].map((name) => join(folder, `${name}.safetensors`)) as [
    string,
    string,
  ]
  const states = insertionBatch(
    insertionRows(shape, experiment, 0),
    experiment.objective as FlexmdmObjective,
    experiment.data.tokenizer,
    "eos-anchor",
    corruptionStreams(experiment.training.seed),
    { step: 0, micro: 0 },
  )
  const capacity = states.reduce((sum, { masks }) => sum + masks.length, 0)
  const { padId, vocabSize } = experiment.data.tokenizer
  await writeSafetensors(parameters, stored(initialise(shaken(networkOf(experiment).parameters), 42)))
  await writeSafetensors(
    feeds,
    stored(
      insertionFeeds(
        states,
        { width: shape.canvas, capacity },
        { targets: "hidden", endSlot: "eos-anchor", padId, classes: vocabSize },
      ),
    ),
  )
  return { folder, parameters, feeds }
}
