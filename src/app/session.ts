/** What everything that computes for one run shares. */
import type { LoadedCorpus } from "../data/corpora/corpus.js"
import type { Choice } from "../engine/choose.js"
import type { Executor } from "../engine/executor.js"
import type { Run } from "../run/directory.js"
import type { Display } from "../run/display.js"
import type { Experiment } from "../spec/experiment.js"
import type { Beginning } from "./beginning.js"
import type { Judges } from "./judge.js"

export interface Session {
  readonly run: Run
  readonly experiment: Experiment
  readonly corpus: LoadedCorpus
  readonly executor: Executor
  readonly choice: Choice
  readonly display: Display
  /** True once the user asked to stop; training and evaluation then end after the step in progress. */
  readonly stopping: () => boolean
  /** What the weights begin as; absent where they are drawn. */
  readonly beginning?: Beginning | undefined
  /** What judges the texts that are sampled. */
  readonly judges?: Judges
}
