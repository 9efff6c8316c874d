/** The `tfjs` executor: graphs run eagerly on a TensorFlow.js backend (`cpu`, or one that the user registered). */
import * as tf from "@tensorflow/tfjs-core"
import { ExecutorError } from "../errors.js"
import {
  hostFeeds,
  WHOLE,
  type Executor,
  type ExecutorOptions,
  type HostArray,
  type HostTensors,
} from "../executor.js"
import type { Graph, GraphInput } from "../ir.js"
import { HostWeights, hostValues, tensorsOver, valuesOf } from "../weights.js"
import { useCpuBackend } from "./cpu-backend.js"
import { hostToTensor, interpret } from "./interpret.js"

const run = async (graph: Graph, feeds: HostTensors): Promise<HostTensors> => {
  const results = tf.tidy(() => {
    const inputs: Record<string, tf.Tensor> = {}
    for (const { name, value } of graph.inputs) {
      const { dtype, shape } = graph.nodes[value.node]!.outputs[value.output]!
      const host = feeds[name]
      if (host === undefined)
        throw new ExecutorError(
          "tfjs",
          `${graph.name}: the input ${name} is missing`,
          "this is a fault of the caller",
        )
      inputs[name] = hostToTensor(dtype, shape, host.data)
    }
    return interpret(graph, inputs)
  })
  const out: Record<string, { shape: readonly number[]; data: HostArray }> = {}
  for (const [name, tensor] of Object.entries(results)) {
    out[name] = { shape: tensor.shape, data: (await tensor.data()) as unknown as HostArray }
    tensor.dispose()
  }
  return out
}

/** @throws ExecutorError for any precision but fp32 */
export const makeTfjsExecutor = async (options: ExecutorOptions): Promise<Executor> => {
  if (options.precision !== "fp32")
    throw new ExecutorError("tfjs", `precision ${options.precision} is not available`, "use --precision fp32")
  await useCpuBackend()
  return {
    name: "tfjs",
    precision: options.precision,
    layout: WHOLE,
    version: tf.version_core,
    trainer: async (programs, initial, weights) => {
      const graph = programs.step()
      const loaded = valuesOf("tfjs", weights)
      const kept = (kinds: readonly GraphInput["kind"][], from: HostTensors): HostTensors =>
        Object.fromEntries(
          graph.inputs.flatMap(({ name, kind }) =>
            kinds.includes(kind) && from[name] !== undefined ? [[name, from[name]]] : [],
          ),
        )
      const frozen = kept(["frozen"], loaded)
      let state: HostTensors = { ...kept(["parameter", "state"], loaded), ...initial }
      return {
        step: async (micro, scalars, program = 0) => {
          const chosen = program === 0 ? graph : programs.larger![program - 1]!.step()
          const feeds = Object.fromEntries(
            micro.flatMap((m, i) => Object.entries(hostFeeds(m)).map(([name, t]) => [`${name}@${i}`, t])),
          )
          const results = await run(chosen, { ...frozen, ...state, ...scalars, ...feeds })
          state = Object.fromEntries(Object.keys(state).map((name) => [name, results[name] ?? state[name]!]))
          return { loss: results["loss"]!.data[0]!, gradNorm: results["gradNorm"]!.data[0]! }
        },
        readState: () =>
          Promise.resolve(
            Object.fromEntries(
              Object.entries(state).map(([n, t]) => [n, { shape: t.shape, data: t.data.slice() }]),
            ),
          ),
        dispose: () => Promise.resolve(),
      }
    },
    evaluator: async (graph, parameters, weights) => {
      const held = { ...valuesOf("tfjs", weights), ...parameters }
      return {
        run: (feeds) => run(graph, { ...held, ...hostFeeds(feeds) }),
        dispose: () => Promise.resolve(),
      }
    },
    weights: async (source) => new HostWeights("tfjs", tensorsOver(source), await hostValues("tfjs", source)),
    dispose: () => Promise.resolve(),
  }
}
