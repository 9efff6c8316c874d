/** Several fork servers behind one queue. */
import { SandboxError, type Execution, type Job, type Limits, type Sandbox } from "./sandbox.js"

/** What runs jobs one at a time. */
export interface JobServer {
  readonly run: (job: Job, limits: Limits) => Promise<Execution>
  readonly close: () => Promise<void>
}

/**
 * A sandbox of servers that are started when they are first needed. A job whose server fails is run once more on a new
 * one, so that one program's neighbour is no reason to stop; a second failure is an error.
 */
export const poolOf = (
  description: string,
  width: number,
  first: JobServer,
  start: () => Promise<JobServer>,
): Sandbox => {
  const idle: JobServer[] = [first]
  const all = new Set<JobServer>([first])
  const queue: (() => void)[] = []
  let busy = 0
  let closed = false

  /** A slot passes from a job that is done to the one that has waited longest. */
  const acquire = async (): Promise<JobServer> => {
    if (busy < width) busy++
    else await new Promise<void>((resolve) => queue.push(resolve))
    try {
      if (closed) throw new SandboxError("The sandbox is closed.")
      const free = idle.pop()
      if (free !== undefined) return free
      const server = await start()
      all.add(server)
      return server
    } catch (error) {
      release()
      throw error
    }
  }
  const release = (server?: JobServer): void => {
    if (server !== undefined) idle.push(server)
    const next = queue.shift()
    if (next === undefined) busy--
    else next()
  }
  const attempt = async (job: Job, limits: Limits): Promise<Execution> => {
    const server = await acquire()
    try {
      const execution = await server.run(job, limits)
      release(server)
      return execution
    } catch (error) {
      all.delete(server)
      await server.close().catch(() => undefined)
      release()
      throw error
    }
  }
  return {
    description,
    width,
    run: async (job, limits) => {
      try {
        return await attempt(job, limits)
      } catch (error) {
        if (!(error instanceof SandboxError) || closed) throw error
        return attempt(job, limits)
      }
    },
    close: async () => {
      closed = true
      for (const wake of queue.splice(0)) wake()
      await Promise.all([...all].map((server) => server.close()))
    },
  }
}
