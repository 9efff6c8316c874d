/** What an evaluation is given and what it gives back. */
import type { LoadedCorpus } from "../data/corpora/corpus.js"
import type { Tokens } from "../data/rows/tokens.js"
import type { SentencePieceModel } from "../data/tokenizers/sentencepiece.js"
import type { OnPrepareEvent } from "../files/events.js"
import type { StoredTensor } from "../files/safetensors.js"
import type { Choice } from "../engine/choose.js"
import type { Executor, ExecutorOptions, HostTensors } from "../engine/executor.js"
import type { Network } from "../model/network.js"
import type { ScoredWindows } from "../inference/windows.js"
import type { Experiment } from "../spec/experiment.js"
import type { JudgeAccount } from "./evidence.js"
import type { EvaluationKind } from "./part.js"

/** A causal network of another spec that scores texts. */
export interface OpenJudge {
  readonly account: JudgeAccount
  readonly network: Network
  /** Lends its programs the judge's weights. */
  readonly executor: Executor
  readonly encode: (text: string) => ArrayLike<number>
  /** Rows in one pass; chosen from the window when absent. */
  readonly batch?: number | undefined
  readonly dispose: () => Promise<void>
}

export interface EvaluateJob {
  readonly evaluation: EvaluationKind
  readonly experiment: Experiment
  readonly network: Network
  readonly parameters: HostTensors
  readonly executor: Executor
  readonly precision: ExecutorOptions["precision"]
  /** The validation split. */
  readonly split: Tokens
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
  /** How the executor was opened, so that other processes can open one alike. */
  readonly choice?: Choice
  /** Throws where the user asked to stop; asked between groups of items. */
  readonly requireGoing?: () => Promise<void>
  /** Opens the judge that the evaluation names; absent where nobody can. */
  readonly openJudge?: () => Promise<OpenJudge>
  /** Where items that are done are kept, so that a measurement which is stopped goes on behind them. */
  readonly kept?: KeptItems
}

/** Items that are done, in parts that were made together, by name. */
export interface KeptItems {
  readonly find: (part: string) => KeptPart | undefined
  readonly keep: (part: string, made: KeptPart) => Promise<void>
}

export interface KeptPart {
  readonly items: readonly unknown[]
  /** That making them took. */
  readonly seconds: number
}

/** What an evaluator measured. */
export interface Measured {
  /** The windows that it scored, where it scores windows. */
  readonly windows?: ScoredWindows
  readonly tensors?: Readonly<Record<string, StoredTensor>>
  /** One JSON value an item: samples, or completions of a task's items. */
  readonly items?: readonly unknown[]
  /** Sequences that went through the network. */
  readonly forwards: number
  /** The network that judged the items, where one did, with what that cost. */
  readonly judge?: JudgeAccount & { readonly forwards: number; readonly seconds: number }
  /** Leads up to this many nats are ties, where the network chose the order. */
  readonly tieNats?: number
  /** coded: what stands behind a text was coded as its end. */
  readonly textEnd?: "coded"
  /** merged: its samplers ran adapters added into their layers. */
  readonly adapters?: "merged"
  /** Other processes made them, whose memory is not known here. */
  readonly elsewhere?: boolean
  /** Where more than this call made them; the time of the call when absent. */
  readonly seconds?: number
}

/** The measurement of one kind of evaluation. */
export type Measure<E extends EvaluationKind = EvaluationKind> = {
  // A method: a measurement is only ever given evaluations of its kind.
  run(evaluation: E, job: EvaluateJob): Promise<Measured>
}["run"]

/** What can be asked of the machine and of the registries before hours of training; see `requireMeasurable`. */
export type Check<E extends EvaluationKind = EvaluationKind> = {
  check(evaluation: E, experiment: Experiment): Promise<void> | void
}["check"]

export interface FetchOptions {
  readonly onEvent?: OnPrepareEvent
  readonly signal?: AbortSignal
  /** What is measured, once its corpus is there; undefined where that alone is fetched which needs no corpus. */
  readonly prepared?: Pick<Prepared, "experiment" | "corpus" | "cacheDir" | "workers" | "rewrite">
}

/** What may be worked out before anything is measured. */
export interface Prepared extends Pick<FetchOptions, "onEvent" | "signal"> {
  readonly experiment: Experiment
  readonly corpus: LoadedCorpus
  readonly cacheDir: string
  readonly workers?: number
  /** What is there is made again. */
  readonly rewrite?: boolean
}

/** Fetches what a measurement reads besides the corpus; see `fetchMeasured`. */
export type Fetch<E extends EvaluationKind = EvaluationKind> = {
  fetch(evaluation: E, options: FetchOptions): Promise<void>
}["fetch"]

/** An evaluation that does not fit the experiment. */
export class EvaluationError extends Error {
  readonly _tag = "EvaluationError"
  override readonly name = "EvaluationError"

  constructor(id: string, message: string) {
    super(`evaluation ${id}: ${message}`)
  }
}
