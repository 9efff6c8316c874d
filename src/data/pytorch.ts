/**
 * PyTorch checkpoints: the tensors of a state dict written by `torch.save` (its ZIP form, the default since 1.6).
 * Layout: `<name>/data.pkl`, a pickle whose persistent ids name storages, and `<name>/data/<key>` with each storage's
 * bytes. Source: PyTorch torch/serialization.py, torch/_utils.py `_rebuild_tensor_v2`.
 */
import { open, type FileHandle } from "node:fs/promises"
import { DataError, fromSystemError } from "./errors.js"
import { readPickle, type PickleDict } from "./pickle.js"
import type { SafetensorsDType, StoredTensor, TensorData } from "./safetensors.js"
import { openZip, type ZipFile } from "./zip.js"

const STORAGES: Readonly<Record<string, SafetensorsDType>> = {
  DoubleStorage: "F64",
  FloatStorage: "F32",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
}

interface ArrayType {
  readonly BYTES_PER_ELEMENT: number
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): TensorData
}

const ARRAYS: Readonly<Partial<Record<SafetensorsDType, ArrayType>>> = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
}

class Storage {
  readonly dtype: SafetensorsDType
  readonly key: string
  /** Elements. */
  readonly size: number

  constructor(dtype: SafetensorsDType, key: string, size: number) {
    this.dtype = dtype
    this.key = key
    this.size = size
  }
}

class StorageType {
  readonly dtype: SafetensorsDType

  constructor(dtype: SafetensorsDType) {
    this.dtype = dtype
  }
}

/** A tensor of a checkpoint, its bytes not read yet. */
class TensorView {
  readonly storage: Storage
  readonly offset: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]

  constructor(storage: Storage, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage
    this.offset = offset
    this.shape = shape
    this.strides = strides
  }
}

const isNatural = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

const invalid = (subject: string, what: string): DataError =>
  new DataError("invalid", subject, `${what}; the checkpoint is damaged: copy or save it again.`)

/** What the globals of a state dict stand for; undefined for everything else. */
const globalsOf = (subject: string): ((module: string, name: string) => unknown) => {
  const rebuild = (storage: unknown, offset: unknown, shape: unknown, strides: unknown): TensorView => {
    const sizes = (value: unknown): value is readonly number[] =>
      Array.isArray(value) && value.every(isNatural)
    if (!(storage instanceof Storage) || !isNatural(offset) || !sizes(shape) || !sizes(strides))
      throw invalid(subject, "a tensor is described wrongly")
    const last = shape.reduce((sum, n, i) => sum + Math.max(0, n - 1) * (strides[i] ?? Number.NaN), offset)
    const count = shape.reduce((product, n) => product * n, 1)
    if (strides.length !== shape.length || (count > 0 && !(last < storage.size)) || count > storage.size)
      throw invalid(
        subject,
        `a tensor of shape [${shape.join(", ")}] lies outside its storage of ${storage.size}`,
      )
    return new TensorView(storage, offset, shape, strides)
  }
  const dict = (pairs: unknown = []): PickleDict => {
    if (!Array.isArray(pairs) || !pairs.every((pair) => Array.isArray(pair) && pair.length === 2))
      throw invalid(subject, "a dict is described wrongly")
    return new Map(pairs as [unknown, unknown][])
  }
  return (module, name) => {
    switch (`${module}.${name}`) {
      case "collections.OrderedDict":
        return dict
      case "torch._utils._rebuild_tensor_v2":
        return rebuild
      case "torch._utils._rebuild_parameter":
        return (tensor: unknown) => tensor
      case "torch.Size":
        return (sizes: unknown) => sizes
    }
    const dtype = module === "torch" && Object.hasOwn(STORAGES, name) ? STORAGES[name] : undefined
    return dtype === undefined ? undefined : new StorageType(dtype)
  }
}

const storageOf = (id: unknown, subject: string): Storage => {
  const [tag, type, key, , size] = Array.isArray(id) ? (id as unknown[]) : []
  if (tag !== "storage" || !(type instanceof StorageType) || typeof key !== "string" || !isNatural(size))
    throw invalid(subject, "a storage is described wrongly")
  return new Storage(type.dtype, key, size)
}

/** Tensors of nested containers by dotted name; other values are passed over. */
const collect = (value: unknown, name: string, into: Map<string, TensorView>, depth: number): void => {
  if (value instanceof TensorView) into.set(name, value)
  else if (depth > 0 && (value instanceof Map || Array.isArray(value))) {
    for (const [key, item] of value instanceof Map ? value : value.entries())
      collect(item, name === "" ? String(key) : `${name}.${String(key)}`, into, depth - 1)
  }
}

const gather = ({ storage, offset, shape, strides }: TensorView, data: TensorData): TensorData => {
  const count = shape.reduce((product, n) => product * n, 1)
  let step = 1
  const contiguous = shape.toReversed().every((n, i) => {
    const expected = step
    step *= n
    return n <= 1 || strides[strides.length - 1 - i] === expected
  })
  if (contiguous) return data.slice(offset, offset + count)
  const Type = ARRAYS[storage.dtype]!
  const out = new Type(new ArrayBuffer(count * Type.BYTES_PER_ELEMENT))
  const index = shape.map(() => 0)
  for (let i = 0; i < count; i++) {
    out[i] = data[index.reduce((at, n, axis) => at + n * strides[axis]!, offset)]!
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0
  }
  return out
}

const readTensors = async (zip: ZipFile, subject: string): Promise<Map<string, StoredTensor>> => {
  const pickles = [...zip.entries.values()].filter(({ name }) => /^[^/]+\/data\.pkl$/.test(name))
  const [pickle] = pickles
  if (pickle === undefined || pickles.length > 1)
    throw new DataError(
      "invalid",
      subject,
      "the archive holds no state dict (one data.pkl); a TorchScript file or another archive cannot be read: save with torch.save(model.state_dict(), path).",
    )
  const root = pickle.name.slice(0, -"data.pkl".length)
  const order = zip.entries.get(`${root}byteorder`)
  if (order !== undefined && new TextDecoder().decode(await zip.read(order)) !== "little")
    throw new DataError("invalid", subject, "its numbers are big-endian; save it on a little-endian machine.")
  const content = readPickle(await zip.read(pickle), subject, {
    global: globalsOf(subject),
    persistent: (id) => storageOf(id, subject),
  })
  const views = new Map<string, TensorView>()
  collect(content, "", views, 8)
  const storages = new Map<string, TensorData>()
  const bytesOf = async ({ key, dtype, size }: Storage): Promise<TensorData> => {
    const known = storages.get(`${dtype}/${key}`)
    if (known !== undefined) return known
    const entry = zip.entries.get(`${root}data/${key}`)
    const Type = ARRAYS[dtype]!
    if (entry === undefined || entry.size !== size * Type.BYTES_PER_ELEMENT)
      throw invalid(
        subject,
        `the storage ${key} should have ${size * Type.BYTES_PER_ELEMENT} bytes and ${entry === undefined ? "is missing" : `has ${entry.size}`}`,
      )
    const bytes = await zip.read(entry)
    const data = new Type(bytes.buffer, 0, size)
    storages.set(`${dtype}/${key}`, data)
    return data
  }
  const tensors = new Map<string, StoredTensor>()
  for (const [name, view] of views)
    tensors.set(name, {
      dtype: view.storage.dtype,
      shape: view.shape,
      data: gather(view, await bytesOf(view.storage)),
    })
  return tensors
}

/**
 * Every tensor of a checkpoint, by name; nested dicts give dotted names.
 *
 * @throws DataError for a file that is no such checkpoint, is damaged, or holds anything but plain data
 */
export const readPytorch = async (path: string): Promise<Map<string, StoredTensor>> => {
  let handle: FileHandle | undefined
  try {
    handle = await open(path, "r")
    const start = new Uint8Array(4)
    await handle.read(start, 0, 4, 0)
    if (String.fromCharCode(...start.subarray(0, 2)) !== "PK")
      throw new DataError(
        "invalid",
        path,
        "this is not a PyTorch checkpoint in ZIP form (torch.save since 1.6); load it with torch and save it again.",
      )
    return await readTensors(await openZip(handle, path), path)
  } catch (error) {
    throw fromSystemError(error, path, "reading the checkpoint")
  } finally {
    await handle?.close()
  }
}
