/** Which executor runs a plan, and why. The choice is execution, never identity. */
import type { Execution } from "../spec/experiment.js"
import { ExecutorError } from "./errors.js"
import type { Executor, ExecutorOptions } from "./executor.js"

export type EngineName = Executor["name"]

export interface Choice {
  readonly engine: EngineName
  readonly options: ExecutorOptions
  /** One sentence for people. */
  readonly reason: string
}

/** What a user asked for; absent fields are left to the spec, then to the machine. */
export type EngineRequest = Pick<Execution, "engine" | "precision" | "device" | "threads">

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

/**
 * `auto` takes onnxruntime on a CPU: it is there after `npm ci` and reaches PyTorch's speed. On a GPU it takes
 * torch, the only executor that shards a batch over several of them.
 */
export const chooseEngine = (request: EngineRequest, available: Available): Choice => {
  const device = request.device ?? "cpu"
  const precision = request.precision ?? "fp32"
  const options: ExecutorOptions = { precision, device, threads: request.threads ?? 0 }
  const asked = request.engine ?? "auto"
  if (asked !== "auto") return { engine: asked, options, reason: `--engine ${asked} was asked for` }
  if (device === "gpu") {
    if (available.torch && available.gpu)
      return { engine: "torch", options, reason: "PyTorch sees a GPU and is the fastest executor on one" }
    throw new ExecutorError(
      "torch",
      "a GPU was asked for, but no PyTorch that sees one was found",
      "install it (pip install torch==2.13.0), or use --device cpu",
    )
  }
  if (precision === "bf16") {
    if (available.tensorflow)
      return { engine: "tensorflow", options, reason: "bf16 on a CPU needs libtensorflow, and it was found" }
    if (available.torch)
      return { engine: "torch", options, reason: "bf16 was asked for and PyTorch was found" }
    throw new ExecutorError(
      "tensorflow",
      "bf16 on a CPU needs libtensorflow or PyTorch, and neither was found",
      "pip install tensorflow-cpu, or use --precision fp32",
    )
  }
  if (precision === "bf16-params")
    return { engine: "torch", options, reason: "only torch holds its parameters in bf16" }
  return { engine: "onnxruntime", options, reason: "it comes with repro and needs nothing else" }
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
