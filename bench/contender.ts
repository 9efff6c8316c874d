/** One side of a measurement: a process that answers JSON lines. */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { nodeArguments } from "../scripts/node-arguments.js"
import { PYTHON } from "./machine.js"

export interface Contender {
  readonly id: string
  readonly pid: number
  /** @throws ContenderError when the other side fails or has ended */
  readonly ask: <T>(command: string, request?: object) => Promise<T>
  /** Resolves when the process has ended. */
  readonly close: () => Promise<void>
}

/** A failure of the other side, in its own words. */
export class ContenderError extends Error {
  override readonly name = "ContenderError"
}

const SHUTDOWN_TIMEOUT_MS = 10_000

const start = (id: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv): Contender => {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...env } })
  let errors = ""
  child.stderr.on("data", (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-2000)))
  child.stdin.on("error", () => undefined) // the end of its output says the same
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve())
    child.once("error", (error) => {
      errors = error.message
      resolve()
    })
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    id,
    pid: child.pid ?? 0,
    ask: async <T>(name: string, request: object = {}): Promise<T> => {
      child.stdin.write(`${JSON.stringify({ command: name, ...request })}\n`)
      const { value, done } = await lines.next()
      if (done === true) {
        await ended
        throw new ContenderError(`it ended: ${errors.trim().split("\n").at(-1) ?? ""}`)
      }
      const answer = JSON.parse(value as string) as T & { readonly error?: string }
      if (answer.error !== undefined) throw new ContenderError(answer.error)
      return answer
    },
    close: async () => {
      child.stdin.end()
      const timer = setTimeout(() => child.kill("SIGKILL"), SHUTDOWN_TIMEOUT_MS)
      await ended
      clearTimeout(timer)
    },
  }
}

export const startReference = (id: string, threads: number, file = "mdlm_torch.py"): Contender =>
  start(id, PYTHON, [fileURLToPath(new URL(`reference/${file}`, import.meta.url))], {
    OMP_NUM_THREADS: String(threads),
  })

export const startOurs = (id: string, file = "bench/ours.ts"): Contender =>
  start(id, process.execPath, nodeArguments(file), {})
