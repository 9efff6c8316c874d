/** Makes groups of texts, in this process. */
import type { Executor, HostTensors } from "../../engine/executor.js"
import type { Network } from "../../model/network.js"
import { openTexts, type MadeText, type StartedText, type Texts } from "../../samplers/texts.js"
import type { Experiment } from "../../spec/experiment.js"
import type { Samples } from "./schema.js"

export interface TextMaker {
  /** Texts that share their passes: the size of a group. */
  readonly together: () => Promise<number>
  /** Groups that may be under way at once. */
  readonly width: number
  readonly make: (seed: number, own: readonly StartedText[]) => Promise<readonly MadeText[]>
  readonly dispose: () => Promise<void>
}

export interface MakerJob {
  readonly experiment: Experiment
  readonly network: Network
  readonly parameters: HostTensors
  readonly executor: Executor
  readonly evaluation: Samples
  readonly starts: readonly StartedText[]
}

/** One group after another; what a seed needs is compiled when its first group is asked for. */
export const localMaker = ({ evaluation, starts, ...job }: MakerJob): TextMaker => {
  let open: { readonly seed: number; readonly texts: Promise<Texts> } | undefined
  const close = async (): Promise<void> => {
    const last = open
    open = undefined
    await (await last?.texts)?.dispose()
  }
  const of = async (seed: number): Promise<Texts> => {
    if (open?.seed !== seed) {
      await close()
      const { sampling } = evaluation
      const batch = job.experiment.execution?.evaluationBatch
      open = { seed, texts: openTexts({ ...job, sampling, seed, texts: starts, batch }) }
    }
    return open.texts
  }
  return {
    together: async () => (await of(evaluation.seeds[0])).together,
    width: 1,
    make: async (seed, own) => (await of(seed)).make(own),
    dispose: close,
  }
}
