/** Tracing: from a TensorFlow.js function of named tensors to a graph. */
import { engine, registerBackend, type Tensor } from "@tensorflow/tfjs-core"
import { GraphBuilder } from "../builder.js"
import type { Graph, GraphInput, TensorType } from "../ir.js"
import { TraceBackend, TraceError } from "./backend.js"
import { registerTraceKernels } from "./kernels.js"

const BACKEND = "repro-trace"

export interface TraceInput extends TensorType {
  readonly name: string
  readonly kind: GraphInput["kind"]
}

let registered: TraceBackend | undefined

const backend = (): TraceBackend => {
  if (registered === undefined) {
    const made = new TraceBackend()
    registerBackend(BACKEND, () => made, 0)
    registerTraceKernels(BACKEND)
    registered = made
  }
  return registered
}

const TFJS = { f32: "float32", i32: "int32", bool: "bool" } as const

/**
 * Records what `f` computes from named inputs as a graph. `f` is ordinary tfjs code and may differentiate; it
 * runs once, on tensors without data. Nothing it makes outlives the trace.
 *
 * @throws TraceError when `f` reads a traced tensor, draws random numbers, or uses a kernel without a rule
 */
export const trace = (
  name: string,
  inputs: readonly TraceInput[],
  f: (inputs: Readonly<Record<string, Tensor>>) => Readonly<Record<string, Tensor>>,
): Graph => {
  const tfjs = engine()
  const previous = tfjs.backendName as string | null
  const target = backend()
  if (target.graph !== undefined) throw new TraceError("traces do not nest")
  const graph = new GraphBuilder()
  target.graph = graph
  // The backend is made synchronously, so the switch has happened when the call returns.
  void tfjs.setBackend(BACKEND)
  tfjs.startScope(name)
  try {
    const tensors: Record<string, Tensor> = {}
    for (const input of inputs) {
      if (input.name in tensors) throw new TraceError(`${name}: two inputs are called ${input.name}`)
      const value = graph.input(input.name, input.kind, { dtype: input.dtype, shape: input.shape })
      const info = target.wrap(value)
      tensors[input.name] = tfjs.makeTensorFromTensorInfo({ ...info, dtype: TFJS[input.dtype] })
    }
    const results = f(tensors)
    const outputs = Object.entries(results).map(([key, tensor]) => ({
      name: key,
      value: target.resolve(tensor),
    }))
    return graph.build(name, outputs)
  } finally {
    tfjs.endScope()
    target.graph = undefined
    target.dispose()
    if (previous !== null && previous !== undefined) void tfjs.setBackend(previous)
  }
}
