/** The `tensorflow` executor: whole graphs as one TensorFlow function, through the library's C API, in this process. */
import { availableParallelism } from "node:os"
import { ExecutorError } from "../errors.js"
import {
  hostFeeds,
  WHOLE,
  type Evaluator,
  type Executor,
  type ExecutorOptions,
  type Feeds,
  type HostTensor,
  type HostTensors,
  type StepLayout,
  type StepResult,
  type Trainer,
  type TrainPrograms,
} from "../executor.js"
import type { Graph } from "../ir.js"
import { HostWeights, hostValues, tensorsOver, weightsAs, type Weights, type WeightSpec } from "../weights.js"
import { bf16Products } from "./bf16-products.js"
import { openApi, type TensorflowApi } from "./c-api.js"
import { compareVersions, findLibrary } from "./find-library.js"
import { TensorflowSession, type CompiledGraph, type Handle, type SessionOptions } from "./session.js"

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
  const held = (weights: Weights | undefined): TensorflowWeights | undefined =>
    weightsAs("tensorflow", TensorflowWeights, weights)
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

/**
 * Weights in this process, and once inside each session that programs use them in. Native handles live until the
 * weights and every program that uses them are disposed of.
 */
class TensorflowWeights extends HostWeights {
  readonly #handles = new Map<TensorflowSession, Map<string, Handle>>()
  #users = 0
  #given = false

  constructor(tensors: readonly WeightSpec[], values: HostTensors) {
    super("tensorflow", tensors, values)
  }

  handle(
    session: TensorflowSession,
    { name, type, storage }: CompiledGraph["inputs"][number],
    graph: string,
  ): Handle {
    const known = this.#handles.get(session) ?? new Map<string, Handle>()
    this.#handles.set(session, known)
    const key = `${name}|${storage ?? "f32"}`
    const made =
      known.get(key) ?? session.upload(name, type, required(this.values, name, graph).data, storage)
    known.set(key, made)
    return made
  }

  /** A program uses the handles until it calls what this gives. */
  use(): () => void {
    this.#users++
    return () => {
      this.#users--
      if (this.#given && this.#users === 0) this.releaseHandles()
    }
  }

  releaseHandles(): void {
    for (const [session, handles] of this.#handles) session.release(handles.values())
    this.#handles.clear()
  }

  protected override release(): void {
    this.#given = true
    if (this.#users === 0) this.releaseHandles()
  }
}

const uploadAll = (
  session: TensorflowSession,
  inputs: CompiledGraph["inputs"],
  values: HostTensors,
  graph: string,
): Map<string, Handle> => {
  const handles = new Map<string, Handle>()
  try {
    for (const { name, type, storage } of inputs)
      handles.set(name, session.upload(name, type, required(values, name, graph).data, storage))
    return handles
  } catch (error) {
    session.release(handles.values())
    throw error
  }
}

const required = (values: HostTensors, name: string, graph: string): HostTensor => {
  const tensor = values[name]
  if (tensor === undefined)
    throw new ExecutorError(
      "tensorflow",
      `${graph}: no value for the input ${name}`,
      "load a checkpoint and batches of the same model",
    )
  return tensor
}

/** Runs a graph on held values and fresh feeds; the feeds are released afterwards. */
const runOn = async (
  session: TensorflowSession,
  compiled: CompiledGraph,
  held: ReadonlyMap<string, Handle>,
  feeds: HostTensors,
  graph: string,
): Promise<readonly Handle[]> => {
  const fresh = uploadAll(
    session,
    compiled.inputs.filter((i) => i.kind === "feed"),
    feeds,
    graph,
  )
  try {
    return await compiled.run(compiled.inputs.map(({ name }) => (fresh.get(name) ?? held.get(name))!))
  } finally {
    session.release(fresh.values())
  }
}

/**
 * Calls made at once run one after the other, also when one fails; after `close` they are refused. Native handles
 * must not be used while another call replaces them, nor after they are released.
 */
class Calls {
  #last: Promise<unknown> = Promise.resolve()
  #closed: Promise<void> | undefined

  run<T>(call: () => T | Promise<T>): Promise<T> {
    if (this.#closed !== undefined)
      return Promise.reject(new Error("tensorflow: used after it was disposed of"))
    const next = this.#last.then(call)
    this.#last = next.catch(() => undefined)
    return next
  }

  close(release: () => void): Promise<void> {
    this.#closed ??= this.#last.then(release)
    return this.#closed
  }
}

/** Handles of the frozen inputs, which stay the weights' own. */
const frozenOf = (
  session: TensorflowSession,
  compiled: CompiledGraph,
  weights: TensorflowWeights | undefined,
  graph: string,
): ReadonlyMap<string, Handle> =>
  new Map(
    compiled.inputs
      .filter(({ kind }) => kind === "frozen")
      .map((input) => {
        if (weights === undefined) required({}, input.name, graph)
        return [input.name, weights!.handle(session, input, graph)]
      }),
  )

const makeTrainer = async (
  session: TensorflowSession,
  programs: TrainPrograms,
  initial: HostTensors,
  weights: TensorflowWeights | undefined,
): Promise<Trainer> => {
  const compiled: (CompiledGraph | undefined)[] = [session.compile(programs.step())]
  const heldInputs = compiled[0]!.inputs.filter((i) => i.kind === "parameter" || i.kind === "state")
  const state = uploadAll(session, heldInputs, { ...weights?.values, ...initial }, "step")
  const frozen = frozenOf(session, compiled[0]!, weights, "step")
  const unused = weights?.use()
  const program = (index: number): CompiledGraph => {
    const known = compiled[index]
    if (known !== undefined) return known
    const larger = programs.larger?.[index - 1]
    if (larger === undefined) throw new RangeError(`tensorflow: the job has no program ${index}`)
    return (compiled[index] = session.compile(larger.step()))
  }

  const step = async (micro: readonly Feeds[], scalars: HostTensors, index = 0): Promise<StepResult> => {
    const feeds: Record<string, HostTensor> = { ...scalars }
    micro.forEach((tensors, i) => {
      for (const [name, tensor] of Object.entries(hostFeeds(tensors))) feeds[`${name}@${i}`] = tensor
    })
    const running = program(index)
    const results = await runOn(session, running, new Map([...frozen, ...state]), feeds, "step")
    const read = { loss: Number.NaN, gradNorm: Number.NaN }
    const spent: Handle[] = []
    running.outputs.forEach(({ name, type }, i) => {
      const handle = results[i]!
      const previous = state.get(name)
      if (previous === undefined) {
        if (name === "loss" || name === "gradNorm")
          read[name] = Number(session.download(handle, type).data[0])
        spent.push(handle)
      } else {
        state.set(name, handle)
        spent.push(previous)
      }
    })
    session.release(spent)
    return read
  }

  const calls = new Calls()
  return {
    step: (micro, scalars, index) => calls.run(() => step(micro, scalars, index)),
    readState: () =>
      calls.run(() =>
        Object.fromEntries(
          heldInputs.map(({ name, type }) => [name, session.download(state.get(name)!, type)]),
        ),
      ),
    dispose: () =>
      calls.close(() => {
        session.release(state.values())
        unused?.()
        for (const each of compiled) each?.dispose()
      }),
  }
}

const makeEvaluator = async (
  session: TensorflowSession,
  graph: Graph,
  parameters: HostTensors,
  weights: TensorflowWeights | undefined,
): Promise<Evaluator> => {
  const compiled = session.compile(graph)
  const own = compiled.inputs.filter(
    (i) => i.kind !== "feed" && (weights?.values[i.name] === undefined || parameters[i.name] !== undefined),
  )
  const held = uploadAll(session, own, parameters, graph.name)
  const shared = compiled.inputs.filter((i) => i.kind !== "feed" && !held.has(i.name))
  const all = new Map([
    ...held,
    ...shared.map((input) => [input.name, weights!.handle(session, input, graph.name)] as const),
  ])
  const unused = weights?.use()
  const evaluate = async (feeds: Feeds): Promise<HostTensors> => {
    const results = await runOn(session, compiled, all, hostFeeds(feeds), graph.name)
    try {
      return Object.fromEntries(
        compiled.outputs.map(({ name, type }, i) => [name, session.download(results[i]!, type)]),
      )
    } finally {
      session.release(results)
    }
  }
  const calls = new Calls()
  return {
    run: (feeds) => calls.run(() => evaluate(feeds)),
    dispose: () =>
      calls.close(() => {
        session.release(held.values())
        unused?.()
        compiled.dispose()
      }),
  }
}
