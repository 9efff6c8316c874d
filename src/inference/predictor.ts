/** Predictions at chosen positions of sequences that are partly masked. */
import { gatherFeeds } from "../diffusion/batch.js"
import type { Executor, HostTensors } from "../engine/executor.js"
import type { Network } from "../model/network.js"
import { compileForward } from "./forward.js"
import { defaultBatch } from "./batch.js"

/** One sequence and the positions to predict. */
export interface PredictRow {
  readonly inputIds: Int32Array
  readonly sigma: number
  readonly columns: readonly number[]
}

export interface Predictor {
  /** Sequences in one pass. */
  readonly batch: number
  readonly vocabSize: number
  /** For at most `batch` rows: natural log-probabilities [columns, vocabSize] of each. */
  readonly predict: (rows: readonly PredictRow[]) => Promise<readonly Float32Array[]>
  readonly forwards: () => number
  readonly dispose: () => Promise<void>
}

/** What a pass of `batch` sequences of `length` tokens is fed, and the positions of all columns within it. */
export const passFeeds = (rows: readonly PredictRow[], batch: number, length: number) => {
  const inputIds = new Int32Array(batch * length)
  const sigma = new Float32Array(batch)
  rows.forEach((row, r) => {
    inputIds.set(row.inputIds, r * length)
    sigma[r] = row.sigma
  })
  return {
    feeds: {
      inputIds: { shape: [batch, length], data: inputIds },
      sigma: { shape: [batch], data: sigma },
    },
    positions: Int32Array.from(rows.flatMap(({ columns }, r) => columns.map((c) => r * length + c))),
  }
}

/** @param options.capacity columns predicted in one pass; every position when absent */
export const makePredictor = async (
  executor: Executor,
  network: Network,
  parameters: HostTensors,
  options: {
    readonly length: number
    readonly batch?: number | undefined
    readonly capacity?: number | undefined
  },
): Promise<Predictor> => {
  const { length } = options
  const { vocabSize } = network
  const batch = options.batch ?? defaultBatch(length)
  const everywhere = network.scored === "all"
  const capacity = everywhere ? batch * length : (options.capacity ?? batch * length)
  const evaluator = await compileForward(executor, network, parameters, "logProbs", {
    rows: batch,
    length,
    capacity,
  })
  let forwards = 0
  return {
    batch,
    vocabSize,
    predict: async (rows) => {
      const { feeds, positions } = passFeeds(rows, batch, length)
      const { logProbs } = await evaluator.run({
        ...feeds,
        ...(everywhere ? {} : gatherFeeds(positions, capacity, batch * length)),
      })
      forwards += rows.length
      const all = logProbs!.data as Float32Array
      if (everywhere) return split(positions, rows, vocabSize, all)
      let from = 0
      return rows.map(({ columns }) => {
        const start = from
        from += columns.length * vocabSize
        return all.subarray(start, from)
      })
    },
    forwards: () => forwards,
    dispose: () => evaluator.dispose(),
  }
}

/** The asked-for columns of predictions at every position. */
const split = (
  positions: Int32Array,
  rows: readonly PredictRow[],
  vocabSize: number,
  all: Float32Array,
): readonly Float32Array[] => {
  let next = 0
  return rows.map(({ columns }) => {
    const out = new Float32Array(columns.length * vocabSize)
    for (let i = 0; i < columns.length; i++) {
      const from = positions[next++]! * vocabSize
      out.set(all.subarray(from, from + vocabSize), i * vocabSize)
    }
    return out
  })
}
