/**
 * A Python whose PyTorch workers are forked from one process that has loaded PyTorch, for tests: loading it takes
 * seconds of a processor in each worker. What else it is asked is answered by Python itself.
 */
import { execFile, spawn } from "node:child_process"
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { promisify } from "node:util"
import { findPython } from "../src/engine/torch/find-torch.js"
import { root } from "./node-arguments.js"

export interface Forks {
  /** Stands for the interpreter: the value of REPRO_PYTHON. */
  readonly python: string
  /** Seconds of processors that forked workers took so far, by the value of REPRO_TEST_FILE that they had; of "", loading. */
  readonly seconds: ReadonlyMap<string, number>
  /** Ends the process. */
  readonly end: () => Promise<void>
}

const SOURCES = join(root, "test/engine/torch")

/** Undefined where there is no PyTorch, or no way to fork it. */
export const startForks = async (): Promise<Forks | undefined> => {
  if (process.platform !== "linux") return undefined
  const found = await findPython()
  if (found === undefined) return undefined
  // A manager of versions stands in front of it, which takes as long as Python itself.
  const { stdout } = await promisify(execFile)(found, ["-c", "import sys; print(sys.executable)"])
  const interpreter = stdout.trim()
  const folder = await mkdtemp(join(tmpdir(), "repro-forks-"))
  const [socket, python] = [join(folder, "socket"), join(folder, "python3")]
  const client = `exec "${interpreter}" -I -S "${join(SOURCES, "fork_client.py")}" "${socket}" "$@"`
  await writeFile(
    python,
    `#!/bin/sh\ncase "$*" in\n*"-m repro_worker") ${client} ;;\n*) exec "${interpreter}" "$@" ;;\nesac\n`,
  )
  await chmod(python, 0o755)
  const server = spawn(interpreter, [join(SOURCES, "fork_server.py"), socket], {
    stdio: ["ignore", "pipe", "inherit"],
    // As a worker has it: read when PyTorch is loaded.
    env: { OMP_WAIT_POLICY: "PASSIVE", ...process.env },
  })
  const seconds = new Map<string, number>()
  createInterface({ input: server.stdout }).on("line", (line) => {
    const at = line.indexOf(" ")
    const file = line.slice(at + 1)
    seconds.set(file, (seconds.get(file) ?? 0) + Number(line.slice(0, at)))
  })
  const ended = new Promise((done) => server.once("close", done))
  return {
    python,
    seconds,
    end: async () => {
      server.kill()
      await ended
      await rm(folder, { recursive: true })
    },
  }
}
