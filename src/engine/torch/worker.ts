/**
 * The worker process: started, spoken to one request at a time, and watched.
 *
 * Requests are answered in order. When the process ends by itself, every open request fails with its last lines;
 * when this process ends, the worker reads the end of its input and ends too.
 */
import { execa } from "execa"
import { packageFile } from "../../files/package-files.js"
import { ExecutorError, OutOfMemoryError } from "../errors.js"
import { WEIGHTS_CURE } from "../weights.js"
import { INSTALL_TORCH, OLDEST_TORCH } from "./find-torch.js"
import { FrameError, PROTOCOL, readFrames, writeFrame, type Frame, type FrameTensor } from "./frames.js"

/** Long enough to load PyTorch from a slow disk on every rank. */
const HANDSHAKE_TIMEOUT_MS = 180_000
/** How long a worker may take to end after it was asked to: torchrun waits for its other nodes. */
const SHUTDOWN_TIMEOUT_MS = 60_000
const KEPT_LINES = 200
const REPORTED_LINES = 20
/** Where torchrun begins to say of a failure what the process said before. */
const LAUNCHER_REPORT = /failed \(exitcode: /
const LAUNCHER_LINE = /torch[./]distributed[./](elastic|run|launcher)/

/** The folder that holds the Python package. */
export const WORKER_FOLDER = packageFile("python", "repro_worker")

export interface WorkerCommand {
  readonly file: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
}

export interface WorkerReady {
  /** PyTorch's version. */
  readonly torch: string
  /** The device in words. */
  readonly device: string
  /** Number of processes that share the work. */
  readonly world: number
  /** Whether programs are compiled, and why not where they are not. */
  readonly compile: string
  /** What holds of the bits of two runs, in words: `SAME_BITS`, or why they may differ. */
  readonly bits?: string
  /** What became of CUDA graphs, in words; empty where none were asked for, or none captured yet. */
  readonly graphs?: string
}

/** The worker's words where the same state gives the same bits again. */
export const SAME_BITS = "the same bits again"

type Kind = "memory" | "gpu" | "compile" | "protocol" | "version" | "weights" | "fault"

const CURES: Readonly<Record<Kind, string>> = {
  memory:
    "lower /training/microBatch and raise /training/accumulation by the same factor, or use --precision bf16",
  gpu: "install a PyTorch built for this machine's driver (https://pytorch.org/get-started/locally), or use --device cpu",
  compile: "set REPRO_TORCH_COMPILE=0 to run without compilation",
  protocol: "install repro again, so that both of its parts have one version",
  version: `run \`${INSTALL_TORCH}\``,
  weights: WEIGHTS_CURE,
  fault: "this is a fault of the worker; please report the spec",
}

interface Pending {
  readonly resolve: (frame: Frame) => void
  readonly reject: (error: Error) => void
}

const spawn = ({ file, args, env }: WorkerCommand) =>
  execa(file, [...args], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    buffer: false,
    encoding: "buffer",
    reject: false,
    env,
    extendEnv: false,
    // Ctrl-C belongs to the program that owns the worker: it stops after the step in progress.
    detached: process.platform !== "win32",
  })

export class TorchWorker {
  readonly pid: number | undefined
  #ready: WorkerReady | undefined
  readonly #process: ReturnType<typeof spawn>
  readonly #pending: Pending[] = []
  readonly #lines: string[] = []
  #writing: Promise<void> = Promise.resolve()
  #failure: Error | undefined
  #closing = false
  readonly #ended: Promise<void>

  private constructor(command: WorkerCommand) {
    this.#process = spawn(command)
    this.pid = this.#process.pid
    this.#process.stdin.on("error", () => undefined)
    const errors = this.#keepLines()
    const frames = this.#receive()
    this.#ended = this.#watch(errors, frames)
  }

  /** @throws ExecutorError when it does not start, or speaks another protocol */
  static async start(command: WorkerCommand, hello: Readonly<Record<string, unknown>>): Promise<TorchWorker> {
    const worker = new TorchWorker(command)
    const late = setTimeout(
      () => worker.#fail(worker.#died(`did not answer within ${HANDSHAKE_TIMEOUT_MS / 1000} s`)),
      HANDSHAKE_TIMEOUT_MS,
    )
    try {
      const { header } = await worker.request({
        type: "hello",
        protocol: PROTOCOL,
        oldest: OLDEST_TORCH,
        ...hello,
      })
      if (header["type"] !== "ready" || header["protocol"] !== PROTOCOL)
        throw protocolError(
          `the worker speaks protocol ${String(header["protocol"] ?? "unknown")}, this program ${PROTOCOL}`,
        )
      worker.#ready = header as unknown as WorkerReady
      return worker
    } catch (error) {
      await worker.#kill()
      throw error
    } finally {
      clearTimeout(late)
    }
  }

  get ready(): WorkerReady {
    return this.#ready!
  }

  /** Sends one frame and waits for its answer. @throws ExecutorError for an error that the worker reports, or its death */
  async request(
    header: Readonly<Record<string, unknown>>,
    tensors: readonly FrameTensor[] = [],
  ): Promise<Frame> {
    if (this.#failure !== undefined) throw this.#failure
    const answer = new Promise<Frame>((resolve, reject) => this.#pending.push({ resolve, reject }))
    const written = this.#writing.then(() => writeFrame(this.#process.stdin, { header, tensors }))
    // A write to a worker that died fails here; its death, with its last lines, is what is reported.
    this.#writing = written.catch(() => undefined)
    const frame = await answer
    if (frame.header["type"] === "error") throw reported(frame.header)
    for (const said of ["bits", "graphs"]) {
      const words = frame.header[said]
      if (typeof words === "string" && this.#ready !== undefined)
        this.#ready = { ...this.#ready, [said]: words }
    }
    return frame
  }

  /** Asks the worker to end and waits for it. */
  async close(): Promise<void> {
    if (this.#closing) return this.#ended
    this.#closing = true
    await this.#writing
    this.#process.stdin.end()
    const late = setTimeout(() => void this.#kill(), SHUTDOWN_TIMEOUT_MS)
    await this.#ended
    clearTimeout(late)
  }

  async #kill(): Promise<void> {
    this.#closing = true
    this.#process.kill("SIGKILL")
    await this.#ended
  }

  async #keepLines(): Promise<void> {
    let rest = ""
    this.#process.stderr.setEncoding("utf8")
    for await (const chunk of this.#process.stderr as AsyncIterable<string>) {
      const lines = (rest + chunk).split(/\r?\n/)
      rest = lines.pop()!
      this.#lines.push(...lines.filter((line) => line.trim() !== ""))
      this.#lines.splice(0, this.#lines.length - KEPT_LINES)
    }
    if (rest.trim() !== "") this.#lines.push(rest)
  }

  async #receive(): Promise<void> {
    try {
      for await (const frame of readFrames(this.#process.stdout)) this.#pending.shift()?.resolve(frame)
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      if (error.message.startsWith("the stream ended")) return
      this.#fail(protocolError(`the worker's output is not its protocol: ${error.message}`))
      this.#process.kill("SIGKILL")
    }
  }

  async #watch(errors: Promise<void>, frames: Promise<void>): Promise<void> {
    const result = await this.#process
    await Promise.all([errors.catch(() => undefined), frames.catch(() => undefined)])
    const how =
      result.signal !== undefined
        ? `was ended by ${result.signal}`
        : result.exitCode === undefined
          ? `could not be started (${result.shortMessage})`
          : `ended with code ${result.exitCode}`
    this.#fail(this.#died(how, result.signal === "SIGKILL"))
  }

  #fail(error: Error): void {
    this.#failure ??= error
    for (const { reject } of this.#pending.splice(0)) reject(this.#failure)
  }

  #died(how: string, killed = false): ExecutorError {
    const report = this.#lines.findIndex((line) => LAUNCHER_REPORT.test(line))
    const before = report === -1 ? this.#lines : this.#lines.slice(0, report)
    const own = before.filter((line) => !LAUNCHER_LINE.test(line))
    const text = (own.length > 0 ? own : this.#lines).slice(-REPORTED_LINES).join("\n")
    const missing = /ModuleNotFoundError: No module named '(torch|repro_worker)\b/.exec(text)?.[1]
    if (missing === "torch")
      return new ExecutorError("torch", "PyTorch is not installed", `run \`${INSTALL_TORCH}\``)
    const memory = /OutOfMemoryError|can't allocate memory|MemoryError/.test(text)
    const last = text === "" ? "it printed nothing" : `its last lines:\n${text}\n`
    if (memory)
      return new OutOfMemoryError("torch", `the worker ${how}: it ran out of memory; ${last}`, CURES.memory)
    return new ExecutorError(
      "torch",
      `the worker ${how}${killed ? ", which is also what the system does when memory runs out" : ""}; ${last}`,
      "the run goes on from its last checkpoint with `repro run SPEC --resume latest`",
    )
  }
}

const protocolError = (problem: string): ExecutorError =>
  new ExecutorError("torch", `protocol mismatch: ${problem}`, CURES.protocol)

const reported = (header: Readonly<Record<string, unknown>>): ExecutorError => {
  const kind = (header["kind"] ?? "fault") as Kind
  const cure = CURES[kind] ?? CURES.fault
  const message = String(header["message"])
  if (kind !== "memory") return new ExecutorError("torch", message, cure)
  const gpuBytes = typeof header["gpuBytes"] === "number" ? header["gpuBytes"] : undefined
  return new OutOfMemoryError("torch", message, cure, { gpuBytes })
}
