/**
 * The embedded executor: onnxruntime's CPU kernels, whole steps as one graph.
 *
 * The state lives in two sets of buffers; each step reads one and writes the other, so a step allocates
 * nothing for it and a failed step leaves the state as it was.
 */
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-common"
import { ExecutorError } from "../errors.js"
import {
  hostFeeds,
  WHOLE,
  type Evaluator,
  type Executor,
  type ExecutorOptions,
  type HostArray,
  type HostTensor,
  type HostTensors,
  type StepResult,
  type Trainer,
  type TrainPrograms,
} from "../executor.js"
import { sizeOf, type DType, type Graph } from "../ir.js"
import { loadOnnxruntime, type Onnxruntime } from "./library.js"
import { HostWeights, hostValues, tensorsOver, valuesOf } from "../weights.js"
import { lowerToOnnx } from "./lower.js"
import type { LowerOptions } from "./lowering.js"
import { encodeOnnx, type OnnxInitializer, type OnnxModel } from "./onnx.js"

/**
 * Attention probabilities kept for the backward pass, in all; beyond it they are recomputed. PR #1241's step at one
 * sequence of 2048 tokens stays under 4 GB with six of its eleven layers kept.
 */
const KEEP_ATTENTION_BYTES = 768 * 2 ** 20
/** One block of attention scores; smaller ones cost more in calls than they save in memory traffic. */
const ATTENTION_BLOCK_BYTES = 16 * 2 ** 20
/** Protobuf messages end at 2 GiB; larger parameter sets are fed instead of embedded. */
const EMBED_PARAMETER_BYTES = 1.5 * 2 ** 30

type Ort = Onnxruntime

const ORT_TYPES = { f32: "float32", i32: "int32", bool: "bool" } as const

const allocate = (dtype: DType, size: number): HostArray =>
  dtype === "f32" ? new Float32Array(size) : dtype === "i32" ? new Int32Array(size) : new Uint8Array(size)

export interface OnnxruntimeOptions extends ExecutorOptions {
  /** Attention probabilities up to this many bytes in all are kept for gradients; 0: all are recomputed. */
  readonly keepAttentionBytes?: number
  readonly attentionBlockBytes?: number
}

/** @throws ExecutorError when the package is missing or the options ask for what its CPU kernels lack */
export const makeOnnxruntimeExecutor = async (options: OnnxruntimeOptions): Promise<Executor> => {
  if (options.precision !== "fp32") {
    throw new ExecutorError(
      "onnxruntime",
      `precision ${options.precision} is not available: its CPU kernels have no bf16 matrix product`,
      "use --precision fp32, or --engine tensorflow for bf16",
    )
  }
  const ort = await load()
  const lowering: LowerOptions = {
    keepAttentionBytes: options.keepAttentionBytes ?? KEEP_ATTENTION_BYTES,
    attentionBlockBytes: options.attentionBlockBytes ?? ATTENTION_BLOCK_BYTES,
  }
  const open = (model: OnnxModel): Promise<InferenceSession> => openSession(ort, model, options)
  return {
    name: "onnxruntime",
    precision: options.precision,
    layout: WHOLE,
    version: ort.env.versions.node ?? ort.env.versions.common,
    trainer: async (programs, initial, weights) =>
      makeTrainer(ort, open, lowering, programs, initial, valuesOf("onnxruntime", weights)),
    evaluator: async (graph, parameters, weights) =>
      makeEvaluator(ort, open, lowering, graph, { ...valuesOf("onnxruntime", weights), ...parameters }),
    weights: async (source) =>
      new HostWeights("onnxruntime", tensorsOver(source), await hostValues("onnxruntime", source)),
    dispose: () => Promise.resolve(),
  }
}

const load = async (): Promise<Ort> => {
  try {
    return await loadOnnxruntime()
  } catch (cause) {
    throw new ExecutorError(
      "onnxruntime",
      `onnxruntime-node could not be loaded (${String(cause)})`,
      "run `npm ci` in the project's folder",
      { cause },
    )
  }
}

const openSession = async (
  ort: Ort,
  model: OnnxModel,
  options: OnnxruntimeOptions,
): Promise<InferenceSession> => {
  const bytes = encodeOnnx(model)
  try {
    return await ort.InferenceSession.create(bytes, {
      executionProviders: [options.device === "gpu" ? "cuda" : "cpu"],
      graphOptimizationLevel: "all",
      executionMode: "sequential",
      enableMemPattern: false,
      logSeverityLevel: 3,
      ...(options.threads > 0 ? { intraOpNumThreads: options.threads } : {}),
      extra: { session: { set_denormal_as_zero: "1" } },
    })
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const cure =
      options.device === "gpu"
        ? "install its CUDA provider (node node_modules/onnxruntime-node/script/install), or use --device cpu"
        : "this is a fault of the lowering; please report the spec"
    throw new ExecutorError("onnxruntime", `the program ${model.name} was not accepted: ${why}`, cure, {
      cause,
    })
  }
}

const tensorOf = (ort: Ort, dtype: DType, tensor: HostTensor): OrtTensor =>
  new ort.Tensor(ORT_TYPES[dtype], tensor.data as never, tensor.shape)

const feedsOf = (ort: Ort, graph: Graph, feeds: HostTensors): Record<string, OrtTensor> => {
  const out: Record<string, OrtTensor> = {}
  for (const { name, kind, value } of graph.inputs) {
    if (kind !== "feed") continue
    const tensor = feeds[name]
    const type = graph.nodes[value.node]!.outputs[value.output]!
    if (tensor === undefined)
      throw new ExecutorError(
        "onnxruntime",
        `${graph.name}: the feed ${name} is missing`,
        "this is a fault of the caller",
      )
    if (tensor.data.length !== sizeOf(type.shape)) {
      throw new ExecutorError(
        "onnxruntime",
        `${graph.name}: the feed ${name} has ${tensor.data.length} elements, not [${type.shape}]`,
        "this is a fault of the caller",
      )
    }
    out[`in/${name}`] = tensorOf(ort, type.dtype, { shape: type.shape, data: tensor.data })
  }
  return out
}

type TensorSet = Record<string, { host: HostTensor; ort: OrtTensor }>

/** Buffers for everything that a graph holds. A function of its own: a closure of the trainer would keep `initial`. */
const makeSet = (ort: Ort, graph: Graph, initial?: HostTensors): TensorSet => {
  const set: TensorSet = {}
  for (const { name, kind, value } of graph.inputs) {
    if (kind === "feed" || kind === "frozen") continue
    const { dtype, shape } = graph.nodes[value.node]!.outputs[value.output]!
    const data = allocate(dtype, sizeOf(shape))
    const first = initial?.[name]
    if (initial !== undefined && first === undefined)
      throw new ExecutorError(
        "onnxruntime",
        `${graph.name}: no initial value for ${name}`,
        "this is a fault of the caller",
      )
    if (first !== undefined) data.set(first.data as never)
    const host = { shape, data }
    set[name] = { host, ort: tensorOf(ort, dtype, host) }
  }
  return set
}

/** The frozen inputs of a graph, which use the memory of the weights themselves. */
const frozenOf = (ort: Ort, graph: Graph, weights: HostTensors): Record<string, OrtTensor> =>
  Object.fromEntries(
    graph.inputs
      .filter(({ kind }) => kind === "frozen")
      .map(({ name, value }) => {
        const { dtype, shape } = graph.nodes[value.node]!.outputs[value.output]!
        const tensor = weights[name]
        if (tensor === undefined || tensor.data.length !== sizeOf(shape))
          throw new ExecutorError(
            "onnxruntime",
            `${graph.name}: the weights hold no ${name} [${shape}]`,
            "load the weights of the same model",
          )
        return [`in/${name}`, tensorOf(ort, dtype, { shape, data: tensor.data })]
      }),
  )

const makeTrainer = async (
  ort: Ort,
  open: (model: OnnxModel) => Promise<InferenceSession>,
  lowering: LowerOptions,
  programs: TrainPrograms,
  initial: HostTensors,
  weights: HostTensors,
): Promise<Trainer> => {
  const graph = programs.step()
  const sessions = new Map<number, { graph: Graph; session: InferenceSession }>()
  const sessionOf = async (program: number): Promise<{ graph: Graph; session: InferenceSession }> => {
    const known = sessions.get(program)
    if (known !== undefined) return known
    const chosen = program === 0 ? graph : programs.larger![program - 1]!.step()
    const made = { graph: chosen, session: await open(lowerToOnnx(chosen, lowering)) }
    sessions.set(program, made)
    return made
  }
  await sessionOf(0)
  const held = graph.inputs.filter((i) => i.kind === "parameter" || i.kind === "state")
  const frozen = frozenOf(ort, graph, weights)
  let current = makeSet(ort, graph, { ...weights, ...initial })
  let next = makeSet(ort, graph)
  const written = new Set(graph.outputs.map((o) => o.name))

  return {
    step: async (micro, scalars, program = 0): Promise<StepResult> => {
      const { graph: chosen, session } = await sessionOf(program)
      const flat: Record<string, HostTensor> = { ...scalars }
      micro.forEach((feeds, i) => {
        for (const [name, tensor] of Object.entries(hostFeeds(feeds))) flat[`${name}@${i}`] = tensor
      })
      const feeds = { ...frozen, ...feedsOf(ort, chosen, flat) }
      const fetches: Record<string, OrtTensor | null> = { "out/loss": null, "out/gradNorm": null }
      for (const { name } of held) {
        feeds[`in/${name}`] = current[name]!.ort
        if (written.has(name)) fetches[`out/${name}`] = next[name]!.ort
        else next[name] = current[name]!
      }
      const results = await session.run(feeds, fetches as InferenceSession.OnnxValueMapType)
      const swapped = current
      current = next
      next = swapped
      const scalar = (name: string): number => Number((results[`out/${name}`]!.data as Float32Array)[0])
      return { loss: scalar("loss"), gradNorm: scalar("gradNorm") }
    },
    readState: () =>
      Promise.resolve(
        Object.fromEntries(
          Object.entries(current).map(([name, { host }]) => [
            name,
            { shape: host.shape, data: host.data.slice() },
          ]),
        ),
      ),
    dispose: async () => {
      for (const { session } of sessions.values()) await session.release()
    },
  }
}

const makeEvaluator = async (
  ort: Ort,
  open: (model: OnnxModel) => Promise<InferenceSession>,
  lowering: LowerOptions,
  graph: Graph,
  parameters: HostTensors,
): Promise<Evaluator> => {
  const model = lowerToOnnx(graph, lowering)
  const held = graph.inputs.filter((i) => i.kind !== "feed")
  const missing = held.find((i) => parameters[i.name] === undefined)
  if (missing !== undefined)
    throw new ExecutorError(
      "onnxruntime",
      `${graph.name}: no value for the parameter ${missing.name}`,
      "load a checkpoint of the same model",
    )
  const bytes = held.reduce((sum, i) => sum + parameters[i.name]!.data.byteLength, 0)
  const embed = bytes <= EMBED_PARAMETER_BYTES
  // As initializers, weights are packed once for the matrix kernels instead of at every run.
  const initializers = held.map(({ name, value }): OnnxInitializer => {
    const { dtype, shape } = graph.nodes[value.node]!.outputs[value.output]!
    const { data } = parameters[name]!
    return {
      name: `in/${name}`,
      element: dtype,
      shape,
      raw: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    }
  })
  const session = await open(
    embed
      ? {
          ...model,
          inputs: model.inputs.filter((i) => !held.some((h) => `in/${h.name}` === i.name)),
          initializers: [...model.initializers, ...initializers],
        }
      : model,
  )
  const fixed: Record<string, OrtTensor> = {}
  if (!embed) {
    for (const { name, value } of held) {
      const { dtype, shape } = graph.nodes[value.node]!.outputs[value.output]!
      fixed[`in/${name}`] = tensorOf(ort, dtype, { shape, data: parameters[name]!.data })
    }
  }
  return {
    run: async (feeds) => {
      const results = await session.run({ ...fixed, ...feedsOf(ort, graph, hostFeeds(feeds)) })
      return Object.fromEntries(
        graph.outputs.map(({ name, value }) => {
          const { shape } = graph.nodes[value.node]!.outputs[value.output]!
          return [name, { shape, data: results[`out/${name}`]!.data as HostArray }]
        }),
      )
    },
    dispose: () => session.release(),
  }
}
