/** The `tfjs` executor: graphs run eagerly on a TensorFlow.js backend (`cpu`, or one that the user registered). */
import * as tf from "@tensorflow/tfjs-core"
import { ExecutorError } from "../errors.js"
import { WHOLE, type Executor, type ExecutorOptions, type HostArray, type HostTensors } from "../executor.js"
import type { Graph } from "../ir.js"
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
    layout: WHOLE,
    version: tf.version_core,
    trainer: (programs, initial) => {
      const graph = programs.step()
      let state: HostTensors = { ...initial }
      return Promise.resolve({
        step: async (micro, scalars, program = 0) => {
          const chosen = program === 0 ? graph : programs.larger![program - 1]!.step()
          const feeds = Object.fromEntries(
            micro.flatMap((m, i) => Object.entries(m).map(([name, t]) => [`${name}@${i}`, t])),
          )
          const results = await run(chosen, { ...state, ...scalars, ...feeds })
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
      })
    },
    evaluator: (graph, parameters) =>
      Promise.resolve({
        run: (feeds) => run(graph, { ...parameters, ...feeds }),
        dispose: () => Promise.resolve(),
      }),
    dispose: () => Promise.resolve(),
  }
}
