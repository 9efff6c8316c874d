/**
 * Scores masked sequences: cross-entropy in nats of chosen positions given the rest. Every evaluation of a
 * masked model goes through here; batches are packed so that head and cross-entropy run at scored positions only.
 */
import type { Executor, HostTensors } from "../engine/executor.js"
import { gatherFeeds } from "../diffusion/batch.js"
import type { Network } from "../model/network.js"
import { compileForward } from "./forward.js"
import { packRows } from "./packing.js"
import { defaultBatch } from "./batch.js"

/** One sequence with the positions to score. */
export interface ScoreRow {
  /** [length], masked positions hold MASK. */
  readonly inputIds: Int32Array
  readonly sigma: number
  /** Columns to score, ascending, and the true token at each. */
  readonly columns: Int32Array
  readonly targets: Int32Array
}

export interface Scorer {
  /** Nats at each row's columns, row by row. */
  readonly score: (
    rows: readonly ScoreRow[],
    onPass?: (rows: number) => void,
  ) => Promise<readonly Float32Array[]>
  /** Forward passes of the network so far, counted in sequences. */
  readonly forwards: () => number
  readonly dispose: () => Promise<void>
}

export interface ScorerOptions {
  readonly length: number
  /** Sequences in one forward pass; chosen from the length when absent. */
  readonly batch?: number | undefined
  /** Columns scored per sequence; up to all of them, half on average, when absent. */
  readonly columns?: { readonly most: number; readonly mean: number } | undefined
}

/** Room for scored columns above their mean: rows with many and with few are packed together. */
const ROOM = 1.06

export const makeScorer = async (
  executor: Executor,
  network: Network,
  parameters: HostTensors,
  options: ScorerOptions,
): Promise<Scorer> => {
  const { length } = options
  const batch = options.batch ?? defaultBatch(length)
  const { most, mean } = options.columns ?? { most: length, mean: length / 2 }
  const capacity = Math.min(batch * most, Math.max(most, Math.ceil((batch * mean * ROOM) / 64) * 64))
  const evaluator = await compileForward(executor, network, parameters, "nats", {
    rows: batch,
    length,
    capacity,
  })
  let forwards = 0

  const runPass = async (rows: readonly ScoreRow[]): Promise<Float32Array[]> => {
    const inputIds = new Int32Array(batch * length)
    const sigma = new Float32Array(batch)
    const total = rows.reduce((n, row) => n + row.columns.length, 0)
    const positions = new Int32Array(total)
    const targets = new Int32Array(capacity)
    let at = 0
    rows.forEach((row, r) => {
      inputIds.set(row.inputIds, r * length)
      sigma[r] = row.sigma
      row.columns.forEach((column, i) => {
        positions[at] = r * length + column
        targets[at++] = row.targets[i]!
      })
    })
    const { nats } = await evaluator.run({
      inputIds: { shape: [batch, length], data: inputIds },
      sigma: { shape: [batch], data: sigma },
      ...gatherFeeds(positions, capacity, batch * length),
      targets: { shape: [capacity], data: targets },
    })
    forwards += rows.length
    let from = 0
    return rows.map(({ columns }) => {
      from += columns.length
      return (nats!.data as Float32Array).slice(from - columns.length, from)
    })
  }

  return {
    score: async (rows, onPass) => {
      const out: Float32Array[] = Array.from({ length: rows.length }, () => new Float32Array(0))
      const used = rows
        .map((row, index) => ({ index, masked: row.columns.length }))
        .filter((row) => row.masked > 0)
      for (const pass of packRows(used, { rows: batch, capacity })) {
        const scored = await runPass(pass.map(({ index }) => rows[index]!))
        pass.forEach(({ index }, i) => (out[index] = scored[i]!))
        onPass?.(pass.length)
      }
      return out
    },
    forwards: () => forwards,
    dispose: () => evaluator.dispose(),
  }
}
