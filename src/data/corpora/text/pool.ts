/** Batches tokenised by several threads, given back in their order. */
import { once } from "node:events"
import { Worker } from "node:worker_threads"
import { DataError } from "../../../files/errors.js"
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

const WORKER = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url)

interface Thread {
  readonly tokenise: (documents: readonly string[]) => Promise<TokenisedBatch>
  readonly end: () => Promise<unknown>
}

const startThread = ({ path, boundaryId }: Threads): Thread => {
  const worker = new Worker(WORKER, { workerData: { path, boundaryId } })
  const ended = new AbortController()
  let failure: unknown
  worker.on("error", (error) => {
    failure = error
    ended.abort()
  })
  worker.on("exit", () => ended.abort())
  return {
    tokenise: async (documents) => {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      worker.postMessage(documents)
      const answer = once(worker, "message", { signal: ended.signal }).catch((error: unknown) => {
        throw failure ?? error
      })
      const [made] = (await answer) as [TokenisedBatch | { readonly error: string }]
      if ("error" in made) throw new DataError("invalid", path, made.error)
      return made
    },
    end: () => worker.terminate(),
  }
}

/** As many batches are under way as there are threads, and as many wait. */
export async function* tokeniseAll(
  batches: AsyncIterable<readonly string[]>,
  threads: Threads,
): AsyncIterable<TokenisedBatch> {
  if (threads.workers === 0) {
    const tokeniser = new BatchTokeniser(threads.model, threads.boundaryId)
    for await (const documents of batches) yield tokeniser.tokenise(documents)
    return
  }
  const pool = Array.from({ length: threads.workers }, () => ({
    thread: startThread(threads),
    last: Promise.resolve() as Promise<unknown>,
  }))
  const waiting: Promise<TokenisedBatch>[] = []
  let next = 0
  try {
    for await (const documents of batches) {
      const slot = pool[next++ % pool.length]!
      const made = slot.last.then(() => slot.thread.tokenise(documents))
      slot.last = made
      made.catch(() => undefined) // it is awaited in its turn
      waiting.push(made)
      if (waiting.length >= 2 * pool.length) yield await waiting.shift()!
    }
    while (waiting.length > 0) yield await waiting.shift()!
  } finally {
    await Promise.all(pool.map(({ thread }) => thread.end()))
  }
}
