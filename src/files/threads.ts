/** Worker threads that answer one kind of job; the answers are those of the jobs, whatever the number of threads. */
import { parentPort, Worker } from "node:worker_threads"
import { DataError, type DataErrorReason } from "./errors.js"

export interface Threads<Job, Done> {
  /** Jobs go to the threads in turn, each of which does its own in their order. */
  readonly ask: (job: Job) => Promise<Done>
  readonly close: () => Promise<void>
}

interface Question<Job> {
  readonly id: number
  readonly job: Job
}

interface Answer<Done> {
  readonly id: number
  readonly done?: Done
  readonly fault?: { readonly reason: DataErrorReason; readonly subject: string; readonly message: string }
}

interface Waiting<Done> {
  readonly resolve: (done: Done) => void
  readonly reject: (error: Error) => void
}

/** @param module URL of the worker's module; from TypeScript sources a thread loads their loader before it */
export const openThreads = <Job, Done>(module: URL, count: number, data: unknown): Threads<Job, Done> => {
  const load = `import(${JSON.stringify(module.href)})`
  const start = module.pathname.endsWith(".ts")
    ? `import("tsx/esm/api").then(({ register }) => { register(); return ${load} })`
    : load
  const waiting = new Map<number, Waiting<Done>>()
  let asked = 0
  let failed: Error | undefined
  const fail = (error: Error): void => {
    failed ??= error
    for (const { reject } of waiting.values()) reject(failed)
    waiting.clear()
  }
  const threads = Array.from({ length: count }, () => {
    const thread = new Worker(start, { eval: true, workerData: data })
    thread.on("message", ({ id, done, fault }: Answer<Done>) => {
      const own = waiting.get(id)
      waiting.delete(id)
      if (fault !== undefined) own?.reject(new DataError(fault.reason, fault.subject, fault.message))
      else own?.resolve(done!)
    })
    thread.on("error", (error) => fail(error instanceof Error ? error : new Error(String(error))))
    thread.on("exit", () => fail(new Error("a thread ended before its work was done")))
    return thread
  })
  return {
    ask: (job) =>
      new Promise((resolve, reject) => {
        if (failed !== undefined) return reject(failed)
        const id = asked++
        waiting.set(id, { resolve, reject })
        const question: Question<Job> = { id, job }
        // A thread has no origin.
        // oxlint-disable-next-line unicorn/require-post-message-target-origin
        threads[id % count]!.postMessage(question)
      }),
    close: async () => {
      await Promise.all(threads.map((thread) => thread.terminate()))
    },
  }
}

/** What a worker's module does: answers every job, or says what is wrong with it. */
export const answerJobs = <Job, Done>(
  answer: (job: Job) => Done | Promise<Done>,
  { subject, moved }: { readonly subject: (job: Job) => string; readonly moved: (done: Done) => ArrayBuffer },
): void => {
  const port = parentPort!
  const faultOf = (error: unknown, job: Job): NonNullable<Answer<Done>["fault"]> => {
    if (error instanceof DataError) {
      const { reason, subject: about, message } = error
      return { reason, subject: about, message: message.slice(about.length + 2) }
    }
    return {
      reason: "invalid",
      subject: subject(job),
      message: error instanceof Error ? error.message : String(error),
    }
  }
  port.on("message", ({ id, job }: Question<Job>) => {
    void (async () => {
      try {
        const done = await answer(job)
        port.postMessage({ id, done } satisfies Answer<Done>, [moved(done)])
      } catch (error) {
        // A thread has no origin.
        // oxlint-disable-next-line unicorn/require-post-message-target-origin
        port.postMessage({ id, fault: faultOf(error, job) } satisfies Answer<Done>)
      }
    })()
  })
}
