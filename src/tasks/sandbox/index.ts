/** Opens the sandbox that this machine can have, or says why there is none. */
import { availableParallelism } from "node:os"
import { bubblewrapCommand, findBubblewrap, guestPythons } from "./bubblewrap.js"
import { requireCanaries } from "./canaries.js"
import { poolOf } from "./pool.js"
import { findPyodide, PYODIDE, pyodideCommand } from "./pyodide.js"
import { SandboxError, type Sandbox } from "./sandbox.js"
import { ServerProcess, type ServerCommand } from "./server-process.js"

export { PYODIDE } from "./pyodide.js"
export * from "./sandbox.js"
export { decodePlain, type Plain } from "./values.js"

export interface OpenOptions {
  /** Programs at once; the processor's cores when absent. */
  readonly width?: number
  readonly env?: NodeJS.ProcessEnv
}

const CURE = `Install bubblewrap (apt-get install bubblewrap) and Python 3.10 or later on Linux with user namespaces, or Pyodide elsewhere (npm install pyodide@${PYODIDE})`

/** A kind of wall that could be had here. */
interface Wall {
  readonly name: string
  readonly command: ServerCommand
  readonly description: (python: string) => string
}

/** Of Linux. @param reasons why there is none */
const bubblewrapWalls = async (env: NodeJS.ProcessEnv, reasons: string[]): Promise<readonly Wall[]> => {
  if (process.platform !== "linux") reasons.push(`bubblewrap needs Linux, this is ${process.platform}`)
  const bubblewrap = process.platform === "linux" ? findBubblewrap(env) : undefined
  if (bubblewrap === undefined) {
    if (process.platform === "linux") reasons.push("bubblewrap is not installed")
    return []
  }
  const pythons = await guestPythons(env)
  if (pythons.length === 0) reasons.push("no Python 3.10 or later with ctypes was found")
  return pythons.map((python) => ({
    name: python.executable,
    command: bubblewrapCommand(bubblewrap, python),
    description: (version) => `bubblewrap and seccomp, Python ${version}`,
  }))
}

/** Of every system. @param reasons why there is none */
const pyodideWalls = async (env: NodeJS.ProcessEnv, reasons: string[]): Promise<readonly Wall[]> => {
  const found = await findPyodide(env)
  if (found === undefined) reasons.push("Pyodide is not installed")
  else if (found.version !== PYODIDE)
    reasons.push(`Pyodide ${found.version} is not the version that this was made for, ${PYODIDE}`)
  else
    return [
      {
        name: found.folder,
        command: pyodideCommand(found),
        description: (version) => `Pyodide ${found.version} in a locked process, Python ${version}`,
      },
    ]
  return []
}

/** The wall's servers, once the first has shown that it holds. */
const poolBehind = async ({ command, description }: Wall, width: number): Promise<Sandbox> => {
  const first = await ServerProcess.start(command)
  try {
    await requireCanaries((job, limits) => first.run(job, limits))
  } catch (error) {
    await first.close()
    throw error
  }
  return poolOf(description(first.python), width, first, () => ServerProcess.start(command))
}

/** @throws SandboxError when this machine has no sandbox: programs are then not run, and nothing is graded by them */
export const openSandbox = async ({ width, env = process.env }: OpenOptions = {}): Promise<Sandbox> => {
  const reasons: string[] = []
  const many = Math.max(1, width ?? availableParallelism())
  for (const find of [() => bubblewrapWalls(env, reasons), () => pyodideWalls(env, reasons)])
    for (const wall of await find())
      try {
        return await poolBehind(wall, many)
      } catch (error) {
        reasons.push(`${wall.name}: ${error instanceof Error ? error.message : String(error)}`)
      }
  throw new SandboxError(
    `Programs are not run without a sandbox, and this machine has none: ${reasons.join("; ")}. ${CURE}; graders that run no program work without.`,
  )
}
