/** A tiny FlexMDM experiment on toy rows, for tests of its training. */
import type { FlexmdmModel, FlexmdmObjective } from "../../../src/families/flexmdm/schema.js"
import type { Experiment } from "../../../src/spec/experiment.js"
import { tinyExperiment } from "../../train/tiny.js"

export const VOCABULARY = 8
export const TOKENIZER = {
  id: "toy",
  model: "embedded",
  vocabSize: VOCABULARY,
  boundaryId: 0,
  maskId: VOCABULARY,
  padId: VOCABULARY + 1,
} as const

export const tinyFlexmdm = (
  over: {
    readonly model?: Partial<FlexmdmModel>
    readonly objective?: Partial<FlexmdmObjective>
    readonly training?: Partial<Experiment["training"]>
    readonly length?: number
  } = {},
): Experiment => {
  const base = tinyExperiment({
    training: {
      microBatch: 8,
      accumulation: 1,
      optimizer: { kind: "adamw", learningRate: 3e-3, betas: [0.9, 0.99], eps: 1e-8, weightDecay: 0 },
      schedule: { kind: "cosine", warmup: 20, warmupFrom: 0, cycles: 1, cycle: "fall", floor: 0 },
      ...over.training,
    },
  })
  return {
    ...base,
    system: "flexmdm",
    data: {
      ...base.data,
      tokenizer: TOKENIZER,
      batching: { ...base.data.batching, length: over.length ?? 12 },
    },
    model: {
      kind: "flexmdm",
      layers: 2,
      width: 16,
      heads: 2,
      mlpRatio: 2,
      activation: "gelu-tanh",
      residual: "block-input",
      endSlot: "extra",
      conditioning: { frequencies: 8, width: 8 },
      timeInput: "time",
      headBias: true,
      gapHead: { scale: 12 },
      ropeBase: 10000,
      tableRows: VOCABULARY + 2,
      embeddingInit: "uniform",
      ...over.model,
    },
    objective: {
      kind: "flexmdm",
      schedules: { insertion: { kind: "linear" }, unmasking: { kind: "linear" } },
      times: "stratified",
      timeMin: 0,
      timeMax: 0.999999,
      targets: "hidden",
      weight: "hazard",
      divisor: "canvas",
      fixed: "none",
      ...over.objective,
    },
  } as Experiment
}

/** Rows of these tokens, filled up with PAD. */
export const paddedRows = (rows: readonly (readonly number[])[], length: number): Int32Array => {
  const tokens = new Int32Array(rows.length * length).fill(TOKENIZER.padId)
  rows.forEach((row, r) => tokens.set(row, r * length))
  return tokens
}
