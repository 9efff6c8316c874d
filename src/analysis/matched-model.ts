/** What a matched comparison compares. */
import type { Experiment } from "../spec/experiment.js"
import type { ExperimentDifference } from "./differences.js"
import type { StudyRun } from "./study-runs.js"

export interface MatchedRun extends StudyRun {
  readonly profile: string
  readonly experiment: Experiment
  /** Digests of the training shards, where the experiment does not fix them; absent where they were not kept. */
  readonly trainDigests?: readonly string[]
  readonly parameters: number
  readonly steps: number
  /** Positions of the network in training, padding included. */
  readonly positions: number
  /** null: not recorded */
  readonly trainingSeconds: number | null
  /** Name and precision. */
  readonly executor: string
  /** Where the experiment is not the published one. */
  readonly differences: readonly ExperimentDifference[]
  /** Bytes per token of the published definition; absent where the paper used the exact table. */
  readonly publishedConstant?: number
}

/** One experiment, one run a seed. */
export interface MatchedModel {
  readonly id: string
  readonly title: string
  /** By increasing seed. */
  readonly seeds: readonly MatchedRun[]
}
