/**
 * Evidence of the confidence order: at each step the masked position whose most probable token has the highest
 * probability is revealed. A lead of at most TIE_NATS is a tie, and of the positions that are in it the leftmost is
 * revealed: in a wholly masked window every position has the same logits, and an executor's rounding must not choose.
 *
 * The order depends on predictions alone, never on the true token at a masked position, so a receiver with the same
 * network repeats it. Steps of one window follow each other; windows run side by side.
 */
import type { Executor, HostTensors } from "../engine/executor.js"
import { gatherFeeds } from "../diffusion/batch.js"
import type { Network } from "../model/network.js"
import { compileForward } from "../inference/forward.js"
import { maskableOf, sigmaOfMasked, windowRow, type MaskedOptions } from "../inference/masking.js"
import type { OrderEvidence } from "./orders.js"
import { defaultBatch } from "../inference/scorer.js"
import type { ScoredWindows } from "../inference/windows.js"

/**
 * Leads in log-probability, nats, up to this one are ties. Executors round log-probabilities of about ten nats to some
 * 1e-6 in fp32, a hundredth of it; a lead so small says nothing about which position is the easier one.
 */
export const TIE_NATS = 1e-4

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
      const inputIds = new Int32Array(batch * length)
      const sigma = new Float32Array(batch)
      rows.forEach((row, r) => {
        inputIds.set(row.inputIds, r * length)
        sigma[r] = row.sigma
      })
      const positions = Int32Array.from(rows.flatMap(({ columns }, r) => columns.map((c) => r * length + c)))
      const { logProbs } = await evaluator.run({
        inputIds: { shape: [batch, length], data: inputIds },
        sigma: { shape: [batch], data: sigma },
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

/**
 * The first row whose largest entry is within a tie of the largest of all, and the lead of the largest over the best of
 * the other rows (infinite for one row).
 */
export const mostConfident = (
  logProbs: Float32Array,
  rows: number,
  vocabSize: number,
): { readonly row: number; readonly margin: number } => {
  const tops = Float64Array.from({ length: rows }, (_, r) => {
    let top = Number.NEGATIVE_INFINITY
    for (let v = r * vocabSize; v < (r + 1) * vocabSize; v++) top = Math.max(top, logProbs[v]!)
    return top
  })
  let [best, second] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const top of tops) {
    if (top > best) [second, best] = [best, top]
    else second = Math.max(second, top)
  }
  return {
    row: Math.max(
      0,
      tops.findIndex((top) => best - top <= TIE_NATS),
    ),
    margin: best - second,
  }
}

export const measureConfidence = async (
  predictor: Predictor,
  windows: ScoredWindows,
  { schedule, rule, onProgress }: MaskedOptions,
): Promise<OrderEvidence> => {
  const { count, length } = windows
  const { batch, vocabSize } = predictor
  const positions = maskableOf(windows, rule)
  const rank = new Int32Array(count * length).fill(-1)
  const nats = new Float64Array(count * length)
  const margin = new Float64Array(count * length)
  const before = predictor.forwards()
  for (let first = 0; first < count; first += batch) {
    const group = positions.slice(first, first + batch).map((columns, i) => {
      const tokens = windowRow(windows, first + i)
      const inputIds = tokens.slice()
      for (const column of columns) inputIds[column] = rule.maskId
      return { w: first + i, tokens, inputIds, masked: [...columns], maskable: columns.length }
    })
    for (let step = 0; ; step++) {
      const open = group.filter(({ masked }) => masked.length > 0)
      if (open.length === 0) break
      const predicted = await predictor.predict(
        open.map(({ inputIds, masked, maskable }) => ({
          inputIds,
          sigma: sigmaOfMasked(schedule, masked.length, maskable),
          columns: masked,
        })),
      )
      open.forEach(({ w, tokens, inputIds, masked }, i) => {
        const { row: chosen, margin: lead } = mostConfident(predicted[i]!, masked.length, vocabSize)
        const column = masked[chosen]!
        const token = tokens[column]!
        rank[w * length + column] = step
        margin[w * length + column] = lead
        nats[w * length + column] = -predicted[i]![chosen * vocabSize + token]!
        inputIds[column] = token
        masked.splice(chosen, 1)
      })
      onProgress?.(predictor.forwards() - before)
    }
  }
  return { windows, rank, nats, margin, forwards: predictor.forwards() - before }
}
