/** Which executor runs a plan, and why. The choice is execution, never identity. */
import type { Execution } from "../spec/experiment.js"
import { ExecutorError } from "./errors.js"
import type { Executor, ExecutorOptions } from "./executor.js"
import { INSTALL_TORCH } from "./torch/find-torch.js"

export type EngineName = Executor["name"]

export interface Choice {
  readonly engine: EngineName
  readonly options: ExecutorOptions
  /** One sentence for people. */
  readonly reason: string
}

/** What a user asked for; absent fields are left to the spec, then to the machine. */
export type EngineRequest = Pick<
  Execution,
  "engine" | "precision" | "device" | "threads" | "xla" | "recompute"
>

/** Executors that can take their place on this machine. */
export interface Available {
  readonly tensorflow: boolean
  readonly torch: boolean
  /** Whether PyTorch sees an NVIDIA GPU. */
  readonly gpu: boolean
}

/** What the machine has; looks at files and asks Python, so it takes a moment. */
export const findAvailable = async (): Promise<Available> => {
  const [{ findTorch }, { findLibrary }] = await Promise.all([
    import("./torch/find-torch.js"),
    import("./tensorflow/find-library.js"),
  ])
  const [torch, tensorflow] = await Promise.all([findTorch().catch(() => undefined), findLibrary()])
  return { tensorflow: tensorflow.kind === "found", torch: torch !== undefined, gpu: torch?.cuda === true }
}

/** What can be said of a machine without looking at it. */
export const NOTHING: Available = { tensorflow: false, torch: false, gpu: false }

/** Training of this length, by the plan's estimate, is worth a search for libraries and a compiler's seconds. */
export const LONG_SECONDS = 600

/** Whether `auto` needs to know what the machine has. */
export const needsSearch = (request: EngineRequest, seconds: number): boolean =>
  (request.engine ?? "auto") === "auto" &&
  request.xla !== "on" &&
  request.recompute !== "on" &&
  (request.device === "gpu" || (request.precision ?? "fp32") !== "fp32" || seconds >= LONG_SECONDS)

const INSTALL_TENSORFLOW = "pip install tensorflow-cpu"

/**
 * The executor for a request. `auto` takes the fastest that is there; it never changes the precision.
 *
 * | device | precision   | training  | taken, the first that is there           | why                                    |
 * |--------|-------------|-----------|------------------------------------------|----------------------------------------|
 * | gpu    | any         | any       | torch                                    | shards a batch; attention stays fused  |
 * | cpu    | fp32        | < 10 min  | onnxruntime                              | starts at once, nothing to search for  |
 * | cpu    | fp32        | >= 10 min | tensorflow, torch compiled, onnxruntime  | 1.2-1.4x and 1.1-1.2x onnxruntime      |
 * | cpu    | bf16        | any       | tensorflow, torch (compiled if >= 10 min)| onnxruntime has no bf16 products       |
 * | cpu    | bf16-params | any       | torch                                    | the only one that holds bf16 state     |
 *
 * Ratios: fp32 train steps of the small and the paper shape on two cores (bench/RESULTS.md; torch is the executor, by
 * `npm run bench -- --only "torch executor fp32"`). tensorflow is 1.2 times as fast as torch on the small shape, level
 * with it on the paper shape, and needs no compiler and no second process.
 *
 * @param seconds the plan's estimate of training on this machine
 * @throws ExecutorError where nothing that is there can do what was asked
 */
export const chooseEngine = (request: EngineRequest, available: Available, seconds = 0): Choice => {
  const device = request.device ?? "cpu"
  const precision = request.precision ?? "fp32"
  const xla = request.xla === "on"
  const recompute = request.recompute === "on"
  const options: ExecutorOptions = {
    precision,
    device,
    threads: request.threads ?? 0,
    ...(xla ? { xla } : {}),
    ...(recompute ? { recompute } : {}),
  }
  const take = (engine: EngineName, reason: string): Choice => ({ engine, options, reason })
  const long = seconds >= LONG_SECONDS
  const torch = (reason: string): Choice =>
    long ? { ...take("torch", reason), options: { ...options, compile: true } } : take("torch", reason)
  const asked = request.engine ?? "auto"
  if (xla && asked !== "auto" && asked !== "tensorflow")
    throw new ExecutorError(
      asked,
      "XLA was asked for, and only tensorflow compiles with it",
      "use --engine tensorflow, or leave --xla away",
    )
  if (recompute && (xla || (asked !== "auto" && asked !== "torch")))
    throw new ExecutorError(
      xla ? "tensorflow" : (asked as EngineName),
      "activations were asked to be computed again, and only torch does that",
      `use --engine torch, or leave ${xla ? "--xla" : "--recompute"} away`,
    )
  if (asked !== "auto") return take(asked, `--engine ${asked} was asked for`)
  if (xla) return take("tensorflow", "--xla on was asked for, which only it has")
  if (recompute) return torch("--recompute on was asked for, which only it has")
  if (device === "gpu") {
    if (available.torch && available.gpu)
      return take("torch", "PyTorch sees a GPU and is the fastest executor on one")
    throw new ExecutorError(
      "torch",
      available.torch
        ? "a GPU was asked for, but the PyTorch that was found sees none"
        : "a GPU was asked for, but no PyTorch that sees one was found",
      `install one that does (${INSTALL_TORCH}), or use --device cpu`,
    )
  }
  if (precision === "bf16-params") return torch("only torch holds its parameters in bf16")
  if (precision === "bf16") {
    if (available.tensorflow)
      return take("tensorflow", "bf16 on a CPU needs libtensorflow or PyTorch, and libtensorflow was found")
    if (available.torch) return torch("bf16 on a CPU needs libtensorflow or PyTorch, and PyTorch was found")
    throw new ExecutorError(
      "tensorflow",
      "bf16 on a CPU needs libtensorflow or PyTorch, and neither was found",
      `${INSTALL_TENSORFLOW}, or use --precision fp32`,
    )
  }
  const minutes = `training takes about ${Math.round(seconds / 60)} min`
  if (!long) return take("onnxruntime", "it comes with repro and starts at once, which suits a short run")
  if (available.tensorflow)
    return take("tensorflow", `${minutes}, and libtensorflow is 1.2 to 1.4 times as fast as onnxruntime`)
  if (available.torch)
    return torch(`${minutes}, and compiled PyTorch is 1.1 to 1.2 times as fast as onnxruntime`)
  return take(
    "onnxruntime",
    `neither libtensorflow nor PyTorch was found; ${minutes}, and ${INSTALL_TENSORFLOW} would make it 1.2 to 1.4 times as fast`,
  )
}

/** Loads and makes the chosen executor. */
export const openExecutor = async ({ engine, options }: Choice): Promise<Executor> => {
  switch (engine) {
    case "onnxruntime":
      return (await import("./onnxruntime/index.js")).makeOnnxruntimeExecutor(options)
    case "tensorflow":
      return (await import("./tensorflow/index.js")).makeTensorflowExecutor(options)
    case "torch":
      return (await import("./torch/index.js")).makeTorchExecutor(options)
    case "tfjs":
      return (await import("./tfjs/index.js")).makeTfjsExecutor(options)
  }
}
