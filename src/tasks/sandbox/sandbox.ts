/**
 * Where programs that a model wrote run: nowhere else.
 *
 * A program gets no network, no writable file, no other process, a share of memory and time, and one pipe for its
 * answer. What it answers is data of exact type; nothing of it is believed because it says so, and it is never told
 * what is expected of it. When the sandbox itself fails, grading ends with a {@link SandboxError}: a failure of ours is
 * never counted as a wrong answer.
 *
 * What is not kept out: faults of the kernel or of the interpreter's own code that the remaining system calls reach,
 * side channels of the processor (timing, caches), and reading the standard library and the system's shared
 * libraries. A program may know the answer by heart; that is no escape.
 */
import type { Plain } from "./values.js"

export interface Limits {
  /** Processor seconds of a process; what a published time limit is read as. */
  readonly cpu: number
  /** Wall seconds: larger than `cpu`, so that a busy machine changes no verdict. */
  readonly wall: number
  /** Bytes of address space of a process. */
  readonly memory: number
  /** Bytes that a program may answer. */
  readonly output: number
}

/** Limits of a program with so many processor seconds. */
export const limitsOf = (cpu: number): Limits => ({
  cpu,
  wall: 4 * cpu + 4,
  memory: 512 * 2 ** 20,
  output: 2 ** 20,
})

export type Job =
  /** Run a program and call one of its functions without arguments. */
  | {
      readonly kind: "call"
      readonly source: string
      readonly function: string
      /** Leave out up to this many last lines, minus one, until the text compiles. */
      readonly dropLines?: number
    }
  /** Tests in a process of their own call the program's function; only plain values pass between the two. */
  | {
      readonly kind: "check"
      readonly source: string
      readonly entry: string
      /** A right program: the other functions that the tests use are its, not the program's. */
      readonly reference: string
      /** Defines `check(candidate)`. */
      readonly test: string
    }
  /** xlm-core's rules: restricted builtins, program and gold in one process. */
  | {
      readonly kind: "published-call"
      readonly source: string
      readonly gold: string
      readonly seconds: number
      readonly dropLines: number
    }
  /** human-eval's rules: what runs to its end has passed. */
  | { readonly kind: "published-check"; readonly source: string; readonly seconds: number }

interface Spent {
  /** Processor seconds of the process that used most. */
  readonly cpu: number
  readonly wall: number
}

/** What came of a job. */
export type Execution = Spent &
  (
    | { readonly status: "answered"; readonly answer: Readonly<Record<string, unknown>> }
    /** The process ended without an answer: its exit code, or minus the signal. */
    | { readonly status: "ended"; readonly exit: number }
    /** Its answer was not one that the runner writes. */
    | { readonly status: "malformed" }
    | { readonly status: "over"; readonly limit: "cpu" | "wall" | "output" }
  )

export interface Sandbox {
  /** The kind of wall and the interpreter behind it, in words. */
  readonly description: string
  /** Programs that run at once. */
  readonly width: number
  /**
   * Run a job; it waits its turn.
   * @throws SandboxError when the sandbox fails
   */
  readonly run: (job: Job, limits: Limits) => Promise<Execution>
  readonly close: () => Promise<void>
}

/** The sandbox failed, or is not there. Nothing was graded with it. */
export class SandboxError extends Error {
  readonly _tag = "SandboxError"

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = "SandboxError"
  }
}

/** What a program's function gave. */
export type CallOutcome =
  | { readonly kind: "value"; readonly value: Plain }
  | { readonly kind: "error"; readonly error: string }
  | { readonly kind: "timeout" }
