/** Before anything is graded, the sandbox shows that it runs what it should and refuses what it must. */
import { limitsOf, SandboxError, type Execution, type Job } from "./sandbox.js"

const program = (body: string): Job => ({
  kind: "call",
  source: `import os, socket\ndef canary():\n    ${body.replaceAll("\n", "\n    ")}\n`,
  function: "canary",
})

/** Each gives "refused" where the wall stands. */
const attempt = (action: string): Job =>
  program(`try:\n    ${action}\nexcept OSError:\n    return "refused"\nreturn "escaped"`)

interface Canary {
  readonly name: string
  readonly job: Job
  readonly holds: (execution: Execution) => boolean
}

const answers =
  (value: unknown) =>
  (execution: Execution): boolean =>
    execution.status === "answered" && JSON.stringify(execution.answer["value"]) === JSON.stringify(value)

const REFUSED = answers("refused")

export const CANARIES: readonly Canary[] = [
  { name: "a program runs", job: program("return 6 * 7"), holds: answers(["i", "2a"]) },
  {
    name: "a broken program gives an error",
    job: { kind: "call", source: "def canary(:", function: "canary" },
    holds: (e) => e.status === "answered" && typeof e.answer["error"] === "string",
  },
  { name: "no socket", job: attempt("socket.socket()"), holds: REFUSED },
  { name: "no process", job: attempt("os.fork()"), holds: REFUSED },
  { name: "no writing", job: attempt(`open("/dev/null", "w")`), holds: REFUSED },
  { name: "no signal", job: attempt("os.kill(os.getppid(), 0)"), holds: REFUSED },
  { name: "no process table", job: attempt(`os.listdir("/proc/1")`), holds: REFUSED },
]

/** @throws SandboxError naming what did not hold */
export const requireCanaries = async (
  run: (job: Job, limits: ReturnType<typeof limitsOf>) => Promise<Execution>,
): Promise<void> => {
  for (const { name, job, holds } of CANARIES) {
    const execution = await run(job, limitsOf(5))
    if (!holds(execution))
      throw new SandboxError(
        `The sandbox does not hold ("${name}": ${JSON.stringify(execution)}), so nothing is graded with it.`,
      )
  }
}
