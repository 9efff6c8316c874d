/**
 * Evidence of the block bound and of its one-block case, the any-order bound: mask sets of stratified sizes within a
 * block, everything left of the block visible and everything right of it masked.
 *
 * Nothing is weighted here: see `src/metric/any-order.ts` and `src/metric/block.ts`.
 */
import { maskByCount } from "../diffusion/corrupt.js"
import { stream, uniforms, uniforms32 } from "../diffusion/philox.js"
import { stratifiedSizes } from "../metric/code/any-order.js"
import { blockLengths } from "../metric/code/block.js"
import { isMaskable } from "../diffusion/corrupt.js"
import {
  maskedRow,
  maskableOf,
  scoreRows,
  sigmaOfMasked,
  total,
  windowRow,
  type MaskedOptions,
} from "../inference/masking.js"
import type { Scorer, ScoreRow } from "../inference/scorer.js"
import type { ScoredWindows } from "../inference/windows.js"
import type { StoredTensor } from "../files/safetensors.js"
import type { EvaluateJob, Measured } from "./job.js"
import { maskedScope, withScorer } from "./masked.js"
import type { OfWindows } from "./part.js"

export interface BlockEvidence {
  readonly windows: ScoredWindows
  /** Blocks per window. */
  readonly blocks: number
  readonly draws: number
  /** [windows, blocks] maskable tokens */
  readonly maskable: Int32Array
  /** [windows, blocks, draws] masked tokens of the block; 0 where the block has none to mask */
  readonly masked: Int32Array
  /** [windows, blocks, draws] sum of their cross-entropies, nats */
  readonly nats: Float64Array
  readonly forwards: number
}

export interface BlockOptions extends MaskedOptions {
  /** Tokens in one block; the last of a window may be shorter. */
  readonly block: number
  /** Mask sets per block. */
  readonly draws: number
  readonly seed: number
}

export const measureBlocks = async (
  scorer: Scorer,
  windows: ScoredWindows,
  options: BlockOptions,
): Promise<BlockEvidence> => {
  const { schedule, rule, block, draws, seed } = options
  const { count, length } = windows
  const source = stream(seed, "eval-mask")
  const blocks = Math.ceil(length / block)
  const maskable = new Int32Array(count * blocks)
  const masked = new Int32Array(count * blocks * draws)
  const nats = new Float64Array(count * blocks * draws)
  const positions = maskableOf(windows, rule)
  for (let w = 0; w < count; w++) {
    const free = Array.from(windowRow(windows, w), (token) => !isMaskable(rule, token))
    maskable.set(blockLengths(free, block), w * blocks)
  }
  const before = scorer.forwards()

  const rows = function* (): Generator<ScoreRow> {
    for (let w = 0; w < count; w++) {
      const tokens = windowRow(windows, w)
      const all = positions[w]!
      for (let b = 0; b < blocks; b++) {
        const [from, to] = [b * block, Math.min(length, (b + 1) * block)]
        const right = all.filter((p) => p >= to)
        const offset = uniforms(source, [w, b, 0], 1)[0]!
        const sizes = stratifiedSizes(maskable[w * blocks + b]!, draws, offset)
        for (let draw = 0; draw < draws; draw++) {
          const keys = uniforms32(source, [w, b, 1 + draw], to - from)
          const set = maskByCount(rule, tokens.subarray(from, to), sizes[draw]!, keys).map((p) => p + from)
          masked[(w * blocks + b) * draws + draw] = set.length
          const sigma = sigmaOfMasked(schedule, set.length + right.length, all.length)
          yield maskedRow(tokens, [...set, ...right], set, sigma, rule)
        }
      }
    }
  }
  const take = (index: number, values: Float32Array): void => {
    nats[index] = total(values)
  }
  await scoreRows(scorer, rows(), take, options.onProgress)
  return { windows, blocks, draws, maskable, masked, nats, forwards: scorer.forwards() - before }
}

/** The tensors of an any-order or block measurement; any-order has one block. */
const blockTensors = (evidence: BlockEvidence): Record<string, StoredTensor> => {
  const { windows, blocks, draws } = evidence
  const shape = [windows.count, blocks, draws]
  return {
    maskable: { dtype: "I32", shape: [windows.count, blocks], data: evidence.maskable },
    masked: { dtype: "I32", shape, data: evidence.masked },
    nats: { dtype: "F64", shape, data: evidence.nats },
  }
}

/** An evaluation by blocks, of the whole window where no size is given. */
export const evaluateBlocks = async (
  evaluation: OfWindows & { readonly block?: number; readonly draws: number; readonly seed: number },
  job: EvaluateJob,
): Promise<Measured> => {
  const scope = maskedScope(evaluation, job)
  const { windows, options } = scope
  const { count, length } = windows
  const { draws, seed, block = length } = evaluation
  const most = Math.min(block, length)
  const rows = { most, mean: (most + 1) / 2, sequences: count * Math.ceil(length / most) * draws }
  const evidence = await withScorer(job, scope, rows, (scorer) =>
    measureBlocks(scorer, windows, { ...options, block, draws, seed }),
  )
  return { windows, forwards: evidence.forwards, tensors: blockTensors(evidence) }
}
