/** What this machine can run. Each finding says the one command that adds what is missing. */
import { execFile } from "node:child_process"
import { constants } from "node:fs"
import { access, statfs } from "node:fs/promises"
import { availableParallelism, cpus, freemem, totalmem } from "node:os"
import { dirname } from "node:path"
import { cacheDirectory } from "../files/sources.js"
import { ExecutorError } from "../engine/errors.js"
import { TELEMETRY_OFF } from "../engine/telemetry.js"
import { columns } from "./text.js"
import type { Outcome } from "./outcome.js"

/** What replaces a build that sees no GPU. */
const TENSORFLOW_GPU = "pip install 'tensorflow[and-cuda]'"
const TORCH_GPU = "pip install --force-reinstall torch==2.13.0"

export interface Finding {
  readonly name: string
  /** missing: something that every run needs. absent: an optional part. */
  readonly status: "ok" | "absent" | "missing"
  readonly found: string
  /** The one command that adds it. */
  readonly cure?: string
  readonly needed: string
}

/** Runs a program and gives its standard output, or undefined where it is missing, fails or takes too long. */
const output = (command: string, args: readonly string[]): Promise<string | undefined> =>
  new Promise((resolve) => {
    execFile(command, args, { timeout: 20_000 }, (error, stdout) =>
      resolve(error === null ? stdout.trim() : undefined),
    )
  })

const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`

const node = (): Finding => ({
  name: "node",
  status: "ok",
  found: `${process.versions.node} (${process.platform} ${process.arch})`,
  needed: "everything; 20.19 or newer",
})

const machine = (): readonly Finding[] => [
  {
    name: "cores",
    status: "ok",
    found: `${availableParallelism()} (${cpus()[0]?.model.trim() ?? "model unknown"})`,
    needed: "speed: the laptop profile is sized for 2",
  },
  {
    name: "memory",
    status: totalmem() >= 2 * 2 ** 30 ? "ok" : "missing",
    found: `${gigabytes(totalmem())}, ${gigabytes(freemem())} free`,
    needed: "2 GiB for the laptop profile",
  },
]

const onnxruntime = async (): Promise<Finding> => {
  const common = { name: "onnxruntime", needed: "the embedded executor" }
  try {
    const { findOnnxruntime } = await import("../engine/onnxruntime/library.js")
    const found = await findOnnxruntime()
    return found === undefined
      ? {
          ...common,
          status: "ok",
          found: "onnxruntime-node was left out by npm; its first use fetches it through npm",
        }
      : {
          ...common,
          status: "ok",
          found: `onnxruntime-node ${found.env.versions.node ?? found.env.versions.common}`,
        }
  } catch (error) {
    const found = error instanceof Error ? error.message.split("\n")[0]! : String(error)
    return { ...common, status: "missing", found, cure: "npm install onnxruntime-node@1.30.0" }
  }
}

/** The command inside a cure such as "run `pip install x`", or the cure. */
const commandOf = (cure: string): string => /`([^`]+)`/.exec(cure)?.[1] ?? cure

const sight = (gpu: boolean): string => (gpu ? "sees a GPU" : "sees no GPU")

/** @param there whether this machine has an NVIDIA GPU that the library should see */
export const tensorflow = async (there: boolean, library?: string): Promise<Finding> => {
  const { probeTensorflow } = await import("../engine/tensorflow/index.js")
  const common = { name: "libtensorflow", needed: "the tensorflow executor (fast CPU, GPU)" }
  try {
    const { version, path, gpu } = await probeTensorflow(library === undefined ? {} : { library })
    const found = `${version}, ${path}, ${sight(gpu)}`
    return { ...common, status: "ok", found, ...(there && !gpu ? { cure: TENSORFLOW_GPU } : {}) }
  } catch (error) {
    if (!(error instanceof ExecutorError)) throw error
    return { ...common, status: "absent", found: error.problem, cure: commandOf(error.cure) }
  }
}

/** @param there whether this machine has an NVIDIA GPU that PyTorch should see */
export const torch = async (there: boolean, env: NodeJS.ProcessEnv = process.env): Promise<Finding> => {
  const { findPython, findTorch, INSTALL_TORCH, OLDEST_TORCH, pythonCandidates } =
    await import("../engine/torch/find-torch.js")
  const { compareVersions } = await import("../engine/tensorflow/find-library.js")
  const common = { name: "torch", needed: "the torch executor (GPU, several machines)" }
  const absent = { ...common, status: "absent", cure: INSTALL_TORCH } as const
  const python = await findPython(env)
  if (python === undefined) return { ...absent, found: `no PyTorch in ${pythonCandidates(env).join(" or ")}` }
  const found = await findTorch(env)
  if (found === undefined) return { ...absent, found: `the PyTorch of ${python} does not load` }
  const { version, cuda } = found
  if (compareVersions(version, OLDEST_TORCH) < 0)
    return { ...absent, found: `${version} of ${python}, older than ${OLDEST_TORCH}` }
  const seen = `${version}, ${python}, ${sight(cuda)}`
  return { ...common, status: "ok", found: seen, ...(there && !cuda ? { cure: TORCH_GPU } : {}) }
}

const gpu = async (): Promise<Finding> => {
  const found = await output("nvidia-smi", ["--query-gpu=name,memory.total", "--format=csv,noheader"])
  const common = { name: "gpu", needed: "the paper profile" }
  return found === undefined || found === ""
    ? { ...common, status: "absent", found: "no NVIDIA GPU (nvidia-smi)" }
    : { ...common, status: "ok", found: found.split("\n").join("; ") }
}

const INSTALL_XZ: Partial<Record<NodeJS.Platform, string>> = {
  darwin: "brew install xz",
  linux: "sudo apt install xz-utils",
}

const xz = async (): Promise<Finding> => {
  const found = await output("xz", ["--version"])
  const common = { name: "xz", needed: "the compression floor of results tables" }
  return found === undefined
    ? { ...common, status: "absent", found: "not found", cure: INSTALL_XZ[process.platform] ?? "install xz" }
    : { ...common, status: "ok", found: found.split("\n")[0]! }
}

/** The nearest folder above a path that is there. */
const existing = async (path: string): Promise<string> => {
  try {
    await access(path)
    return path
  } catch {
    const parent = dirname(path)
    return parent === path ? path : existing(parent)
  }
}

const cache = async (): Promise<Finding> => {
  const path = cacheDirectory()
  const common = { name: "cache", needed: "data; set REPRO_CACHE to put it elsewhere" }
  try {
    const there = await existing(path)
    await access(there, constants.W_OK)
    const { bavail, bsize } = await statfs(there)
    return { ...common, status: "ok", found: `${path}, ${gigabytes(bavail * bsize)} free` }
  } catch {
    return {
      ...common,
      status: "missing",
      found: `${path} is not writable`,
      cure: "export REPRO_CACHE=/a/writable/folder",
    }
  }
}

/** @param env what is looked through for bubblewrap and Python */
export const sandbox = async (env: NodeJS.ProcessEnv = process.env): Promise<Finding> => {
  const { openSandbox, PYODIDE } = await import("../tasks/sandbox/index.js")
  const common = { name: "sandbox", needed: "graders that run programs (repro score)" }
  try {
    const opened = await openSandbox({ width: 1, env })
    await opened.close()
    return { ...common, status: "ok", found: opened.description }
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error)
    const absent = { ...common, status: "absent" as const, found }
    return {
      ...absent,
      cure:
        process.platform === "linux"
          ? "sudo apt install bubblewrap python3"
          : `npm install pyodide@${PYODIDE}`,
    }
  }
}

/** Libraries that report their use by default are told not to. */
export const telemetry = (env: NodeJS.ProcessEnv = process.env): Finding => {
  const on = Object.entries(TELEMETRY_OFF).filter(([name, value]) => env[name] !== value)
  const common = { name: "telemetry", needed: "nothing leaves the machine" }
  return on.length === 0
    ? { ...common, status: "ok", found: `off: ${Object.keys(TELEMETRY_OFF).join(", ")} are set` }
    : {
        ...common,
        status: "missing",
        found: `${on.map(([name]) => name).join(", ")} not set in this process`,
        cure: `export ${on.map(([name, value]) => `${name}=${value}`).join(" ")}`,
      }
}

/** Every finding. Exit code 3 when something that every run needs is missing. */
export const doctor = async (): Promise<Outcome> => {
  const card = await gpu()
  const there = card.status === "ok"
  const findings: readonly Finding[] = [
    node(),
    ...machine(),
    ...(await Promise.all([onnxruntime(), tensorflow(there), torch(there)])),
    card,
    ...(await Promise.all([xz(), sandbox(), cache()])),
    telemetry(),
  ]
  const missing = findings.filter(({ status }) => status === "missing")
  const cures = findings.filter(({ cure }) => cure !== undefined)
  const rows = findings.map(({ name, status, found, needed }) => [name, status, needed, found])
  return {
    text: [
      columns(rows),
      ...(cures.length === 0
        ? []
        : [
            "",
            "To add what is missing:",
            columns(
              cures.map(({ name, cure }) => [name, cure!]),
              "  ",
            ),
          ]),
    ].join("\n"),
    json: { ready: missing.length === 0, findings },
    exitCode: missing.length === 0 ? 0 : 3,
  }
}
