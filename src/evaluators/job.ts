/** What an evaluation is given and what it gives back. */
import type { LoadedCorpus } from "../data/corpora/corpus.js"
import type { SentencePieceModel } from "../data/tokenizers/sentencepiece.js"
import type { StoredTensor } from "../files/safetensors.js"
import type { Executor, ExecutorOptions, HostTensors } from "../engine/executor.js"
import type { Network } from "../model/network.js"
import type { Evaluation } from "../spec/evaluation.js"
import type { Experiment } from "../spec/experiment.js"

export interface EvaluateJob {
  readonly evaluation: Evaluation
  readonly experiment: Experiment
  readonly network: Network
  readonly parameters: HostTensors
  readonly executor: Executor
  readonly precision: ExecutorOptions["precision"]
  /** The validation split. */
  readonly split: Uint16Array
  readonly corpus: Pick<LoadedCorpus, "tokenizerDigest" | "validationDigests" | "validation"> &
    Partial<Pick<LoadedCorpus, "totals">> & {
      /** Without its normaliser nothing is recorded about how text became pieces. */
      readonly tokenizer: Pick<SentencePieceModel, "pieces"> & Partial<SentencePieceModel>
    }
  /** Optimiser steps behind the parameters; null where it is not known. */
  readonly step: number | null
  /** Told how many sequences go through the network. */
  readonly onStart?: (sequences: number) => void
  readonly onProgress?: (sequences: number) => void
}

/** What an evaluator measured: its tensors, given the token before each window, and the sequences it took. */
export interface Measured {
  readonly tensors: (previous: Int32Array) => Record<string, StoredTensor>
  readonly forwards: number
}

/** An evaluation that does not fit the experiment. */
export class EvaluationError extends Error {
  readonly _tag = "EvaluationError"
  override readonly name = "EvaluationError"

  constructor(id: string, message: string) {
    super(`evaluation ${id}: ${message}`)
  }
}
