/** Batches tokenised by several threads, given back in their order. */
import { moduleUrl } from "../../../files/package-files.js"
import { openThreads } from "../../../files/threads.js"
import type { SentencePieceModel } from "../../tokenizers/sentencepiece.js"
import { BatchTokeniser, type TokenisedBatch } from "./count.js"

export interface Threads {
  /** None: in this thread. */
  readonly workers: number
  readonly model: SentencePieceModel
  /** Of the tokenizer's file, which each thread reads. */
  readonly path: string
  readonly boundaryId: number
}

const WORKER = moduleUrl("data/corpora/text/worker")

/** As many batches are under way as there are threads, and as many wait. */
export async function* tokeniseAll(
  batches: AsyncIterable<readonly string[]>,
  { workers, model, path, boundaryId }: Threads,
): AsyncIterable<TokenisedBatch> {
  if (workers === 0) {
    const tokeniser = new BatchTokeniser(model, boundaryId)
    for await (const documents of batches) yield tokeniser.tokenise(documents)
    return
  }
  const pool = openThreads<readonly string[], TokenisedBatch>(WORKER, workers, { path, boundaryId })
  const waiting: Promise<TokenisedBatch>[] = []
  try {
    for await (const documents of batches) {
      const made = pool.ask(documents)
      made.catch(() => undefined) // it is awaited in its turn
      waiting.push(made)
      if (waiting.length >= 2 * workers) yield await waiting.shift()!
    }
    while (waiting.length > 0) yield await waiting.shift()!
  } finally {
    await pool.close()
  }
}
