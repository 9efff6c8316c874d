/**
 * Evidence of next-token code lengths: chunked, and sliding with a stride (parameter-golf `train_gpt.py` `eval_val` and
 * its sliding descendants, see `src/metric/sliding.ts`).
 *
 * The targets are the very tokens of the windows, so that a value pairs with those of a masked model. A window's first
 * target has the token before it as input; the stream's first target, which has none, the boundary token, as in
 * training. (The published script starts at the stream's second token instead: one target in 62 million.) A document
 * chunk is scored on its own, with the boundary token as first input.
 */
import { shiftRight } from "../../diffusion/batch.js"
import type { Executor, HostTensors } from "../../engine/executor.js"
import { chunkedWindows, slidingWindows, type Tail } from "../../metric/code/sliding.js"
import type { Network } from "../../model/network.js"
import { compileForward } from "../../inference/forward.js"
import { defaultBatch } from "../../inference/batch.js"
import type { ScoredWindows } from "../../inference/windows.js"
import { EvaluationError, type Measure } from "../job.js"
import { streamTensors, type StreamEvidence } from "../stream.js"
import { windowsOf } from "../windows.js"
import type { Autoregressive } from "./part.js"

/** One sequence of inputs and the targets at its positions. */
export interface CausalRow {
  /** [length]; positions after the last target hold anything. */
  readonly inputIds: Int32Array
  readonly targets: Int32Array
}

export interface CausalScorer {
  /** Nats of the targets, row by row. */
  readonly score: (rows: readonly CausalRow[]) => Promise<readonly Float32Array[]>
  /** Sequences in one pass. */
  readonly batch: number
  readonly forwards: () => number
  readonly dispose: () => Promise<void>
}

export const makeCausalScorer = async (
  executor: Executor,
  network: Network,
  parameters: HostTensors,
  options: { readonly length: number; readonly batch?: number | undefined },
): Promise<CausalScorer> => {
  const { length } = options
  const batch = options.batch ?? defaultBatch(length)
  const capacity = batch * length
  const evaluator = await compileForward(executor, network, parameters, "nats", {
    rows: batch,
    length,
    capacity,
  })
  let forwards = 0
  return {
    batch,
    score: async (rows) => {
      const out: Float32Array[] = []
      for (let first = 0; first < rows.length; first += batch) {
        const pass = rows.slice(first, first + batch)
        const inputIds = new Int32Array(capacity)
        const targets = new Int32Array(capacity)
        pass.forEach((row, r) => {
          inputIds.set(row.inputIds, r * length)
          targets.set(row.targets, r * length)
        })
        const { nats } = await evaluator.run({
          inputIds: { shape: [batch, length], data: inputIds },
          targets: { shape: [capacity], data: targets },
        })
        forwards += pass.length
        out.push(...pass.map((_, r) => (nats!.data as Float32Array).slice(r * length, (r + 1) * length)))
      }
      return out
    },
    forwards: () => forwards,
    dispose: () => evaluator.dispose(),
  }
}

export interface AutoregressiveOptions {
  /** Absent: chunked. */
  readonly stride?: number | undefined
  readonly tail: Tail
  readonly onProgress?: (rowsDone: number) => void
}

interface Pass {
  readonly row: () => CausalRow
  /** Indices into the windows' tokens of the targets scored, and the row's position of the first. */
  readonly from: number
  readonly to: number
  readonly column: number
}

const scorePasses = async (
  scorer: CausalScorer,
  windows: ScoredWindows,
  passes: readonly Pass[],
  keep: (target: number) => boolean,
  onProgress?: (rowsDone: number) => void,
): Promise<StreamEvidence> => {
  const size = passes.reduce((n, { from, to }) => n + (to - from), 0)
  const scored = new Int32Array(size)
  const nats = new Float64Array(size)
  let n = 0
  const before = scorer.forwards()
  for (let first = 0; first < passes.length; first += scorer.batch) {
    const group = passes.slice(first, first + scorer.batch)
    const values = await scorer.score(group.map(({ row }) => row()))
    group.forEach(({ from, to, column }, i) => {
      for (let target = from; target < to; target++) {
        if (!keep(target)) continue
        scored[n] = target
        nats[n++] = values[i]![column + target - from]!
      }
    })
    onProgress?.(first + group.length)
  }
  return {
    windows,
    scored: scored.slice(0, n),
    nats: nats.slice(0, n),
    forwards: scorer.forwards() - before,
  }
}

/**
 * Scores consecutive windows of the raw stream.
 *
 * @param before input at the stream's first target
 */
export const measureAutoregressive = (
  scorer: CausalScorer,
  windows: ScoredWindows,
  before: number,
  { stride, tail, onProgress }: AutoregressiveOptions,
): Promise<StreamEvidence> => {
  const { tokens, length } = windows
  const passes =
    stride === undefined
      ? chunkedWindows(tokens.length, length)
      : slidingWindows(tokens.length, length, stride, tail)
  return scorePasses(
    scorer,
    windows,
    passes.map(({ start, inputs, from, to }) => ({
      from,
      to,
      column: from - start,
      row: () => {
        const targets = new Int32Array(length)
        targets.set(tokens.subarray(start, start + inputs))
        const inputIds = new Int32Array(length)
        inputIds.set(tokens.subarray(Math.max(0, start - 1), start + inputs - 1), start === 0 ? 1 : 0)
        if (start === 0) inputIds[0] = before
        return { inputIds, targets }
      },
    })),
    () => true,
    onProgress,
  )
}

/** Scores document chunks, each on its own; PAD is never a target. */
export const measureChunks = (
  scorer: CausalScorer,
  windows: ScoredWindows,
  ids: { readonly boundaryId: number; readonly padId: number },
  onProgress?: (rowsDone: number) => void,
): Promise<StreamEvidence> => {
  const { tokens, length, count } = windows
  return scorePasses(
    scorer,
    windows,
    Array.from({ length: count }, (_, w) => ({
      from: w * length,
      to: (w + 1) * length,
      column: 0,
      row: () => {
        // PAD may be no row of the table; what stands right of the last target does not matter.
        const row = tokens
          .slice(w * length, (w + 1) * length)
          .map((token) => (token === ids.padId ? 0 : token))
        return { inputIds: shiftRight(row, length, ids.boundaryId), targets: row }
      },
    })),
    (target) => tokens[target] !== ids.padId,
    onProgress,
  )
}

export const measure: Measure<Autoregressive> = async (evaluation, job) => {
  const { id, stride, tail } = evaluation
  const chunks = evaluation.windows.alignment === "document-chunks"
  if (chunks && stride !== undefined)
    throw new EvaluationError(
      id,
      "a stride needs windows of the raw stream; leave the stride out or change the alignment",
    )
  const { executor, network, parameters, experiment } = job
  const windows = windowsOf(evaluation, job)
  const { count, length } = windows
  const { tokenizer } = experiment.data
  const scorer = await makeCausalScorer(executor, network, parameters, {
    length,
    batch: experiment.execution?.evaluationBatch,
  })
  try {
    const onProgress = (done: number): void => job.onProgress?.(done)
    job.onStart?.(stride === undefined ? count : slidingWindows(count * length, length, stride, tail).length)
    const evidence = chunks
      ? await measureChunks(scorer, windows, tokenizer, onProgress)
      : await measureAutoregressive(scorer, windows, tokenizer.boundaryId, { stride, tail, onProgress })
    return { windows, forwards: evidence.forwards, tensors: streamTensors(evidence) }
  } finally {
    await scorer.dispose()
  }
}
