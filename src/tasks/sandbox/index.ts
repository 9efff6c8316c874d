/** Opens the sandbox that this machine can have, or says why there is none. */
import { availableParallelism } from "node:os"
import { bubblewrapCommand, findBubblewrap, guestPythons } from "./bubblewrap.js"
import { requireCanaries } from "./canaries.js"
import { poolOf } from "./pool.js"
import { SandboxError, type Sandbox } from "./sandbox.js"
import { ServerProcess } from "./server-process.js"

export * from "./sandbox.js"
export { decodePlain, type Plain } from "./values.js"

export interface OpenOptions {
  /** Programs at once; the processor's cores when absent. */
  readonly width?: number
  readonly env?: NodeJS.ProcessEnv
}

const CURE =
  "Install bubblewrap (apt-get install bubblewrap) and Python 3.10 or later, on Linux with user namespaces"

/** @throws SandboxError when this machine has no sandbox: programs are then not run, and nothing is graded by them */
export const openSandbox = async ({ width, env = process.env }: OpenOptions = {}): Promise<Sandbox> => {
  const reasons: string[] = []
  const many = Math.max(1, width ?? availableParallelism())
  const bubblewrap = process.platform === "linux" ? findBubblewrap(env) : undefined
  if (process.platform !== "linux") reasons.push(`bubblewrap needs Linux, this is ${process.platform}`)
  else if (bubblewrap === undefined) reasons.push("bubblewrap is not installed")
  else {
    const pythons = await guestPythons(env)
    if (pythons.length === 0) reasons.push("no Python 3.10 or later with ctypes was found")
    for (const python of pythons) {
      const command = bubblewrapCommand(bubblewrap, python)
      try {
        const first = await ServerProcess.start(command)
        try {
          await requireCanaries((job, limits) => first.run(job, limits))
        } catch (error) {
          await first.close()
          throw error
        }
        return poolOf(`bubblewrap and seccomp, Python ${first.python}`, many, first, () =>
          ServerProcess.start(command),
        )
      } catch (error) {
        reasons.push(`${python.executable}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }
  throw new SandboxError(
    `Programs are not run without a sandbox, and this machine has none: ${reasons.join("; ")}. ${CURE}; graders that run no program work without.`,
  )
}
