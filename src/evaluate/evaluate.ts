/** Runs one evaluation of a spec and gives its evidence as a file's contents. */
import type { LoadedCorpus } from "../data/corpus.js"
import type { StoredTensor } from "../data/safetensors.js"
import type { MaskRule } from "../diffusion/corrupt.js"
import type { Executor, ExecutorOptions, HostTensors } from "../engine/executor.js"
import type { Network } from "../model/network.js"
import type { Evaluation } from "../spec/evaluation.js"
import type { Experiment } from "../spec/experiment.js"
import { measureDiscreteElbo } from "./discrete-elbo.js"
import {
  discreteElboTensors,
  EVIDENCE_FORMAT,
  EVIDENCE_VERSION,
  evidenceMetadata,
  previousTokens,
  type EvidenceHeader,
} from "./evidence.js"
import { makeScorer } from "./scorer.js"
import { cutWindows } from "./windows.js"

export interface EvaluateJob {
  readonly evaluation: Evaluation
  readonly experiment: Experiment
  readonly network: Network
  readonly parameters: HostTensors
  readonly executor: Executor
  readonly precision: ExecutorOptions["precision"]
  /** The validation split. */
  readonly split: Uint16Array
  readonly corpus: Pick<LoadedCorpus, "tokenizer" | "tokenizerDigest" | "validationDigests" | "validation">
  /** Optimiser steps behind the parameters. */
  readonly step: number
  /** Told how many sequences go through the network. */
  readonly onStart?: (sequences: number) => void
  readonly onProgress?: (sequences: number) => void
}

export interface EvidenceFile {
  readonly tensors: Record<string, StoredTensor>
  readonly metadata: Record<string, string>
}

/** An evaluation that does not fit the experiment. */
export class EvaluationError extends Error {
  override readonly name = "EvaluationError"
}

export const evaluate = async (job: EvaluateJob): Promise<EvidenceFile> => {
  const { evaluation, experiment, executor, split, corpus } = job
  const { objective } = experiment
  const { tokenizer } = experiment.data
  const boundary = objective.kind === "masked-diffusion" ? objective.boundary : "maskable"
  const rule: MaskRule = {
    maskId: tokenizer.maskId,
    padId: tokenizer.padId,
    boundaryId: tokenizer.boundaryId,
    boundary,
  }
  const windows = cutWindows(split, evaluation.windows, tokenizer, corpus.validation.join(", "))
  const previous = previousTokens(split, windows)
  const started = performance.now()
  const header = (forwards: number): EvidenceHeader => ({
    format: EVIDENCE_FORMAT,
    version: EVIDENCE_VERSION,
    evaluation,
    split: {
      name: "validation",
      tokens: split.length,
      digests: corpus.validationDigests,
      available: windows.available,
      windows: windows.count,
    },
    tokenizer: {
      id: tokenizer.id,
      digest: corpus.tokenizerDigest,
      vocabSize: tokenizer.vocabSize,
      boundaryId: tokenizer.boundaryId,
      maskId: tokenizer.maskId,
      padId: tokenizer.padId,
      pieces: corpus.tokenizer.pieces.map(({ piece, type }) => ({ piece, type })),
    },
    objective: { eps: objective.kind === "masked-diffusion" ? objective.schedule.eps : null, boundary },
    step: job.step,
    executor: { name: executor.name, version: executor.version, precision: job.precision },
    forwards,
    seconds: (performance.now() - started) / 1000,
  })

  if (evaluation.kind === "discrete-elbo") {
    if (objective.kind !== "masked-diffusion") {
      throw new EvaluationError(
        `evaluation ${evaluation.id}: a discrete-elbo needs a masked-diffusion objective; use the kind autoregressive`,
      )
    }
    const scorer = await makeScorer(executor, job.network, job.parameters, {
      length: windows.length,
      batch: experiment.execution?.evaluationBatch,
    })
    try {
      job.onStart?.(windows.count * evaluation.steps * evaluation.draws)
      const evidence = await measureDiscreteElbo(scorer, windows, {
        schedule: objective.schedule,
        rule,
        steps: evaluation.steps,
        draws: evaluation.draws,
        seed: evaluation.seed,
        onProgress: (done) => job.onProgress?.(done),
      })
      return {
        tensors: discreteElboTensors(evidence, previous),
        metadata: evidenceMetadata(header(evidence.forwards)),
      }
    } finally {
      await scorer.dispose()
    }
  }
  throw new EvaluationError(
    `evaluation ${evaluation.id}: the kind ${evaluation.kind} is not available in this version`,
  )
}
