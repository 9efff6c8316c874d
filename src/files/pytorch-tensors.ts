/**
 * The tensors of a PyTorch pickle: what its globals stand for, storages, and views into them. Source: PyTorch
 * torch/_utils.py (`_rebuild_tensor_v2`, `_rebuild_tensor_v3` and the other `_rebuild_` functions), torch/storage.py.
 */
import { DataError } from "./errors.js"
import type { PickleDict } from "./pickle.js"
import type { SafetensorsDType, StoredTensor, TensorData } from "./safetensors.js"

interface ArrayType {
  readonly BYTES_PER_ELEMENT: number
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): TensorData
}

/** An element type: its name in PyTorch, bytes of an element, and how it is read; undefined where it is not. */
class ElementType {
  readonly name: string
  readonly width: number
  readonly dtype: SafetensorsDType | undefined

  constructor(name: string, width: number, dtype?: SafetensorsDType) {
    this.name = name
    this.width = width
    this.dtype = dtype
  }
}

const TYPES: readonly ElementType[] = [
  new ElementType("float64", 8, "F64"),
  new ElementType("float32", 4, "F32"),
  new ElementType("float16", 2, "F16"),
  new ElementType("bfloat16", 2, "BF16"),
  new ElementType("int64", 8, "I64"),
  new ElementType("int32", 4, "I32"),
  new ElementType("int16", 2, "I16"),
  new ElementType("int8", 1, "I8"),
  new ElementType("uint64", 8, "U64"),
  new ElementType("uint32", 4, "U32"),
  new ElementType("uint16", 2, "U16"),
  new ElementType("uint8", 1, "U8"),
  new ElementType("bool", 1, "BOOL"),
  new ElementType("complex32", 4),
  new ElementType("complex64", 8),
  new ElementType("complex128", 16),
  new ElementType("qint8", 1),
  new ElementType("quint8", 1),
  new ElementType("qint32", 4),
  new ElementType("quint4x2", 1),
  new ElementType("quint2x4", 1),
]

/** float8_e4m3fn and its kin, float4_e2m1fn_x2, bits8, uint4 and so on: one byte or a part of one. */
const NARROW = /^(float[48]_\w+|bits\d+(x\d+)?|u?int[1-7])$/

const typeNamed = (name: string): ElementType | undefined =>
  TYPES.find((type) => type.name === name) ??
  (NARROW.test(name) ? new ElementType(name, name === "bits16" ? 2 : 1) : undefined)

/** Classes of typed storages to element types. */
const STORAGES: Readonly<Record<string, string>> = {
  DoubleStorage: "float64",
  FloatStorage: "float32",
  HalfStorage: "float16",
  BFloat16Storage: "bfloat16",
  LongStorage: "int64",
  IntStorage: "int32",
  ShortStorage: "int16",
  CharStorage: "int8",
  ByteStorage: "uint8",
  BoolStorage: "bool",
  ComplexFloatStorage: "complex64",
  ComplexDoubleStorage: "complex128",
  QInt8Storage: "qint8",
  QUInt8Storage: "quint8",
  QInt32Storage: "qint32",
  QUInt4x2Storage: "quint4x2",
  QUInt2x4Storage: "quint2x4",
}

const ARRAYS: Readonly<Record<SafetensorsDType, ArrayType>> = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
}

/** Bytes of a file that tensors look into. */
export class Storage {
  /** undefined: the tensors that look into it say it. */
  readonly type: ElementType | undefined
  readonly key: string
  readonly bytes: number

  constructor(type: ElementType | undefined, key: string, bytes: number) {
    this.type = type
    this.key = key
    this.bytes = bytes
  }
}

/** The class of a storage; without a type it is `UntypedStorage`. */
class StorageClass {
  readonly type: ElementType | undefined

  constructor(type: ElementType | undefined) {
    this.type = type
  }
}

/** A tensor of a checkpoint, its bytes not read yet. */
export class TensorView {
  readonly storage: Storage
  readonly dtype: SafetensorsDType
  readonly offset: number
  readonly shape: readonly number[]
  /** Elements from one index to the next along each axis; 0 along an expanded axis. */
  readonly strides: readonly number[]
  /** The bit of a lazy negation: values are those of the storage times -1. */
  readonly negated: boolean

  constructor(
    storage: Storage,
    dtype: SafetensorsDType,
    place: {
      readonly offset: number
      readonly shape: readonly number[]
      readonly strides: readonly number[]
    },
    negated: boolean,
  ) {
    this.storage = storage
    this.dtype = dtype
    this.offset = place.offset
    this.shape = place.shape
    this.strides = place.strides
    this.negated = negated
  }
}

/** A tensor that is named but not read. */
export class OpaqueTensor {
  /** What it is, such as `float8_e4m3fn` or `a sparse tensor`. */
  readonly type: string
  /** null where the pickle does not say it plainly. */
  readonly shape: readonly number[] | null
  /** Real and imaginary parts side by side, [..., 2], of complex numbers that are not conjugated. */
  readonly pairs: TensorView | undefined

  constructor(type: string, shape: readonly number[] | null, pairs?: TensorView) {
    this.type = type
    this.shape = shape
    this.pairs = pairs
  }
}

/** Layouts and subclasses that are named and not read. */
const OPAQUE: Readonly<Record<string, string>> = {
  "torch._utils._rebuild_qtensor": "a quantised tensor",
  "torch._utils._rebuild_sparse_tensor": "a sparse tensor",
  "torch._utils._rebuild_sparse_csr_tensor": "a sparse tensor",
  "torch._utils._rebuild_nested_tensor": "a nested tensor",
  "torch._utils._rebuild_meta_tensor_no_storage": "a tensor without data (on the meta device)",
  "torch._utils._rebuild_wrapper_subclass": "a tensor subclass",
}

/** Constants that describe such tensors. */
const CONSTANTS = new Set([
  "torch.per_tensor_affine",
  "torch.per_tensor_symmetric",
  "torch.per_channel_affine",
  "torch.per_channel_symmetric",
  "torch.per_channel_affine_float_qparams",
])

/** Axes that PyTorch itself allows of a tensor that is taken apart. */
const MAX_AXES = 64

/** Entries that dicts are copied from; a pickle of protocol 2 or newer copies none. */
const MAX_COPIED = 1_000_000

const isNatural = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const sizes = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.length <= MAX_AXES && value.every(isNatural)

const invalid = (subject: string, what: string): DataError =>
  new DataError("invalid", subject, `${what}; the checkpoint is damaged: copy or save it again.`)

/** The view bits that PyTorch pickles: `neg` and `conj`. A conjugate differs from its storage in complex types alone. */
const isNegated = (metadata: unknown): boolean =>
  metadata instanceof Map && (metadata as PickleDict).get("neg") === true

/** The parts of complex numbers, as torch.view_as_real gives them. */
const PARTS: Readonly<Record<string, SafetensorsDType>> = { complex64: "F32", complex128: "F64" }

const pairsOf = (
  storage: Storage,
  { name }: ElementType,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
  metadata: unknown,
): TensorView | undefined => {
  const part = PARTS[name]
  const lazy = metadata instanceof Map && metadata.size > 0
  if (part === undefined || lazy) return undefined
  const place = { offset: 2 * offset, shape: [...shape, 2], strides: [...strides.map((n) => 2 * n), 1] }
  return new TensorView(storage, part, place, false)
}

const viewOf = (
  subject: string,
  [storage, offset, shape, strides]: readonly unknown[],
  type: unknown,
  metadata: unknown,
): TensorView | OpaqueTensor => {
  const element = type ?? (storage instanceof Storage ? storage.type : undefined)
  if (
    !(storage instanceof Storage) ||
    !(element instanceof ElementType) ||
    !isNatural(offset) ||
    !sizes(shape) ||
    !sizes(strides)
  )
    throw invalid(subject, "a tensor is described wrongly")
  const held = Math.floor(storage.bytes / element.width)
  const last = shape.reduce((sum, n, i) => sum + Math.max(0, n - 1) * (strides[i] ?? Number.NaN), offset)
  const count = shape.reduce((product, n) => product * n, 1)
  if (strides.length !== shape.length || !Number.isSafeInteger(count) || (count > 0 && !(last < held)))
    throw invalid(subject, `a tensor of shape [${shape.join(", ")}] lies outside its storage of ${held}`)
  return element.dtype === undefined
    ? new OpaqueTensor(element.name, shape, pairsOf(storage, element, offset, shape, strides, metadata))
    : new TensorView(storage, element.dtype, { offset, shape, strides }, isNegated(metadata))
}

/** What the globals of a checkpoint stand for; undefined for everything that is not plain data. */
export const torchGlobals = (subject: string): ((module: string, name: string) => unknown) => {
  let copied = 0
  const dict = (pairs: unknown = []): PickleDict => {
    copied += Array.isArray(pairs) ? pairs.length : 0
    if (copied > MAX_COPIED)
      throw new DataError(
        "refused",
        subject,
        `its dicts are made from more than ${MAX_COPIED} pairs that lie in lists, which no state dict needs; save the tensors alone, torch.save(model.state_dict(), "weights.pt"), or write safetensors.`,
      )
    if (!Array.isArray(pairs) || !pairs.every((pair) => Array.isArray(pair) && pair.length === 2))
      throw invalid(subject, "a dict is described wrongly")
    return new Map(pairs as [unknown, unknown][])
  }
  return (module, name) => {
    const whole = `${module}.${name}`
    switch (whole) {
      case "collections.OrderedDict":
        return dict
      case "torch._utils._rebuild_tensor":
      case "torch._utils._rebuild_tensor_v2":
        return (...args: readonly unknown[]) => viewOf(subject, args, undefined, args[6])
      case "torch._utils._rebuild_tensor_v3":
        return (...args: readonly unknown[]) => viewOf(subject, args, args[6] ?? null, args[7])
      case "torch._utils._rebuild_parameter":
      case "torch._utils._rebuild_parameter_with_state":
        return (tensor: unknown) => tensor
      case "torch.Size":
        return (given: unknown) => given
      case "torch.serialization._get_layout":
        return (layout: unknown) => layout
      case "torch.storage.UntypedStorage":
      case "torch.UntypedStorage":
        return new StorageClass(undefined)
    }
    if (Object.hasOwn(OPAQUE, whole))
      return (...args: readonly unknown[]) =>
        new OpaqueTensor(
          OPAQUE[whole]!,
          (args.find((each, i) => i > 0 && sizes(each) && each.length > 0) as
            readonly number[] | undefined) ?? null,
        )
    if (CONSTANTS.has(whole)) return whole
    if (module !== "torch") return undefined
    if (Object.hasOwn(STORAGES, name)) return new StorageClass(typeNamed(STORAGES[name]!))
    return typeNamed(name)
  }
}

export const storageOf = (id: unknown, subject: string): Storage => {
  const [tag, type, key, , size] = Array.isArray(id) ? (id as unknown[]) : []
  if (tag !== "storage" || !(type instanceof StorageClass) || typeof key !== "string" || !isNatural(size))
    throw invalid(subject, "a storage is described wrongly")
  return new Storage(type.type, key, size * (type.type?.width ?? 1))
}

const negate = (data: TensorData): TensorData => {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return data.map((x) => -x)
  return (data as Float64Array).map((x) => -x)
}

/** Halves are kept as bits: a negation turns the sign bit. */
const negated = (data: TensorData, dtype: SafetensorsDType): TensorData =>
  dtype === "F16" || dtype === "BF16" ? (data as Uint16Array).map((x) => x ^ 0x8000) : negate(data)

const gather = ({ dtype, offset, shape, strides }: TensorView, data: TensorData): TensorData => {
  const count = shape.reduce((product, n) => product * n, 1)
  let step = 1
  const contiguous = shape.toReversed().every((n, i) => {
    const expected = step
    step *= n
    return n <= 1 || strides[strides.length - 1 - i] === expected
  })
  if (contiguous) return data.slice(offset, offset + count)
  const Type = ARRAYS[dtype]
  const out = new Type(new ArrayBuffer(count * Type.BYTES_PER_ELEMENT))
  const index = shape.map(() => 0)
  for (let i = 0; i < count; i++) {
    out[i] = data[index.reduce((at, n, axis) => at + n * strides[axis]!, offset)]!
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0
  }
  return out
}

/** The tensor of a view; its values are gathered when they are asked for, since an expanded one may be of any size. */
export const gatherView = (view: TensorView, bytes: Uint8Array): StoredTensor => {
  const { dtype, shape } = view
  const Type = ARRAYS[dtype]
  const whole = new Type(
    bytes.buffer,
    bytes.byteOffset,
    Math.floor(bytes.byteLength / Type.BYTES_PER_ELEMENT),
  )
  return {
    dtype,
    shape,
    get data() {
      const values = gather(view, whole)
      return view.negated ? negated(values, dtype) : values
    },
  }
}
