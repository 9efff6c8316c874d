/**
 * Evidence of the continuous-time NELBO: for each window, stratified times, a fresh mask at each, and the summed
 * cross-entropy of the masked tokens. Nothing is weighted here: see `src/metric/code/continuous-elbo.ts`.
 */
import { drawnPositions } from "../../diffusion/corrupt.js"
import { stream, uniforms, uniforms32 } from "../../diffusion/philox.js"
import { maskProbability, sigma } from "../../diffusion/schedule.js"
import { codedRow, maskedRow, scoreRows, total, type MaskedOptions } from "../../inference/masking.js"
import type { Scorer, ScoreRow } from "../../inference/scorer.js"
import type { ScoredWindows } from "../../inference/windows.js"
import { stratifiedTimes } from "../../metric/code/continuous-elbo.js"
import type { Measure } from "../job.js"
import { maskedScope, textEndOf, withScorer } from "../masked.js"
import type { ContinuousNelbo } from "./part.js"

export interface ContinuousEvidence {
  /** [windows, draws] ascending within a window */
  readonly times: Float64Array
  /** [windows, draws] number of masked tokens */
  readonly masked: Int32Array
  /** [windows, draws] sum of their cross-entropies, nats */
  readonly nats: Float64Array
  readonly forwards: number
}

export interface ContinuousOptions extends MaskedOptions {
  readonly draws: number
  readonly seed: number
}

export const measureContinuous = async (
  scorer: Scorer,
  windows: ScoredWindows,
  { schedule, rule, textEnd, draws, seed, onProgress }: ContinuousOptions,
): Promise<ContinuousEvidence> => {
  const source = stream(seed, "eval-mask")
  const { count, length } = windows
  const times = new Float64Array(count * draws)
  const masked = new Int32Array(count * draws)
  const nats = new Float64Array(count * draws)
  const before = scorer.forwards()
  const rows = function* (): Generator<ScoreRow> {
    for (let w = 0; w < count; w++) {
      const { tokens, free } = codedRow(windows, w, rule, textEnd)
      times.set(stratifiedTimes(uniforms(source, [w, 0], draws)), w * draws)
      for (let draw = 0; draw < draws; draw++) {
        const t = times[w * draws + draw]!
        const keys = uniforms32(source, [w, 1 + draw], length)
        const set = drawnPositions(length, free, maskProbability(schedule, t), keys)
        masked[w * draws + draw] = set.length
        yield maskedRow(tokens, set, set, sigma(schedule, t), rule)
      }
    }
  }
  const take = (index: number, values: Float32Array): void => {
    nats[index] = total(values)
  }
  await scoreRows(scorer, rows(), take, onProgress)
  return { times, masked, nats, forwards: scorer.forwards() - before }
}

export const measure: Measure<ContinuousNelbo> = async (evaluation, job) => {
  const { draws, seed } = evaluation
  const scope = maskedScope(evaluation, job)
  const { windows, options } = scope
  const textEnd = textEndOf(job.experiment)
  const { count, length } = windows
  const rows = { most: length, mean: length / 2, sequences: count * draws }
  const { times, masked, nats, forwards } = await withScorer(job, scope, rows, (scorer) =>
    measureContinuous(scorer, windows, {
      ...options,
      ...(textEnd === undefined ? {} : { textEnd }),
      draws,
      seed,
    }),
  )
  const shape = [count, draws]
  return {
    windows,
    forwards,
    ...(textEnd === undefined ? {} : { textEnd: "coded" as const }),
    tensors: {
      times: { dtype: "F64", shape, data: times },
      masked: { dtype: "I32", shape, data: masked },
      nats: { dtype: "F64", shape, data: nats },
    },
  }
}
