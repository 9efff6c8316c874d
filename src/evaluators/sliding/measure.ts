/**
 * Evidence of sliding left-to-right scoring of a masked model: the last `stride` tokens of each window, revealed left
 * to right, given everything to their left in the window. Nothing right of a token is visible.
 *
 * One forward pass per token, like the chain rule, but with a left context of at least length - stride tokens. The
 * windows lie over the stream of the scored tokens as over the targets of an autoregressive evaluation. Positions
 * beyond the stream's end are masked.
 */
import { isMaskable } from "../../diffusion/corrupt.js"
import { scoredTargets, slidingWindows, type Tail } from "../../metric/code/sliding.js"
import { scoreRows, sigmaOfMasked, type MaskedOptions } from "../../inference/masking.js"
import type { Scorer, ScoreRow } from "../../inference/scorer.js"
import type { ScoredWindows } from "../../inference/windows.js"
import { EvaluationError, type Measure } from "../job.js"
import { maskedScope, withScorer } from "../masked.js"
import { streamTensors, type StreamEvidence } from "../stream.js"
import type { Sliding } from "./part.js"

export interface SlidingOptions extends MaskedOptions {
  readonly stride: number
  readonly tail: Tail
}

/** @param windows consecutive windows of the raw stream */
export const measureSliding = async (
  scorer: Scorer,
  windows: ScoredWindows,
  options: SlidingOptions,
): Promise<StreamEvidence> => {
  const { schedule, rule, stride, tail } = options
  const { tokens, length } = windows
  const passes = slidingWindows(tokens.length, length, stride, tail)
  const scored = new Int32Array(scoredTargets(passes))
  let n = 0
  for (const { from, to } of passes) for (let i = from; i < to; i++) scored[n++] = i
  const nats = new Float64Array(n)
  const charged = Int32Array.from(scored, (_, i) => i).filter((i) => isMaskable(rule, tokens[scored[i]!]!))
  const before = scorer.forwards()
  const rows = function* (): Generator<ScoreRow> {
    for (const { start, inputs, from, to } of passes) {
      const row = new Int32Array(length).fill(rule.maskId)
      let [masked, maskable] = [length - inputs, length - inputs]
      for (let i = 0; i < inputs; i++) {
        const token = tokens[start + i]!
        const free = !isMaskable(rule, token)
        if (!free) maskable++
        if (!free && start + i >= from) masked++
        else row[i] = token
      }
      for (let i = from; i < to; i++) {
        const token = tokens[i]!
        if (!isMaskable(rule, token)) continue
        yield {
          inputIds: row.slice(),
          sigma: sigmaOfMasked(schedule, masked, maskable),
          columns: Int32Array.of(i - start),
          targets: Int32Array.of(token),
        }
        row[i - start] = token
        masked--
      }
    }
  }
  const take = (index: number, values: Float32Array): void => {
    nats[charged[index]!] = values[0]!
  }
  await scoreRows(scorer, rows(), take, options.onProgress)
  return { windows, scored, nats, forwards: scorer.forwards() - before }
}

export const measure: Measure<Sliding> = async (evaluation, job) => {
  const { id, stride, tail } = evaluation
  if (evaluation.windows.alignment === "document-chunks")
    throw new EvaluationError(
      id,
      "sliding scoring needs windows of the raw stream; change the alignment or use the kind chain-rule",
    )
  const scope = maskedScope(evaluation, job)
  const { windows, options } = scope
  const { count, length } = windows
  const sequences = scoredTargets(slidingWindows(count * length, length, stride, tail))
  const evidence = await withScorer(job, scope, { most: 1, mean: 1, sequences }, (scorer) =>
    measureSliding(scorer, windows, { ...options, stride, tail }),
  )
  return { windows, forwards: evidence.forwards, tensors: streamTensors(evidence) }
}
