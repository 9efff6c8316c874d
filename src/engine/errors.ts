/** Failures of executors: what happened and what cures it. */
import type { EngineName } from "./host.js"

export class ExecutorError extends Error {
  override readonly name = "ExecutorError"
  readonly executor: EngineName
  readonly problem: string
  /** What the user can do about it. */
  readonly cure: string

  constructor(executor: EngineName, problem: string, cure: string, options?: ErrorOptions) {
    super(`${executor}: ${problem}; ${cure}`, options)
    this.executor = executor
    this.problem = problem
    this.cure = cure
  }
}

/** The executor or the system had no more memory. */
export class OutOfMemoryError extends ExecutorError {
  /** Memory of the GPU that ran out; undefined where it was the machine's, or nobody said. */
  readonly gpuBytes: number | undefined

  constructor(
    executor: EngineName,
    problem: string,
    cure: string,
    options: ErrorOptions & { readonly gpuBytes?: number | undefined } = {},
  ) {
    super(executor, problem, cure, options)
    this.gpuBytes = options.gpuBytes
  }
}

/** How libraries say it: PyTorch, onnxruntime's arena, C++, TensorFlow, JavaScript. */
const SAID = [
  /\bout of memory\b/i,
  /can't allocate memory/i,
  /failed to allocate memory for requested buffer/i,
  /\bbad[_ ]alloc(ation)?\b/i,
  /\bOOM when allocating\b/,
  /\bRESOURCE_EXHAUSTED\b/,
  /array buffer allocation failed/i,
  /invalid (typed array|array buffer) length/i,
]
const LOWER =
  "lower /training/microBatch and raise /training/accumulation by the same factor, or use another machine"

/** The failure as an OutOfMemoryError where it is one, in any executor's words; else undefined. */
export const asOutOfMemory = (executor: EngineName, error: unknown): OutOfMemoryError | undefined => {
  if (error instanceof OutOfMemoryError) return error
  if (!(error instanceof Error) || !SAID.some((words) => words.test(error.message))) return undefined
  if (error instanceof ExecutorError)
    return new OutOfMemoryError(executor, error.problem, error.cure, { cause: error })
  const wanted = Number(/requested buffer of size (\d+)/.exec(error.message)?.[1])
  const more = Number.isNaN(wanted) ? "" : `: ${(wanted / 2 ** 30).toFixed(1)} GiB more were needed`
  return new OutOfMemoryError(executor, `out of memory${more}`, LOWER, { cause: error })
}
