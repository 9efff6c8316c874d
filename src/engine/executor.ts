/**
 * The interface that every executor implements.
 *
 * A training job is given as four traced graphs that share parameter and state names; an executor takes those
 * it needs: one that runs whole steps takes `step`, one that differentiates by itself takes `loss` and `apply`.
 */
import type { StepLayout } from "../diffusion/step-layout.js"
import { drawTensor, type DrawnTensor } from "./draw.js"
import type { EngineName, HostTensor, HostTensors } from "./host.js"
import type { Graph } from "./ir.js"
import type { Weights, WeightSource } from "./weights.js"

export type { HostArray, HostTensor, HostTensors } from "./host.js"

/** What a run is fed with: numbers, or how the executor is to draw them (the masks of dropout, for one). */
export type Feeds = Readonly<Record<string, HostTensor | DrawnTensor>>

/** The feeds as numbers, for executors of this process. */
export const hostFeeds = (feeds: Feeds): HostTensors =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, feed]) => [name, "draw" in feed ? drawTensor(feed) : feed]),
  )

/**
 * AdamW in words, the same update that `apply` traces, for executors that have it as one operation of their own.
 *
 * Gradients times min(1, clipNorm / (norm + 1e-6)); m <- beta1 m + (1 - beta1) g; v <- beta2 v + (1 - beta2) g^2;
 * p <- keep p - rate m / (inverseSqrtCorrection2 sqrt(v) + eps); average <- decay average + (1 - decay) p.
 */
export interface AdamWUpdate {
  readonly kind: "adamw"
  readonly betas: readonly [number, number]
  readonly eps: number
  /** 0: gradients are not clipped. */
  readonly clipNorm: number
  /** What precedes a parameter's name in the names of its moments m and v. */
  readonly moments: readonly [string, string]
  /** The moving average of the parameters, where there is one. */
  readonly average?: { readonly prefix: string; readonly decay: number }
  /** Names of the scalar feeds; without `keep` there is no weight decay. */
  readonly scalars: {
    readonly rate: string
    readonly inverseSqrtCorrection2: string
    readonly keep?: string
  }
}

/** The graphs of a job for one size of its feeds. */
export interface ProgramsOfSize {
  /** parameters + feeds of one slice (the first) -> `loss` (scalar f32) and any metrics */
  readonly loss: Graph
  /** The same for each slice of a micro-batch, where slices have feeds of shapes of their own. Traced on demand. */
  readonly losses?: () => readonly Graph[]
  /** The whole optimiser step: parameters, state, feeds of all slices of all micro-batches (`name@0`, `name@1`, ...), scalar feeds -> next parameters and state, `loss`, `gradNorm`. Traced on demand. */
  readonly step: () => Graph
  /** parameters, state, gradients (feeds `grad/<parameter>`), scalar feeds -> next parameters and state, `gradNorm`. Traced on demand. */
  readonly apply: () => Graph
}

export interface TrainPrograms extends ProgramsOfSize {
  /** Slices of each micro-batch in `step`, whose losses add up; 1 when absent. */
  readonly slices?: number
  /** What `apply` computes, where it has words; an executor may use either. */
  readonly update?: AdamWUpdate
  /**
   * The same job with room for more tokens under the loss: same parameters, state and outputs, larger feeds.
   * A trainer compiles one of these when a step first asks for it.
   */
  readonly larger?: readonly ProgramsOfSize[]
}

export interface StepResult {
  readonly loss: number
  readonly gradNorm: number
}

/** Parameters and optimiser state held by the executor. */
export interface Trainer {
  /**
   * One optimiser step. `micro` holds the feeds of each slice of each micro-batch, `scalars` those of the optimiser.
   * `program` 0 (the default) is the job itself, i > 0 is `larger[i - 1]`. Resolves when the step's results are known.
   */
  readonly step: (micro: readonly Feeds[], scalars: HostTensors, program?: number) => Promise<StepResult>
  /**
   * Steps that may be asked for before the first of them has resolved: a device that has the next one need not wait
   * until the results of the last are read. They are taken in order. 1 when absent.
   */
  readonly inFlight?: number
  /** A copy of every parameter and state tensor by name; frozen inputs are not among them. */
  readonly readState: () => Promise<HostTensors>
  readonly dispose: () => Promise<void>
}

/** Runs of one program in a row; what the last one gives comes back. */
export interface Repeat {
  /** At least 1. */
  readonly steps: number
  /** Of every step; of the first one alone where they are carried. */
  readonly feeds: HostTensors
  /** Feeds of their own for each step: [steps, ...shape of the feed]. */
  readonly each: HostTensors
  /** Outputs that are fed to the next step: name of the output to name of the feed. */
  readonly carried: Readonly<Record<string, string>>
}

/** A compiled forward function with its parameters held by the executor. */
export interface Evaluator {
  readonly run: (feeds: Feeds) => Promise<HostTensors>
  /** Runs it several times without a word in between; absent where a run is no message to another process. */
  readonly repeat?: (repeat: Repeat) => Promise<HostTensors>
  readonly dispose: () => Promise<void>
}

export interface ExecutorOptions {
  readonly precision: "fp32" | "bf16" | "bf16-params"
  readonly device: "cpu" | "gpu"
  /** 0: the executor's own choice */
  readonly threads: number
  readonly xla?: boolean
  /** torch: activations inside blocks are computed again for the gradient instead of kept */
  readonly recompute?: boolean
  /** torch: compile programs with Inductor; absent: the executor's own choice */
  readonly compile?: boolean
}

export { WHOLE, type StepLayout } from "../diffusion/step-layout.js"

export interface Executor {
  readonly name: EngineName
  /** Library and version, for provenance. */
  readonly version: string
  /** fp32 when absent. */
  readonly precision?: ExecutorOptions["precision"]
  readonly layout: StepLayout
  /** Its evaluators have `repeat`, and programs over one set of weights hold no copies of them. */
  readonly repeats?: true
  /** `weights` holds the frozen inputs, and gives a copy of each parameter or state that `initial` lacks. */
  readonly trainer: (programs: TrainPrograms, initial: HostTensors, weights?: Weights) => Promise<Trainer>
  /** Between them `parameters` and `weights` hold every input but the feeds; of two the parameter is taken. */
  readonly evaluator: (graph: Graph, parameters: HostTensors, weights?: Weights) => Promise<Evaluator>
  /** Loads weights once, for any number of trainers and evaluators of this executor. */
  readonly weights: (source: WeightSource) => Promise<Weights>
  /** Most bytes of accelerator memory that tensors took since the last call; null without an accelerator. */
  readonly acceleratorBytes?: () => Promise<number | null>
  readonly dispose: () => Promise<void>
}
