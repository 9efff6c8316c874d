/** Runs one evaluation of a spec and gives its evidence as a file's contents. */
import { textRulesOf } from "../data/tokenizers/text-rules.js"
import { networkPart, objectivePart } from "../families/index.js"
import { isIntact } from "../metric/bytes/intact.js"
import { moduleUrl } from "../files/package-files.js"
import type { StoredTensor } from "../files/safetensors.js"
import { EVIDENCE_FORMAT, EVIDENCE_VERSION, evidenceMetadata, type EvidenceHeader } from "./evidence.js"
import { evaluatorPart } from "./index.js"
import type { Experiment } from "../spec/experiment.js"
import {
  EvaluationError,
  type Check,
  type EvaluateJob,
  type Fetch,
  type FetchOptions,
  type Measure,
  type Measured,
} from "./job.js"
import type { EvaluatedWindows } from "./summary.js"
import { windowTensors } from "./windows.js"

export { EvaluationError, type EvaluateJob } from "./job.js"

export interface Evidence {
  readonly tensors: Record<string, StoredTensor>
  readonly metadata: Record<string, string>
  readonly items?: readonly unknown[]
}

const added = new Map<string, Measure<never>>()

/** Gives the measurement of an evaluator that was added by `registerEvaluator`; returns what takes it away again. */
export const registerMeasure = (kind: string, measure: Measure<never>): (() => void) => {
  added.set(kind, measure)
  return () => void added.delete(kind)
}

/** Loaded by name: an evaluator is its folder and one line in `index.ts`. */
const measureUrl = (kind: string): string => moduleUrl(`evaluators/${kind}/measure`).href

/** The measurement of a kind, from its folder. */
export const measureOf = async (kind: string): Promise<Measure> => {
  const own = added.get(kind)
  if (own !== undefined) return own as Measure
  const loaded = (await import(measureUrl(kind))) as { readonly measure: Measure }
  return loaded.measure
}

/**
 * Every evaluation can be made on this machine, as far as that can be known beforehand.
 *
 * @throws EvaluationError, or what the check of a kind throws
 */
export const requireMeasurable = async (experiment: Experiment): Promise<void> => {
  for (const evaluation of experiment.evaluations) {
    if (added.has(evaluation.kind)) continue
    const { check } = (await import(measureUrl(evaluation.kind))) as { readonly check?: Check }
    await check?.(evaluation, experiment)
  }
}

/**
 * Fetches what the evaluations read besides the corpus, such as a test set. Uses the network where it is not there.
 *
 * @throws DataError
 */
export const fetchMeasured = async (experiment: Experiment, options: FetchOptions = {}): Promise<void> => {
  for (const evaluation of experiment.evaluations) {
    if (added.has(evaluation.kind)) continue
    const { fetch } = (await import(measureUrl(evaluation.kind))) as { readonly fetch?: Fetch }
    await fetch?.(evaluation, options)
  }
}

/** An evaluation asks of a network what its objective taught it. */
const requireFitting = ({
  evaluation: { id, kind },
  experiment: { objective, model },
}: EvaluateJob): void => {
  const { needs } = evaluatorPart({ kind })
  const inserting = networkPart(model).endSlot?.(model) !== undefined
  if (needs !== "sampler" && inserting !== (needs === "inserting"))
    throw new EvaluationError(
      id,
      inserting
        ? `the kind ${kind} scores rows of a fixed length, and the network inserts tokens; use the kind insertion-nelbo`
        : `the kind ${kind} needs a network that inserts its tokens`,
    )
  const causal = objectivePart(objective).scored === "all"
  if (needs === "masked" && causal)
    throw new EvaluationError(
      id,
      `the kind ${kind} needs a masked-diffusion objective; use the kind autoregressive`,
    )
  if (needs === "causal" && !causal)
    throw new EvaluationError(
      id,
      `the kind ${kind} needs an autoregressive objective; use the kind chain-rule`,
    )
}

const headerOf = (
  job: EvaluateJob,
  measured: Measured,
  seconds: number,
  bytes: number | null | undefined,
): EvidenceHeader => {
  const { evaluation, experiment, executor, split, corpus } = job
  const { objective } = experiment
  const { tokenizer } = experiment.data
  const part = objectivePart(objective)
  const { normalizer, whitespaceAsSuffix = false, pieces } = corpus.tokenizer
  const text = normalizer === undefined ? undefined : textRulesOf({ normalizer, whitespaceAsSuffix })
  const intact = text !== undefined && isIntact({ pieces, text }, split, corpus.totals?.validation.bytes)
  const { windows } = measured
  return {
    format: EVIDENCE_FORMAT,
    version: EVIDENCE_VERSION,
    evaluation: evaluation as unknown as EvaluatedWindows,
    split: {
      name: "validation",
      tokens: split.length,
      digests: corpus.validationDigests,
      available: windows?.available ?? 0,
      windows: windows?.count ?? 0,
      ...(windows?.leftOut === undefined ? {} : { leftOut: windows.leftOut }),
      ...(intact ? { intact } : {}),
    },
    tokenizer: {
      id: tokenizer.id,
      digest: corpus.tokenizerDigest,
      vocabSize: tokenizer.vocabSize,
      boundaryId: tokenizer.boundaryId,
      ...(tokenizer.separatorId === undefined ? {} : { separatorId: tokenizer.separatorId }),
      maskId: tokenizer.maskId,
      padId: tokenizer.padId,
      pieces: pieces.map(({ piece, type }) => ({ piece, type })),
      ...(text === undefined ? {} : { text }),
    },
    objective: {
      eps: part.eps(objective) ?? null,
      boundary: part.boundary(objective),
      ...(measured.textEnd === undefined ? {} : { textEnd: measured.textEnd }),
    },
    ...(measured.tieNats === undefined ? {} : { tieNats: measured.tieNats }),
    step: job.step,
    executor: { name: executor.name, version: executor.version, precision: job.precision },
    forwards: measured.forwards,
    seconds,
    ...(measured.judge === undefined ? {} : { judge: measured.judge }),
    ...(bytes === undefined ? {} : { acceleratorBytes: bytes }),
    ...(measured.adapters === undefined ? {} : { adapters: measured.adapters }),
  }
}

export const evaluate = async (job: EvaluateJob): Promise<Evidence> => {
  const { evaluation, experiment, split } = job
  requireFitting(job)
  const measure = await measureOf(evaluation.kind)
  // Executors that have no accelerator say nothing of its memory.
  const peak = async (): Promise<number | null> => (await job.executor.acceleratorBytes?.()) ?? null
  await peak()
  const started = performance.now()
  const measured = await measure(evaluation, job)
  const seconds = measured.seconds ?? (performance.now() - started) / 1000
  const bytes = measured.elsewhere === true ? undefined : await peak()
  const { windows, tensors = {}, items } = measured
  return {
    tensors: {
      ...(windows === undefined ? {} : windowTensors(windows, split, experiment.data.tokenizer.padId)),
      ...tensors,
    },
    metadata: evidenceMetadata(headerOf(job, measured, seconds, bytes)),
    ...(items === undefined ? {} : { items }),
  }
}
