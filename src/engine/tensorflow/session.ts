/** A library context: functions compiled from graphs, run on tensor handles that stay inside the library. */
import { WireWriter } from "../../files/wire.js"
import { GraphBuilder } from "../builder.js"
import { ExecutorError } from "../errors.js"
import type { HostArray, HostTensor } from "../executor.js"
import { toBFloat16 } from "../../files/safetensors.js"
import { sizeOf, type Graph, type GraphInput, type Storage, type TensorType } from "../ir.js"
import { inlineCalls } from "../passes/inline.js"
import { StatusCode, type Pointer, type TensorflowApi } from "./c-api.js"
import { TF_TYPE_NUMBER, TF_TYPE_OF } from "./graph-def.js"
import { lowerGraph, WORTH_FUSING } from "./lower.js"
import type { LowerOptions } from "./lowering.js"

/** A tensor owned by the library. */
export type Handle = Pointer

export interface SessionOptions extends LowerOptions {
  /** Threads that share one operation, and operations that run at once; 0: the library's choice. */
  readonly threads: { readonly within: number; readonly between: number }
  readonly xla: boolean
}

/** One graph, ready to run. */
export interface CompiledGraph {
  readonly inputs: readonly {
    readonly name: string
    readonly kind: GraphInput["kind"]
    readonly type: TensorType
    readonly storage?: Storage
  }[]
  readonly outputs: readonly { readonly name: string; readonly type: TensorType }[]
  /**
   * Inputs and results in the order above. The inputs stay the caller's; the results become the caller's. One
   * call at a time: the result list is one piece of native memory.
   */
  readonly run: (inputs: readonly Handle[]) => Promise<readonly Handle[]>
  readonly dispose: () => void
}

export class TensorflowSession {
  readonly #api: TensorflowApi
  #options: SessionOptions
  readonly #context: Pointer
  readonly #device: string
  #functions = 0
  /** Names of the compiled functions that the context has. */
  readonly #fused = new Set<string>()

  private constructor(api: TensorflowApi, options: SessionOptions, context: Pointer, device: string) {
    this.#api = api
    this.#options = options
    this.#context = context
    this.#device = device
  }

  /** @throws ExecutorError when the device asked for is not there */
  static open(api: TensorflowApi, options: SessionOptions): TensorflowSession {
    const config = encodeConfig(options)
    const contextOptions = api.TFE_NewContextOptions()
    let context: Pointer
    try {
      context = checked(api, "no context could be made", (status) => {
        api.TFE_ContextOptionsSetConfig(contextOptions, config, config.byteLength, status)
        return api.quietly(() => api.TFE_NewContext(contextOptions, status))
      })
    } finally {
      api.TFE_DeleteContextOptions(contextOptions)
    }
    try {
      const type = options.device === "gpu" ? "GPU" : "CPU"
      const device = listDevices(api, context).find((d) => d.type === type)
      if (device === undefined) {
        throw new ExecutorError(
          "tensorflow",
          `TensorFlow ${api.version} sees no GPU`,
          "use --device cpu, or install a build for this GPU: pip install 'tensorflow[and-cuda]'",
        )
      }
      return new TensorflowSession(api, options, context, device.name)
    } catch (error) {
      api.TFE_DeleteContext(context)
      throw error
    }
  }

  /**
   * Tries a function compiled by XLA on a few numbers. Where the library cannot, graphs are lowered without any from
   * then on.
   */
  async tryFusing(): Promise<boolean> {
    const n = WORTH_FUSING.minElements
    const builder = new GraphBuilder()
    const x = builder.input("x", "feed", { dtype: "f32", shape: [n] })
    const y = builder.op("add", [builder.op("mul", [x, x], {}), x], {})
    const graph = builder.build("fusing", [{ name: "y", value: y }])
    const type = { dtype: "f32", shape: [n] } as const
    const feed = this.upload("x", type, new Float32Array(n).fill(3))
    try {
      const compiled = this.compile(graph)
      const results = await compiled.run([feed]).finally(compiled.dispose)
      const { data } = this.download(results[0]!, type)
      this.release(results)
      if (data.every((value) => value === 12)) return true
    } catch (error) {
      if (!(error instanceof ExecutorError)) throw error
    } finally {
      this.release([feed])
    }
    this.#options = { ...this.#options, fuse: false }
    return false
  }

  /** Lowers a graph and hands it to the library; it is optimised at its first run. */
  compile(given: Graph): CompiledGraph {
    const api = this.#api
    const graph = inlineCalls(given)
    const { graphDef, functions, inputs, outputs } = lowerGraph(graph, this.#options)
    for (const [fused, definition] of functions) {
      if (this.#fused.has(fused)) continue
      checked(api, `graph ${graph.name}: the function ${fused} was refused`, (status) =>
        api.TFE_ContextAddFunctionDef(this.#context, definition, definition.byteLength, status),
      )
      this.#fused.add(fused)
    }
    const name = `${graph.name.replaceAll(/\W/g, "_")}_${this.#functions++}`
    const tfGraph = api.TF_NewGraph()
    const buffer = api.TF_NewBufferFromString(graphDef, graphDef.byteLength)
    const importOptions = api.TF_NewImportGraphDefOptions()
    try {
      checked(api, `graph ${graph.name} was refused`, (status) =>
        api.TF_GraphImportGraphDef(tfGraph, buffer, importOptions, status),
      )
      const locate = (nodes: readonly { readonly node: string }[]): BigUint64Array => {
        // TF_Output { TF_Operation* oper; int index; } with padding; every output used is the first of its node.
        const list = new BigUint64Array(Math.max(8, 2 * nodes.length))
        nodes.forEach(({ node }, i) => {
          const operation = api.TF_GraphOperationByName(tfGraph, node)
          if (operation === null) throw new Error(`tensorflow: graph ${graph.name} lost its node ${node}`)
          list[2 * i] = operation
        })
        return list
      }
      const fn = checked(api, `graph ${graph.name} did not become a function`, (status) =>
        api.TF_GraphToFunction(
          tfGraph,
          name,
          0,
          -1,
          null,
          inputs.length,
          locate(inputs),
          outputs.length,
          locate(outputs),
          null,
          null,
          null,
          status,
        ),
      )
      try {
        checked(api, `graph ${graph.name} was not accepted as a function`, (status) =>
          api.TFE_ContextAddFunction(this.#context, fn, status),
        )
      } finally {
        api.TF_DeleteFunction(fn)
      }
    } finally {
      api.TF_DeleteImportGraphDefOptions(importOptions)
      api.TF_DeleteBuffer(buffer)
      api.TF_DeleteGraph(tfGraph)
    }
    const types = <T extends { readonly value: Graph["outputs"][number]["value"] }>(
      list: readonly T[],
    ): readonly (T & { readonly type: TensorType })[] =>
      list.map((entry) => ({ ...entry, type: graph.nodes[entry.value.node]!.outputs[entry.value.output]! }))
    return this.#compiled(name, graph.name, types(inputs), types(outputs))
  }

  #compiled(
    name: string,
    label: string,
    inputs: CompiledGraph["inputs"],
    outputs: CompiledGraph["outputs"],
  ): CompiledGraph {
    const api = this.#api
    const results = api.allocate(8 * Math.max(8, outputs.length))
    const handles = new BigUint64Array(results.view)
    const count = api.allocate(64)
    const counter = new Int32Array(count.view)
    const optimiser = encodeConfig(this.#options)
    const run = async (args: readonly Handle[]): Promise<readonly Handle[]> => {
      const op = checked(api, `${label} could not be called`, (status) =>
        api.TFE_NewOp(this.#context, name, status),
      )
      const status = api.TF_NewStatus()
      try {
        const setUp = (): void => raise(api, status, `${label} could not be called`)
        api.TFE_OpSetDevice(op, this.#device, status)
        setUp()
        for (const arg of args) api.TFE_OpAddInput(op, arg, status)
        setUp()
        api.TFE_OpSetAttrString(op, "config_proto", optimiser, optimiser.byteLength)
        if (this.#options.xla) api.TFE_OpSetAttrBool(op, "_XlaMustCompile", 1)
        counter[0] = outputs.length
        await api.TFE_Execute(op, results.pointer, count.pointer, status)
        raise(api, status, `${label} failed`)
        return Array.from(handles.subarray(0, outputs.length))
      } finally {
        api.TF_DeleteStatus(status)
        api.TFE_DeleteOp(op)
      }
    }
    return {
      inputs,
      outputs,
      run,
      dispose: () => {
        results.free()
        count.free()
        checked(api, `${label} could not be removed`, (status) =>
          api.TFE_ContextRemoveFunction(this.#context, name, status),
        )
      },
    }
  }

  /** A copy of host data inside the library, rounded to bf16 where that is its storage. */
  upload(label: string, type: TensorType, given: HostArray, storage?: Storage): Handle {
    const api = this.#api
    const expected = sizeOf(type.shape)
    const data = storage === "bf16" ? toBFloat16(given as Float32Array) : given
    if (data.length !== expected) {
      throw new ExecutorError(
        "tensorflow",
        `${label} has ${data.length} elements, not the ${expected} of ${type.dtype}[${type.shape.join()}]`,
        "give a tensor of the traced shape",
      )
    }
    const dims = new BigInt64Array(8)
    if (type.shape.length > dims.length)
      throw new Error(`tensorflow: ${label} has more than ${dims.length} axes`)
    type.shape.forEach((size, i) => (dims[i] = BigInt(size)))
    const tensor = api.TF_AllocateTensor(
      TF_TYPE_NUMBER[storage === "bf16" ? "bfloat16" : TF_TYPE_OF[type.dtype]],
      dims,
      type.shape.length,
      data.byteLength,
    )
    if (tensor === null) throw outOfMemory(`no memory for ${label} (${data.byteLength} bytes)`)
    try {
      if (data.byteLength > 0) api.copyIn(api.TF_TensorData(tensor), data, data.byteLength)
      return checked(api, `${label} could not be handed over`, (status) =>
        api.TFE_NewTensorHandle(tensor, status),
      )
    } finally {
      api.TF_DeleteTensor(tensor)
    }
  }

  /** A copy of a tensor of the library. */
  download(handle: Handle, { dtype, shape }: TensorType): HostTensor {
    const api = this.#api
    const tensor = checked(api, "a result could not be read", (status) =>
      api.TFE_TensorHandleResolve(handle, status),
    )
    try {
      const size = sizeOf(shape)
      const data =
        dtype === "f32"
          ? new Float32Array(size)
          : dtype === "i32"
            ? new Int32Array(size)
            : new Uint8Array(size)
      if (api.TF_TensorByteSize(tensor) !== data.byteLength) {
        throw new Error(
          `tensorflow: a result has ${api.TF_TensorByteSize(tensor)} bytes, not the ${data.byteLength} of ${dtype}[${shape.join()}]`,
        )
      }
      if (size > 0) api.copyOut(data, api.TF_TensorData(tensor), data.byteLength)
      return { shape, data }
    } finally {
      api.TF_DeleteTensor(tensor)
    }
  }

  release(handles: Iterable<Handle>): void {
    for (const handle of handles) this.#api.TFE_DeleteTensorHandle(handle)
  }

  dispose(): void {
    this.#api.TFE_DeleteContext(this.#context)
  }
}

export interface TensorflowDevice {
  readonly name: string
  /** `CPU` or `GPU` */
  readonly type: string
}

const listDevices = (api: TensorflowApi, context: Pointer): readonly TensorflowDevice[] => {
  const devices = checked(api, "no list of devices", (status) => api.TFE_ContextListDevices(context, status))
  try {
    return Array.from({ length: api.TF_DeviceListCount(devices) }, (_, i) => ({
      name: checked(api, "no device name", (status) => api.TF_DeviceListName(devices, i, status)),
      type: checked(api, "no device type", (status) => api.TF_DeviceListType(devices, i, status)),
    }))
  } finally {
    api.TF_DeleteDeviceList(devices)
  }
}

/** ConfigProto (tensorflow/core/protobuf/config.proto): threads, GPU memory that grows as needed. */
const encodeConfig = ({ threads, device }: SessionOptions): Uint8Array => {
  const w = new WireWriter()
  if (device === "cpu") w.message(1, (entry) => entry.string(1, "GPU").varint(2, 0))
  if (threads.within > 0) w.varint(2, threads.within)
  if (threads.between > 0) w.varint(5, threads.between)
  w.message(6, (gpu) => gpu.varint(4, 1))
  w.varint(7, 1)
  return w.finish()
}

const outOfMemory = (problem: string, options?: ErrorOptions): ExecutorError =>
  new ExecutorError(
    "tensorflow",
    problem,
    "use more micro-batches of a smaller batch, or recompute attention (keepAttentionBytes 0)",
    options,
  )

/** The TensorFlow node that an error message blames, as `{{node add_12/AddV2_0}}`; its first part is the IR node. */
const blamed = (message: string): string | undefined =>
  /\{\{node (?:[^}]*\^)?([\w./-]+)\}\}/.exec(message)?.[1]

/** @throws ExecutorError for a status that is not OK */
const raise = (api: TensorflowApi, status: Pointer, problem: string): void => {
  const code = api.TF_GetCode(status)
  if (code === StatusCode.ok) return
  const message = api.TF_Message(status)
  const node = blamed(message)
  const place = node === undefined ? "" : ` at node ${node}`
  const first = message.split("\n")[0]!.replaceAll(/\{\{[^}]*\}\}\s*/g, "")
  if (code === StatusCode.resourceExhausted) throw outOfMemory(`out of memory${place}: ${first}`)
  throw new ExecutorError(
    "tensorflow",
    `${problem}${place}: ${first} (status ${code})`,
    "use --engine onnxruntime, and report this graph",
    { cause: new Error(message) },
  )
}

const checked = <T>(api: TensorflowApi, problem: string, call: (status: Pointer) => T): T => {
  const status = api.TF_NewStatus()
  try {
    const result = call(status)
    raise(api, status, problem)
    return result
  } finally {
    api.TF_DeleteStatus(status)
  }
}
