/** One side of a measurement: a process that answers JSON lines. */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

export interface Contender {
  readonly id: string
  readonly ask: <T>(command: string, request?: object) => Promise<T>
  readonly close: () => void
}

/** A failure of the other side, in its own words. */
export class ContenderError extends Error {
  override readonly name = "ContenderError"
}

const start = (id: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv): Contender => {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...env } })
  let errors = ""
  child.stderr.on("data", (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-2000)))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    id,
    ask: async <T>(name: string, request: object = {}): Promise<T> => {
      child.stdin.write(`${JSON.stringify({ command: name, ...request })}\n`)
      const { value, done } = await lines.next()
      if (done === true) throw new ContenderError(`${id} ended: ${errors}`)
      const answer = JSON.parse(value as string) as T & { readonly error?: string }
      if (answer.error !== undefined) throw new ContenderError(`${id}: ${answer.error}`)
      return answer
    },
    close: () => void child.kill(),
  }
}

export const startReference = (id: string, threads: number): Contender =>
  start(
    id,
    process.env["REPRO_PYTHON"] ?? "python3",
    [fileURLToPath(new URL("reference/mdlm_torch.py", import.meta.url))],
    { OMP_NUM_THREADS: String(threads) },
  )

export const startOurs = (id: string): Contender =>
  start(id, process.execPath, ["--import", "tsx", fileURLToPath(new URL("ours.ts", import.meta.url))], {})
