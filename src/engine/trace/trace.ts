/** Tracing: from a TensorFlow.js function of named tensors to a graph. */
import { engine, registerBackend, type Tensor } from "@tensorflow/tfjs-core"
import { GraphBuilder } from "../builder.js"
import type { Graph, GraphInput, Storage, TensorType } from "../ir.js"
import { dtypeOf, TraceBackend, TraceError } from "./backend.js"
import { registerTraceKernels } from "./kernels.js"

const BACKEND = "repro-trace"

export interface TraceInput extends TensorType {
  readonly name: string
  readonly kind: GraphInput["kind"]
  /** Of a frozen input. */
  readonly storage?: Storage
}

let registered: TraceBackend | undefined
let inBlock = false

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
      const value = graph.input(
        input.name,
        input.kind,
        { dtype: input.dtype, shape: input.shape },
        input.storage,
      )
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

/** Whether a gradient is being taken of what runs now. */
const differentiating = (): boolean =>
  (engine() as unknown as { state: { gradientDepth: number } }).state.gradientDepth > 0

/**
 * f of named tensors. While a forward function is traced the call is kept as a call of one function of the graph, which
 * the torch executor compiles once and may compute again in the backward pass instead of keeping its activations; equal
 * blocks, such as the layers of a network, are one function. Elsewhere, and where a gradient is taken, f simply runs.
 *
 * f must use no tensor but its inputs, constants and what it makes of them.
 * @throws TraceError where it does, or where blocks nest
 */
export const block = (
  name: string,
  f: (inputs: Readonly<Record<string, Tensor>>) => Tensor,
  inputs: Readonly<Record<string, Tensor>>,
): Tensor => {
  const outer = registered?.graph
  if (registered === undefined || outer === undefined || differentiating()) return f(inputs)
  if (inBlock) throw new TraceError(`the block ${name} stands in another block; blocks do not nest`)
  const target = registered
  const tfjs = engine()
  const entries = Object.entries(inputs)
  const args = entries.map(([, tensor]) => target.resolve(tensor))
  const graph = new GraphBuilder()
  target.graph = graph
  inBlock = true
  tfjs.startScope(name)
  let body: Graph
  try {
    const tensors = entries.map(([key, { dtype, shape }]): readonly [string, Tensor] => {
      const info = target.wrap(graph.input(key, "feed", { dtype: dtypeOf(dtype), shape }))
      return [key, tfjs.makeTensorFromTensorInfo(info)]
    })
    const value = target.resolve(f(Object.fromEntries(tensors)))
    body = graph.build(name, [{ name: "result", value }])
  } finally {
    tfjs.endScope()
    target.graph = outer
    inBlock = false
  }
  return tfjs.makeTensorFromTensorInfo(target.wrap(outer.call(name, body, args)[0]!))
}
