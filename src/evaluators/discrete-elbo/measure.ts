/**
 * Evidence of the T-step discrete NELBO (parameter-golf PR #1241, train_mdlm.py `variational_elbo_bits`):
 * for each window, step and draw, one fresh mask and the summed cross-entropy of the masked tokens.
 *
 * Nothing is weighted here. The bound is a pure function of this evidence (`src/metric/elbo.ts`).
 */
import { maskByProbability, type MaskRule } from "../../diffusion/corrupt.js"
import { stream, uniforms32 } from "../../diffusion/philox.js"
import { chain } from "../../diffusion/reveal.js"
import type { NoiseSchedule } from "../../diffusion/schedule.js"
import type { Scorer, ScoreRow } from "../../inference/scorer.js"
import type { ScoredWindows } from "../../inference/windows.js"
import type { Measure } from "../job.js"
import { maskedScope, withScorer } from "../masked.js"
import type { DiscreteElbo } from "./part.js"

export interface DiscreteElboEvidence {
  readonly kind: "discrete-elbo"
  readonly windows: ScoredWindows
  readonly steps: number
  readonly draws: number
  /** alpha_0 .. alpha_T, the share of tokens visible after each step; alpha_0 = 1. */
  readonly alphas: Float64Array
  /** [windows, steps, draws] sum of cross-entropies of the masked tokens, nats */
  readonly nats: Float64Array
  /** [windows, steps, draws] number of masked tokens */
  readonly masked: Int32Array
  /** [windows, length] sum over steps of reveal probability times cross-entropy, mean over draws: each token's share of the bound, nats */
  readonly tokenNats: Float64Array
  readonly forwards: number
}

export interface DiscreteElboOptions {
  readonly schedule: NoiseSchedule
  readonly rule: MaskRule
  readonly steps: number
  readonly draws: number
  readonly seed: number
  readonly onProgress?: (rowsDone: number, rowsTotal: number) => void
}

/** Sequences drawn and scored together; bounds the memory and gives the packing something to pair. */
const ROWS_AT_ONCE = 2048

export const measureDiscreteElbo = async (
  scorer: Scorer,
  windows: ScoredWindows,
  options: DiscreteElboOptions,
): Promise<DiscreteElboEvidence> => {
  const { schedule, rule, steps, draws, seed } = options
  const { count, length, tokens } = windows
  const masks = stream(seed, "eval-mask")
  const grid = chain(schedule, steps)
  const perWindow = steps * draws
  const nats = new Float64Array(count * perWindow)
  const masked = new Int32Array(count * perWindow)
  const tokenNats = new Float64Array(count * length)
  const total = count * perWindow
  let done = 0
  const before = scorer.forwards()
  const windowsAtOnce = Math.max(1, Math.floor(ROWS_AT_ONCE / perWindow))

  for (let first = 0; first < count; first += windowsAtOnce) {
    const last = Math.min(count, first + windowsAtOnce)
    const rows: ScoreRow[] = []
    for (let w = first; w < last; w++) {
      const row = tokens.subarray(w * length, (w + 1) * length)
      for (const { k, alpha, sigma } of grid) {
        for (let draw = 0; draw < draws; draw++) {
          const columns = Int32Array.from(
            maskByProbability(rule, row, 1 - alpha, uniforms32(masks, [w, k, draw], length)),
          )
          const inputIds = row.slice()
          for (const column of columns) inputIds[column] = rule.maskId
          rows.push({ inputIds, sigma, columns, targets: Int32Array.from(columns, (column) => row[column]!) })
        }
      }
    }
    const base = done
    let passed = 0
    const scored = await scorer.score(rows, (n) => {
      passed += n
      options.onProgress?.(base + passed, total)
    })
    scored.forEach((values, i) => {
      const at = first * perWindow + i
      const { reveal } = grid[Math.floor((i % perWindow) / draws)]!
      const w = first + Math.floor(i / perWindow)
      masked[at] = values.length
      let sum = 0
      values.forEach((value, j) => {
        sum += value
        tokenNats[w * length + rows[i]!.columns[j]!]! += (reveal * value) / draws
      })
      nats[at] = sum
    })
    done += rows.length
    options.onProgress?.(done, total)
  }
  return {
    kind: "discrete-elbo",
    windows,
    steps,
    draws,
    alphas: Float64Array.from([1, ...grid.map((s) => s.alpha)]),
    nats,
    masked,
    tokenNats,
    forwards: scorer.forwards() - before,
  }
}

export const measure: Measure<DiscreteElbo> = async (evaluation, job) => {
  const { steps, draws, seed } = evaluation
  const scope = maskedScope(evaluation, job)
  const { windows, options } = scope
  const { count, length } = windows
  const rows = { most: length, mean: length / 2, sequences: count * steps * draws }
  const evidence = await withScorer(job, scope, rows, (scorer) =>
    measureDiscreteElbo(scorer, windows, { ...options, steps, draws, seed }),
  )
  const shape = [count, steps, draws]
  return {
    windows,
    forwards: evidence.forwards,
    tensors: {
      alphas: { dtype: "F64", shape: [steps + 1], data: evidence.alphas },
      nats: { dtype: "F64", shape, data: evidence.nats },
      masked: { dtype: "I32", shape, data: evidence.masked },
      tokenNats: { dtype: "F64", shape: [count, length], data: evidence.tokenNats },
    },
  }
}
