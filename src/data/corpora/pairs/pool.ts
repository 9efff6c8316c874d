/** Threads that tokenise; results come in the order of the blocks, whatever the number of threads. */
import { Worker } from "node:worker_threads"
import { DataError, type DataErrorReason } from "../../../files/errors.js"
import type { Block, PairRule, TokenisedBlock } from "./tokenise.js"

export interface TokeniserPool {
  readonly tokenise: (block: Block) => Promise<TokenisedBlock>
  /** Blocks that may be under way before another is read. */
  readonly room: number
  readonly close: () => Promise<void>
}

interface Answer {
  readonly job: number
  readonly done?: TokenisedBlock
  readonly fault?: { readonly reason: DataErrorReason; readonly subject: string; readonly message: string }
}

interface Waiting {
  readonly resolve: (done: TokenisedBlock) => void
  readonly reject: (error: Error) => void
}

/** Blocks for each thread: one that it works on and one that waits. */
const AHEAD = 2

const source = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url)

/** From the sources a thread needs their loader as well. */
const bootstrap = source.pathname.endsWith(".ts")
  ? `import("tsx/esm/api").then(({ register }) => { register(); return import(${JSON.stringify(source.href)}) })`
  : `import(${JSON.stringify(source.href)})`

export const openPool = (
  workers: number,
  data: { readonly tokenizer: Uint8Array; readonly path: string; readonly rule: PairRule },
): TokeniserPool => {
  const waiting = new Map<number, Waiting>()
  let jobs = 0
  let failed: Error | undefined
  const fail = (error: Error): void => {
    failed ??= error
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
  }
  const threads = Array.from({ length: workers }, () => {
    const thread = new Worker(bootstrap, { eval: true, workerData: data })
    thread.on("message", ({ job, done, fault }: Answer) => {
      const asked = waiting.get(job)
      waiting.delete(job)
      if (fault !== undefined) asked?.reject(new DataError(fault.reason, fault.subject, fault.message))
      else asked?.resolve(done!)
    })
    thread.on("error", (error) => fail(error instanceof Error ? error : new Error(String(error))))
    return thread
  })
  return {
    room: AHEAD * workers,
    tokenise: (block) =>
      new Promise((resolve, reject) => {
        if (failed !== undefined) return reject(failed)
        const job = jobs++
        waiting.set(job, { resolve, reject })
        // A thread has no origin.
        // oxlint-disable-next-line unicorn/require-post-message-target-origin
        threads[job % workers]!.postMessage({ job, block })
      }),
    close: async () => {
      await Promise.all(threads.map((thread) => thread.terminate()))
    },
  }
}
