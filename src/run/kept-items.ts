/**
 * Items of an evaluation that are done, so that one which was stopped goes on behind them. They are parts that were made
 * together: a part that a kill left unfinished, or that was damaged, is made again as a whole.
 */
import type { KeptItems, KeptPart } from "../evaluators/job.js"
import { digestOf, openKeptLines } from "./kept-lines.js"

interface Line {
  readonly part: string
  readonly sha256: string
  readonly made: KeptPart
}

export interface ItemStore extends KeptItems {
  /** Parts that an earlier call left. */
  readonly found: number
  /** The evidence is written: nothing of this is needed any more. */
  readonly done: () => Promise<void>
}

export interface ItemStoreOptions {
  /** Folder of the run. */
  readonly directory: string
  readonly evaluation: string
  /** What the items depend on: weights, executor, the evaluation itself. Those of others are dropped. */
  readonly of: string
}

const sum = (part: string, made: KeptPart): string => digestOf(JSON.stringify([part, made]))

export const openItems = async ({ directory, evaluation, of }: ItemStoreOptions): Promise<ItemStore> => {
  const { found, keep, done } = await openKeptLines<Line>({
    directory,
    name: `${evaluation}.items.ndjson`,
    of,
    pieces: "items that are done",
    sound: ({ part, made, sha256 }) => sum(part, made) === sha256,
  })
  const parts = new Map(found.map(({ part, made }) => [part, made]))
  return {
    found: parts.size,
    find: (part) => parts.get(part),
    keep: (part, made) => keep({ part, sha256: sum(part, made), made }),
    done,
  }
}
