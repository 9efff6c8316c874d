/** One fork server: started, spoken to one job at a time, and killed with all that it holds. */
import { spawn, type ChildProcessByStdio } from "node:child_process"
import type { Readable, Writable } from "node:stream"
import { SandboxError, type Execution, type Job, type Limits } from "./sandbox.js"

const PROTOCOL = 2
/** As python/sandbox/server.py numbers them. */
const KINDS: readonly Job["kind"][] = ["call", "check", "published-call", "published-check"]
const LIMITS = [undefined, "cpu", "wall", "output"] as const
const REQUEST_BYTES = 37
const REPORT_BYTES = 26
/** Starting Python takes a fifth of a second, on a busy machine much more. */
const START_TIMEOUT_MS = 240_000
/** Beyond the wall limit, the time in which the server must have reported. */
const REPORT_GRACE_MS = 30_000
/** A report holds an answer in hexadecimal and little else. */
const MOST_REPORT = 64 * 2 ** 20
const KEPT_ERRORS = 2_000

export interface ServerCommand {
  readonly file: string
  readonly args: readonly string[]
}

interface Report {
  readonly fault: boolean
  readonly over: (typeof LIMITS)[number]
  readonly exit: number
  readonly cpu: number
  readonly wall: number
  readonly answer: Buffer
}

const encoded = (value: unknown): Buffer => Buffer.from(JSON.stringify(value), "utf8")

/** The tests are a part of their own: a program is forked from a process that never saw them. */
const partsOf = (job: Job): readonly [tests: Buffer, program: Buffer] => {
  if (job.kind !== "check") return [Buffer.alloc(0), encoded(job)]
  const { entry, reference, test, source } = job
  return [encoded({ entry, reference, test }), encoded({ entry, source })]
}

const requestOf = (job: Job, { cpu, wall, memory, output }: Limits): Buffer => {
  const [tests, program] = partsOf(job)
  const head = Buffer.alloc(REQUEST_BYTES)
  head.writeUInt8(KINDS.indexOf(job.kind), 0)
  head.writeUInt32BE(tests.length, 1)
  head.writeUInt32BE(program.length, 5)
  head.writeDoubleBE(cpu, 9)
  head.writeDoubleBE(wall, 17)
  head.writeBigUInt64BE(BigInt(memory), 25)
  head.writeUInt32BE(output, 33)
  return Buffer.concat([head, tests, program])
}

/** One length-prefixed JSON object in the whole of the bytes; undefined otherwise. */
const answerOf = (bytes: Buffer): Readonly<Record<string, unknown>> | undefined => {
  if (bytes.length < 4 || bytes.readUInt32BE(0) !== bytes.length - 4) return undefined
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8", 4))
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined
  } catch {
    return undefined
  }
}

const executionOf = ({ over, exit, cpu, wall, answer: bytes }: Report): Execution => {
  const spent = { cpu, wall }
  if (over !== undefined) return { ...spent, status: "over", limit: over }
  if (bytes.length === 0) return { ...spent, status: "ended", exit }
  const answer = answerOf(bytes)
  return answer === undefined ? { ...spent, status: "malformed" } : { ...spent, status: "answered", answer }
}

export class ServerProcess {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>
  #buffer: Buffer = Buffer.alloc(0)
  #errors = ""
  #ready = false
  #waiting: { readonly resolve: (r: Report) => void; readonly reject: (e: Error) => void } | undefined
  #failure: SandboxError | undefined
  readonly #ended: Promise<void>
  /** Version of the interpreter behind the wall. */
  python = ""

  private constructor({ file, args }: ServerCommand) {
    this.#process = spawn(file, [...args], { stdio: ["pipe", "pipe", "pipe"], env: {}, detached: true })
    this.#process.stdin.on("error", () => undefined)
    this.#process.stderr.on("data", (part: Buffer) => {
      this.#errors = (this.#errors + part.toString("utf8")).slice(-KEPT_ERRORS)
    })
    this.#process.stdout.on("data", (part: Buffer) => this.#receive(part))
    this.#ended = new Promise((resolve) => {
      this.#process.once("error", (error) => {
        this.#fail(new SandboxError(`The sandbox could not be started: ${error.message}.`, error))
        resolve()
      })
      this.#process.once("close", (code, signal) => {
        const last = this.#errors.trim().split("\n").slice(-3).join(" ")
        this.#fail(
          new SandboxError(
            `The sandbox ended (${signal ?? `exit code ${code ?? "unknown"}`})${last === "" ? "" : `: ${last}`}`,
          ),
        )
        resolve()
      })
    })
  }

  /** @throws SandboxError when it does not start, or is another version's */
  static async start(command: ServerCommand): Promise<ServerProcess> {
    const server = new ServerProcess(command)
    try {
      const { answer } = await server.#next(START_TIMEOUT_MS)
      const { ready, python } = JSON.parse(answer.toString("utf8")) as { ready: unknown; python: string }
      if (ready !== PROTOCOL)
        throw new SandboxError("The sandbox speaks another protocol; install repro again, whole.")
      server.python = python
      return server
    } catch (error) {
      await server.close()
      throw error
    }
  }

  /** @throws SandboxError when the server fails; it must be closed then */
  async run(job: Job, limits: Limits): Promise<Execution> {
    if (this.#failure !== undefined) throw this.#failure
    const next = this.#next(1000 * limits.wall + REPORT_GRACE_MS)
    this.#process.stdin.write(requestOf(job, limits))
    const report = await next
    if (report.fault) throw new SandboxError(`The sandbox failed: ${report.answer.toString("utf8")}.`)
    const execution = executionOf(report)
    // Tests run in a process that no program reaches: when it has nothing to say, the fault is ours.
    if (job.kind === "check" && (execution.status === "ended" || execution.status === "malformed"))
      throw new SandboxError(`The process of the tests ended without a verdict (${execution.status}).`)
    return execution
  }

  async close(): Promise<void> {
    this.#process.stdin.destroy()
    if (
      this.#process.pid !== undefined &&
      this.#process.exitCode === null &&
      this.#process.signalCode === null
    ) {
      try {
        // The group: bubblewrap and, through its process namespace, everything in it.
        process.kill(-this.#process.pid, "SIGKILL")
      } catch {
        this.#process.kill("SIGKILL")
      }
    }
    await this.#ended
  }

  #next(timeoutMs: number): Promise<Report> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () =>
          this.#fail(
            new SandboxError(`The sandbox did not answer within ${Math.round(timeoutMs / 1000)} s.`),
          ),
        timeoutMs,
      )
      this.#waiting = {
        resolve: (report) => {
          clearTimeout(late)
          resolve(report)
        },
        reject: (error) => {
          clearTimeout(late)
          reject(error)
        },
      }
    })
  }

  #receive(part: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? part : Buffer.concat([this.#buffer, part])
    const head = this.#ready ? REPORT_BYTES : 4
    if (this.#buffer.length < head) return
    const size = this.#buffer.readUInt32BE(head - 4)
    if (size > MOST_REPORT)
      return this.#fail(new SandboxError("The sandbox wrote something that is no report."))
    if (this.#buffer.length < head + size) return
    const [report, answer] = [this.#buffer, this.#buffer.subarray(head, head + size)]
    this.#buffer = this.#buffer.subarray(head + size)
    const waiting = this.#waiting
    this.#waiting = undefined
    if (!this.#ready) {
      this.#ready = true
      waiting?.resolve({ fault: false, over: undefined, exit: 0, cpu: 0, wall: 0, answer })
      return
    }
    waiting?.resolve({
      fault: report.readUInt8(0) !== 0,
      over: LIMITS[report.readUInt8(1)],
      exit: report.readInt32BE(2),
      cpu: report.readDoubleBE(6),
      wall: report.readDoubleBE(14),
      answer,
    })
  }

  #fail(error: SandboxError): void {
    this.#failure ??= error
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.reject(this.#failure)
  }
}
