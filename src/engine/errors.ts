/** Failures of executors: what happened and what cures it. */
import type { Executor } from "./executor.js"

export class ExecutorError extends Error {
  override readonly name = "ExecutorError"
  readonly executor: Executor["name"]
  /** What the user can do about it. */
  readonly cure: string

  constructor(executor: Executor["name"], problem: string, cure: string, options?: ErrorOptions) {
    super(`${executor}: ${problem}; ${cure}`, options)
    this.executor = executor
    this.cure = cure
  }
}
