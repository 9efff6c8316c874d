/** The training rows of an experiment, from the store of its corpus. */
import type { Experiment } from "../../spec/experiment.js"
import type { RowOptions } from "../rows/row-source.js"
import { openShardRows, type TrainingRows } from "../rows/training-rows.js"
import type { LoadedCorpus } from "./corpus.js"
import { requireUnchanged } from "./identity.js"
import { corpusStore } from "./stores.js"

/**
 * @param tools what is told of rows that are lost, and what spells their marks
 * @throws DataError where the corpus cannot be read; DataMismatch where it is no longer the one that was loaded
 */
export const openTraining = async (
  { data, training }: Pick<Experiment, "data" | "training">,
  corpus: LoadedCorpus,
  tools: Pick<RowOptions, "onNotice" | "encode"> = {},
): Promise<TrainingRows> => {
  const options: RowOptions = {
    batching: data.batching,
    tokenizer: data.tokenizer,
    seed: training.seed,
    stepsPerGroup: training.stepsPerGroup,
    ...tools,
  }
  const { open } = corpusStore(data.corpus)
  return open === undefined
    ? openShardRows(corpus.train, { ...options, verify: (path) => requireUnchanged(corpus, [path]) })
    : open(data.corpus, options)
}
