/** Finds a Python that has PyTorch: the one named in REPRO_PYTHON, the active environment's, or one on the path. */
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"

export interface FoundTorch {
  /** The interpreter: a path, or a name on the path. */
  readonly python: string
  readonly version: string
  /** Whether PyTorch sees an NVIDIA GPU. */
  readonly cuda: boolean
}

/** The oldest PyTorch that the worker accepts: its fused AdamW takes CPU tensors, and deterministic sums. */
export const OLDEST_TORCH = "2.6"

/** The command that adds what is missing. */
export const INSTALL_TORCH = "pip install torch==2.13.0"

/** Looking for a package takes a moment, on a busy machine more; loading PyTorch for the first time can take many seconds. */
const LOOK_TIMEOUT_MS = 30_000
const IMPORT_TIMEOUT_MS = 60_000

const windows = process.platform === "win32"

/** Interpreters in the order in which they are asked. One that was named is the only one. */
export const pythonCandidates = (env: NodeJS.ProcessEnv = process.env): readonly string[] => {
  const named = env["REPRO_PYTHON"]
  if (named !== undefined && named !== "") return [named]
  const environments = [env["VIRTUAL_ENV"], env["CONDA_PREFIX"]]
    .filter((root) => root !== undefined && root !== "")
    .map((root) => (windows ? join(root!, "Scripts", "python.exe") : join(root!, "bin", "python3")))
    .filter((path) => existsSync(path))
  return [...environments, ...(windows ? ["python"] : ["python3", "python"])]
}

const ask = async (python: string, code: string, timeout: number, env: NodeJS.ProcessEnv): Promise<string> =>
  (await promisify(execFile)(python, ["-c", code], { timeout, env })).stdout.trim()

/** The first interpreter that has a package `torch`, without loading it. */
export const findPython = async (env: NodeJS.ProcessEnv = process.env): Promise<string | undefined> => {
  const code = "import importlib.util as u; print(u.find_spec('torch') is not None)"
  for (const python of pythonCandidates(env)) {
    const answer = await ask(python, code, LOOK_TIMEOUT_MS, env).catch(() => "")
    if (answer === "True") return python
  }
  return undefined
}

/** PyTorch as it loads on this machine; undefined where there is none. */
export const findTorch = async (env: NodeJS.ProcessEnv = process.env): Promise<FoundTorch | undefined> => {
  const python = await findPython(env)
  if (python === undefined) return undefined
  const code = "import torch; print(torch.__version__, torch.cuda.is_available())"
  const answer = await ask(python, code, IMPORT_TIMEOUT_MS, env).catch(() => "")
  const [version, cuda] = answer.split("\n").at(-1)?.split(" ") ?? []
  return version === undefined || version === "" ? undefined : { python, version, cuda: cuda === "True" }
}
