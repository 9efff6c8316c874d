/** What a process that makes texts is told. */
import type { Choice } from "../../engine/choose.js"
import type { StartedText } from "../../samplers/texts.js"
import type { Experiment } from "../../spec/experiment.js"
import type { Samples } from "./schema.js"

export interface Opening {
  readonly experiment: Experiment
  readonly evaluation: Samples
  readonly choice: Choice
  /** Path of the parameters. */
  readonly parameters: string
  readonly starts: readonly StartedText[]
}

export interface Group {
  readonly seed: number
  readonly from: number
  readonly to: number
}

export type Told = { readonly open: Opening } | { readonly make: Group }
