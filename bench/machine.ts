/** What the numbers were measured on, and how much memory a process took. */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { availableParallelism, cpus, totalmem } from "node:os"
import { ONNXRUNTIME_VERSION } from "../src/engine/onnxruntime/fetched.js"

export const PYTHON = process.env["REPRO_PYTHON"] || "python3"

const ask = (command: string, args: readonly string[]): string | undefined => {
  try {
    return execFileSync(command, args, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 120_000,
    }).trim()
  } catch {
    return undefined
  }
}

export interface Versions {
  readonly node: string
  readonly torch: string | undefined
  readonly tensorflow: string | undefined
  readonly onnxruntime: string | undefined
  readonly commit: string | undefined
}

/** The commit that is checked out here; undefined outside of a repository. */
export const commit = (): string | undefined => ask("git", ["rev-parse", "--short", "HEAD"])

/** What `torch.__version__` is, build included, without loading PyTorch, which takes seconds. */
const TORCH_VERSION = `import importlib.util as u, os, runpy
print(runpy.run_path(os.path.join(os.path.dirname(u.find_spec("torch").origin), "version.py"))["__version__"])`

export const versions = (): Versions => ({
  node: process.version,
  torch: ask(PYTHON, ["-c", TORCH_VERSION]),
  tensorflow: ask(PYTHON, [
    "-c",
    "import importlib.metadata as m\nfor n in ('tensorflow','tensorflow-cpu'):\n  try: print(m.version(n)); break\n  except m.PackageNotFoundError: pass",
  ]),
  onnxruntime: ONNXRUNTIME_VERSION,
  commit: commit(),
})

/** Name of the GPU that PyTorch sees; undefined where there is none. */
export const gpuName = (): string | undefined =>
  ask(PYTHON, [
    "-c",
    "import torch; print(torch.cuda.get_device_name(0) if torch.cuda.is_available() else '')",
  ]) || undefined

export interface Peak {
  /** Dense bf16 FLOP/s with fp32 accumulation. */
  readonly flops: number
  readonly source: string
}

/** From the maker's data sheets, where figures "with sparsity" are twice the dense ones. */
export const BF16_PEAKS: readonly (Peak & { readonly name: RegExp })[] = [
  { name: /H200/, flops: 989e12, source: "NVIDIA H200 data sheet: 1979 TFLOP/s with sparsity" },
  { name: /H100(?!.*PCIe)/, flops: 989e12, source: "NVIDIA H100 SXM data sheet: 1979 TFLOP/s with sparsity" },
  { name: /H100/, flops: 756e12, source: "NVIDIA H100 PCIe data sheet: 1513 TFLOP/s with sparsity" },
  { name: /A100/, flops: 312e12, source: "NVIDIA A100 data sheet: 312 TFLOP/s" },
  { name: /A10G/, flops: 70e12, source: "NVIDIA A10G data sheet: 70 TFLOP/s" },
  { name: /L40S/, flops: 362e12, source: "NVIDIA L40S data sheet: 733 TFLOP/s with sparsity, 362 without" },
]

/** The peak of a GPU by PyTorch's name for it; undefined for one that is not listed. */
export const bf16Peak = (gpu: string): Peak | undefined => {
  const found = BF16_PEAKS.find(({ name }) => name.test(gpu))
  return found === undefined ? undefined : { flops: found.flops, source: found.source }
}

const proc = (path: string): string => {
  try {
    return readFileSync(`/proc/${path}`, "utf8")
  } catch {
    return ""
  }
}

/** Instructions for bf16 products, which decide whether bf16 is faster than fp32. */
const bf16Instructions = (): string => {
  const found = ["amx_bf16", "avx512_bf16", "bf16"].filter((flag) =>
    new RegExp(`(flags|Features).* ${flag}( |$)`, "m").test(proc("cpuinfo")),
  )
  return found.length === 0 ? "no bf16 instructions" : found.join(" and ")
}

export const hardware = (): string =>
  [
    cpus()[0]?.model.trim() ?? "unknown processor",
    `${availableParallelism()} cores`,
    ...(process.platform === "linux" ? [bf16Instructions()] : []),
    `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
  ].join(", ")

/**
 * Largest resident memory of a process so far (Linux: VmHWM); undefined elsewhere. A maximum of getrusage would
 * not do: it starts at what the parent held.
 * @param workers adds that of the Python processes it started
 */
export const peakBytes = (pid: number, workers: boolean): number | undefined => {
  const kilobytes = /VmHWM:\s*(\d+)/.exec(proc(`${pid}/status`))?.[1]
  if (kilobytes === undefined) return undefined
  const children = workers ? proc(`${pid}/task/${pid}/children`).trim().split(" ") : []
  return children
    .filter((child) => proc(`${child}/comm`).startsWith("python"))
    .reduce((sum, child) => sum + (peakBytes(Number(child), false) ?? 0), Number(kilobytes) * 1024)
}

/** GPU memory in use by all processes, bytes: a difference of two calls is what one process added. */
export const gpuBytes = (): number => {
  const used = ask("nvidia-smi", ["--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"])
  return used === undefined ? Number.NaN : Number(used) * 2 ** 20
}
