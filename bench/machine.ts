/** What the numbers were measured on. */
import { execFileSync } from "node:child_process"
import { availableParallelism, cpus, totalmem } from "node:os"

const ask = (command: string, args: readonly string[]): string | undefined => {
  try {
    return execFileSync(command, args, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 60_000,
    }).trim()
  } catch {
    return undefined
  }
}

export interface Versions {
  readonly node: string
  readonly torch: string | undefined
  readonly tensorflow: string | undefined
  readonly commit: string | undefined
}

const python = process.env["REPRO_PYTHON"] ?? "python3"

export const versions = (): Versions => ({
  node: process.version,
  torch: ask(python, ["-c", "import torch; print(torch.__version__)"]),
  tensorflow: ask(python, [
    "-c",
    "import importlib.metadata as m\nfor n in ('tensorflow','tensorflow-cpu'):\n  try: print(m.version(n)); break\n  except m.PackageNotFoundError: pass",
  ]),
  commit: ask("git", ["rev-parse", "--short", "HEAD"]),
})

/** Name of the GPU that PyTorch sees; undefined where there is none. */
export const gpuName = (): string | undefined =>
  ask(python, [
    "-c",
    "import torch; print(torch.cuda.get_device_name(0) if torch.cuda.is_available() else '')",
  ]) || undefined

export const hardware = (): string =>
  `${cpus()[0]?.model.trim() ?? "unknown processor"}, ${availableParallelism()} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`
