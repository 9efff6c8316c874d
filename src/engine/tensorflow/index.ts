/** The `tensorflow` executor: whole graphs as one TensorFlow function, through the library's C API, in this process. */
import { availableParallelism } from "node:os"
import { ExecutorError } from "../errors.js"
import { WHOLE, type Executor, type ExecutorOptions, type StepLayout } from "../executor.js"
import { hostValues, tensorsOver, weightsAs, type Weights } from "../weights.js"
import { bf16Products } from "./bf16-products.js"
import { openApi, type TensorflowApi } from "./c-api.js"
import { compareVersions, findLibrary } from "./find-library.js"
import { TensorflowSession, type SessionOptions } from "./session.js"
import { TensorflowWeights, Calls, makeTrainer, makeEvaluator } from "./trainer.js"

export { findLibrary, findLibraries, type TensorflowLibrary, type TensorflowMissing } from "./find-library.js"

/** The oldest library whose C API and kernels are known to suffice. */
const OLDEST_VERSION = "2.9.0"

/** Attention probabilities kept for gradients, in all; beyond it they are recomputed. */
const KEEP_ATTENTION_BYTES = 2 * 2 ** 30

/** One block of attention scores: fits a cache on a CPU, keeps a GPU busy. */
const ATTENTION_BLOCK_BYTES = { cpu: 16 * 2 ** 20, gpu: 256 * 2 ** 20 } as const

export interface TensorflowOptions extends ExecutorOptions {
  /** The library or its folder, instead of looking for it. */
  readonly library?: string
  /** Attention probabilities up to this many bytes in all are kept for gradients; 0: all are recomputed. */
  readonly keepAttentionBytes?: number
  readonly attentionBlockBytes?: number
  /** Under bf16: the type that products of rounded operands are computed in; by default the machine's faster one. */
  readonly bf16Products?: "bf16" | "fp32"
}

const held = (weights: Weights | undefined): TensorflowWeights | undefined =>
  weightsAs("tensorflow", TensorflowWeights, weights)

/**
 * Finds and opens the library and a context on the device asked for.
 * @throws ExecutorError for a missing or too old library, a missing GPU, or a precision it does not have
 */
export const makeTensorflowExecutor = async (options: TensorflowOptions): Promise<Executor> => {
  const { precision } = options
  if (precision === "bf16-params") {
    throw new ExecutorError(
      "tensorflow",
      "precision bf16-params is not available: parameters stay fp32",
      "use --precision bf16, or --engine torch",
    )
  }
  const { api, source } = await load(options)
  const products = options.bf16Products ?? bf16Products(options.device)
  const open = (threads: SessionOptions["threads"], fuse = false): TensorflowSession =>
    TensorflowSession.open(api, {
      precision,
      bf16Products: products,
      device: options.device,
      threads,
      xla: options.xla === true,
      fuse,
      keepAttentionBytes: options.keepAttentionBytes ?? KEEP_ATTENTION_BYTES,
      attentionBlockBytes: options.attentionBlockBytes ?? ATTENTION_BLOCK_BYTES[options.device],
    })
  const cores = options.threads === 0 ? availableParallelism() : options.threads
  const whole = open({ within: options.threads, between: options.threads })
  /** By number of slices: operations of different slices run at once, each on its slice's share of the cores. */
  const sliced = new Map<number, TensorflowSession>()
  const sessionFor = async (slices: number): Promise<TensorflowSession> => {
    if (slices === 1) return whole
    const known = sliced.get(slices)
    if (known !== undefined) return known
    const made = open({ within: Math.max(1, Math.floor(cores / slices)), between: slices }, true)
    sliced.set(slices, made)
    await made.tryFusing()
    return made
  }
  const calls = new Calls()
  const all = new Set<TensorflowWeights>()
  return {
    name: "tensorflow",
    version: [
      `${api.version} (${source})`,
      ...(precision === "bf16" ? [`${products} products of bf16 operands`] : []),
      ...(options.xla === true ? ["XLA"] : []),
    ].join(", "),
    precision: options.precision,
    layout: layoutOn(options, cores),
    trainer: (programs, initial, weights) =>
      calls.run(async () =>
        makeTrainer(await sessionFor(programs.slices ?? 1), programs, initial, held(weights)),
      ),
    evaluator: (graph, parameters, weights) =>
      calls.run(() => makeEvaluator(whole, graph, parameters, held(weights))),
    weights: async (asked) => {
      const made = new TensorflowWeights(tensorsOver(asked), await hostValues("tensorflow", asked))
      all.add(made)
      return made
    },
    dispose: () =>
      calls.close(() => {
        for (const each of all) each.releaseHandles()
        for (const session of [whole, ...sliced.values()]) session.dispose()
      }),
  }
}

/**
 * On a CPU a slice for each core: operations run whole on one core each, without waiting for each other's parts.
 * XLA makes one program of the step, which has no operations to run side by side.
 */
const layoutOn = ({ device, xla }: TensorflowOptions, cores: number): StepLayout =>
  device === "cpu" && xla !== true ? { slices: cores, sizes: "many" } : WHOLE

/** What `doctor` prints: the library, its version, whether it sees a GPU. @throws ExecutorError as above */
export const probeTensorflow = async (
  options: Pick<TensorflowOptions, "library"> = {},
): Promise<{
  readonly version: string
  readonly path: string
  readonly source: string
  readonly gpu: boolean
}> => {
  const { api, path, source } = await load({ ...options, device: "cpu" })
  try {
    TensorflowSession.open(api, {
      precision: "fp32",
      bf16Products: "bf16",
      device: "gpu",
      threads: { within: 1, between: 1 },
      xla: false,
      keepAttentionBytes: 0,
      attentionBlockBytes: 0,
    }).dispose()
    return { version: api.version, path, source, gpu: true }
  } catch (error) {
    if (!(error instanceof ExecutorError)) throw error
    return { version: api.version, path, source, gpu: false }
  }
}

const load = async (
  options: Pick<TensorflowOptions, "library" | "device">,
): Promise<{ readonly api: TensorflowApi; readonly path: string; readonly source: string }> => {
  const found = await findLibrary({ path: options.library, gpu: options.device === "gpu" })
  if (found.kind === "missing")
    throw new ExecutorError("tensorflow", found.problem, `run \`${found.command}\``)
  let api: TensorflowApi
  try {
    api = await openApi(found)
  } catch (cause) {
    if (cause instanceof ExecutorError) throw cause
    throw new ExecutorError(
      "tensorflow",
      `${found.path} could not be loaded (${String(cause)})`,
      "run `pip install tensorflow-cpu`, or name another library in REPRO_LIBTENSORFLOW",
      { cause },
    )
  }
  checkVersion(api.version, found.path)
  return { api, path: found.path, source: found.source }
}

/** @throws ExecutorError for a library older than the oldest accepted */
export const checkVersion = (version: string, path: string): void => {
  if (compareVersions(version, OLDEST_VERSION) < 0) {
    throw new ExecutorError(
      "tensorflow",
      `${path} is TensorFlow ${version}, older than ${OLDEST_VERSION}`,
      "run `pip install --upgrade tensorflow-cpu`",
    )
  }
}
