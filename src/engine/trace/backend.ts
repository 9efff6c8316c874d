/**
 * A TensorFlow.js backend that computes nothing: each tensor stands for a value of the graph being built.
 *
 * Reading a traced tensor throws, because its numbers do not exist yet. A tensor that belongs to another
 * backend is captured as a constant by `engine().readSync`, which leaves it where it is.
 */
import {
  KernelBackend,
  engine,
  type BackendValues,
  type DataId,
  type DataType,
  type TensorInfo,
} from "@tensorflow/tfjs-core"
import type { GraphBuilder } from "../builder.js"
import { sizeOf, type DType, type TensorType, type Value } from "../ir.js"

export class TraceError extends Error {
  override readonly name = "TraceError"
}

const DTYPES: Readonly<Record<string, DType>> = { float32: "f32", int32: "i32", bool: "bool" }
const TFJS_DTYPES = { f32: "float32", i32: "int32", bool: "bool" } as const

/** The IR element type of a tfjs one. */
export const dtypeOf = (tfjs: string): DType => {
  const dtype = DTYPES[tfjs]
  if (dtype === undefined)
    throw new TraceError(`a tensor of type ${tfjs} cannot be traced; use float32, int32 or bool`)
  return dtype
}

interface Entry {
  value: Value
  references: number
  /** The graph that the value belongs to. */
  readonly graph: GraphBuilder
}

export class TraceBackend extends KernelBackend {
  /** The graph being built; none outside a trace. */
  graph: GraphBuilder | undefined
  readonly #entries = new Map<DataId, Entry>()

  /** The graph being built. */
  get building(): GraphBuilder {
    if (this.graph === undefined) throw new TraceError("the tracing backend was used outside `trace`")
    return this.graph
  }

  /** A tensor that stands for a value. */
  wrap(value: Value): TensorInfo {
    const type = this.building.typeOf(value)
    const dataId = {}
    this.#entries.set(dataId, { value, references: 1, graph: this.building })
    return { dataId, shape: [...type.shape], dtype: TFJS_DTYPES[type.dtype] }
  }

  /**
   * The value a tensor stands for, in the tensor's own shape. A tensor of another backend becomes a constant.
   */
  resolve(tensor: TensorInfo): Value {
    const type: TensorType = { dtype: dtypeOf(tensor.dtype), shape: tensor.shape }
    const entry = this.#entries.get(tensor.dataId)
    if (entry !== undefined) return this.building.op("reshape", [this.#here(entry)], { shape: type.shape })
    const values = engine().readSync(tensor.dataId) as unknown as ArrayLike<number>
    return this.building.constant(values, type)
  }

  /** An entry's value in the graph being built: constants go along into a block, nothing else does. */
  #here({ value, graph }: Entry): Value {
    if (graph === this.building) return value
    const node = graph.nodes[value.node]!
    if (node.op === "constant") return this.building.constantOf(node.attrs, node.outputs[0]!)
    throw new TraceError("a block uses a tensor that was made outside it; give it to the block as an input")
  }

  override write(values: BackendValues, shape: number[], dtype: DataType): DataId {
    refuseRandom()
    const type: TensorType = { dtype: dtypeOf(dtype), shape }
    const host = (values ?? new Float32Array(sizeOf(shape))) as ArrayLike<number>
    const value = this.building.constant(host, type)
    const dataId = {}
    this.#entries.set(dataId, { value, references: 1, graph: this.building })
    return dataId
  }

  override move(): void {
    throw new TraceError("a tensor was moved to the tracing backend; it must stay on its own")
  }

  override read(): Promise<never> {
    return Promise.reject(new TraceError(READ_MESSAGE))
  }

  override readSync(): never {
    throw new TraceError(READ_MESSAGE)
  }

  override refCount(dataId: DataId): number {
    return this.#entries.get(dataId)?.references ?? 0
  }

  override incRef(dataId: DataId): void {
    const entry = this.#entries.get(dataId)
    if (entry !== undefined) entry.references++
  }

  override disposeData(dataId: DataId, force = false): boolean {
    const entry = this.#entries.get(dataId)
    if (entry === undefined) return true
    entry.references--
    if (!force && entry.references > 0) return false
    this.#entries.delete(dataId)
    return true
  }

  override numDataIds(): number {
    return this.#entries.size
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: true }
  }

  override floatPrecision(): 16 | 32 {
    return 32
  }

  override timerAvailable(): boolean {
    return false
  }

  override dispose(): void {
    this.#entries.clear()
  }
}

/**
 * tfjs draws random numbers on the host and writes them like any constant, so a trace would freeze one draw
 * for ever. The names of the open operation scopes tell such a write from others.
 */
const refuseRandom = (): void => {
  const { scopeStack } = (engine() as unknown as { state: { scopeStack: readonly { name: string }[] } }).state
  const drawing = scopeStack.find(({ name }) =>
    /^(rand|random\w*|dropout|truncatedNormal|multinomial)__op$/.test(name),
  )
  if (drawing === undefined) return
  const name = drawing.name.replace("__op", "")
  throw new TraceError(
    `${name} draws random numbers inside a traced function and would be frozen; draw on the host and pass the numbers as an input`,
  )
}

const READ_MESSAGE =
  "the data of a traced tensor was read (dataSync, data, array or print); a traced function may not depend on values, so pass what it needs as an input"
