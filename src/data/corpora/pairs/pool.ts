/** Threads that tokenise; results come in the order of the blocks, whatever the number of threads. */
import { moduleUrl } from "../../../files/package-files.js"
import { openThreads } from "../../../files/threads.js"
import type { Block, RowRule, TokenisedBlock } from "./tokenise.js"

export interface TokeniserPool {
  readonly tokenise: (block: Block) => Promise<TokenisedBlock>
  /** Blocks that may be under way before another is read. */
  readonly room: number
  readonly close: () => Promise<void>
}

/** Blocks for each thread: one that it works on and one that waits. */
const AHEAD = 2

const WORKER = moduleUrl("data/corpora/pairs/worker")

export const openPool = (
  workers: number,
  data: { readonly tokenizer: Uint8Array; readonly path: string; readonly rule: RowRule },
): TokeniserPool => {
  const { ask, close } = openThreads<Block, TokenisedBlock>(WORKER, workers, data)
  return { tokenise: ask, room: AHEAD * workers, close }
}
