/** Evaluations of a next-token network. */
import { slidingWindows } from "../metric/code/sliding.js"
import { makeCausalScorer, measureAutoregressive, measureChunks } from "./autoregressive.js"
import { streamTensors } from "./evidence.js"
import { EvaluationError, type EvaluateJob, type Measured } from "./job.js"
import type { ScoredWindows } from "../inference/windows.js"

export const measureCausal = async (job: EvaluateJob, windows: ScoredWindows): Promise<Measured> => {
  const { evaluation, experiment, executor, network, parameters } = job
  const { tokenizer } = experiment.data
  if (evaluation.kind !== "autoregressive")
    throw new EvaluationError(
      evaluation.id,
      `the kind ${evaluation.kind} needs a masked-diffusion objective; use the kind autoregressive`,
    )
  const chunks = evaluation.windows.alignment === "document-chunks"
  if (chunks && evaluation.stride !== undefined)
    throw new EvaluationError(
      evaluation.id,
      "a stride needs windows of the raw stream; remove it or change the alignment",
    )
  const scorer = await makeCausalScorer(executor, network, parameters, {
    length: windows.length,
    batch: experiment.execution?.evaluationBatch,
  })
  try {
    const { count, length } = windows
    const { stride, tail } = evaluation
    const onProgress = (done: number): void => job.onProgress?.(done)
    job.onStart?.(stride === undefined ? count : slidingWindows(count * length, length, stride, tail).length)
    const evidence = chunks
      ? await measureChunks(scorer, windows, tokenizer, onProgress)
      : await measureAutoregressive(scorer, windows, tokenizer.boundaryId, { stride, tail, onProgress })
    return { tensors: (previous) => streamTensors(evidence, previous), forwards: evidence.forwards }
  } finally {
    await scorer.dispose()
  }
}
