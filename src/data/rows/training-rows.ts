/** The rows that a training run takes, whatever corpus they are from. */
import { openRotation } from "./rotation.js"
import { openRowSource, type RowOptions, type RowSource } from "./row-source.js"

/** Rows of every step of one run. */
export interface TrainingRows extends RowSource {
  /** Parts of the corpus that training visits one after another, `stepsPerGroup` steps each. */
  readonly groups: number
  /** Ends what is read in the background. */
  readonly close: () => Promise<void>
}

export interface ShardRowsOptions extends RowOptions {
  /** Called with each shard after it was read, before its tokens are used; rejects when it is no longer the same. */
  readonly verify?: (path: string) => Promise<void>
}

/**
 * Rows cut from shards, which are read in groups as `batching` says.
 * @throws DataError for the first shard that is missing, damaged or foreign
 */
export const openShardRows = async (
  shards: readonly string[],
  options: ShardRowsOptions,
): Promise<TrainingRows> => {
  const { batching, tokenizer, verify } = options
  const rotation = await openRotation({
    shards,
    shardsInMemory: batching.shardsInMemory,
    rotation: batching.rotation,
    vocabSize: tokenizer.vocabSize,
    ...(verify === undefined ? {} : { verify }),
  })
  return {
    ...openRowSource(rotation, options),
    groups: rotation.groups,
    close: () => rotation.close(),
  }
}
