/**
 * The safetensors container: 8 bytes little-endian header length, a JSON header, then the tensors' bytes.
 * Format: https://huggingface.co/docs/safetensors. Bytes written are a function of names, values and metadata
 * alone: tensors lie in order of decreasing element size, then of name, so each is aligned to its element size
 * without gaps (the format forbids gaps).
 */
import { open, type FileHandle } from "node:fs/promises"
import { writeAtomically, writeFully, type AtomicOptions } from "./atomic.js"
import { DataError, fromSystemError } from "./errors.js"
import {
  ARRAYS,
  type SafetensorsDType,
  type Entry,
  type Header,
  isDType,
  count,
  headerLength,
  parseHeader,
} from "./safetensors-header.js"

export { type SafetensorsDType } from "./safetensors-header.js"

/** Array that holds a tensor in memory; F16 and BF16 are raw bits (see {@link toFloat32}), BOOL is 0 or 1. */
export type TensorData =
  | Float64Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Int32Array
  | Uint32Array
  | Uint16Array
  | Int16Array
  | Int8Array
  | Uint8Array

/** One tensor, row-major; `data.length` is the product of `shape`. */
export interface StoredTensor {
  readonly dtype: SafetensorsDType
  readonly shape: readonly number[]
  readonly data: TensorData
}

/** A tensor that is named and not read, since its element type is not. */
export interface UnreadTensor {
  /** What it is, such as `F8_E4M3` or `a sparse tensor`. */
  readonly type: string
  /** null where the file does not say it. */
  readonly shape: readonly number[] | null
}

export interface SafetensorsFile {
  readonly tensors: Map<string, StoredTensor>
  /** Tensors of the format's element types that are not read here: float8 and narrower, complex. Absent: none. */
  readonly unread?: ReadonlyMap<string, UnreadTensor>
  readonly metadata: Record<string, string>
}

export type Tensors = ReadonlyMap<string, StoredTensor> | Readonly<Record<string, StoredTensor>>

const bytesOf = (data: TensorData): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength)

// ---------------------------------------------------------------------------------------------- writing

const layOut = (
  tensors: Tensors,
  metadata: Readonly<Record<string, string>>,
): { head: Uint8Array; ordered: readonly TensorData[] } => {
  const named =
    tensors instanceof Map
      ? [...(tensors as ReadonlyMap<string, StoredTensor>)]
      : Object.entries(tensors as Readonly<Record<string, StoredTensor>>)
  named.sort(
    ([a, left], [b, right]) =>
      right.data.BYTES_PER_ELEMENT - left.data.BYTES_PER_ELEMENT || (a < b ? -1 : a > b ? 1 : 0),
  )
  const header: [string, unknown][] = []
  const pairs = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1))
  if (pairs.length > 0) header.push(["__metadata__", Object.fromEntries(pairs)])
  let offset = 0
  for (const [name, { dtype, shape, data }] of named) {
    if (name === "__metadata__") throw new TypeError('safetensors: a tensor cannot be named "__metadata__".')
    if (!(data instanceof ARRAYS[dtype])) {
      throw new TypeError(
        `safetensors: tensor "${name}" is ${dtype} but its data is ${data.constructor.name}.`,
      )
    }
    if (count(shape) !== data.length) {
      throw new TypeError(
        `safetensors: tensor "${name}" has shape [${shape.join(", ")}] but ${data.length} elements.`,
      )
    }
    const end = offset + data.byteLength
    header.push([name, { dtype, shape, data_offsets: [offset, end] }])
    offset = end
  }
  // Written pair by pair, since an object would move names that look like integers to the front.
  const json = `{${header.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`
  const text = new TextEncoder().encode(json)
  const padded = Math.ceil(text.byteLength / 8) * 8
  const head = new Uint8Array(8 + padded).fill(0x20)
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true)
  head.set(text, 8)
  return { head, ordered: named.map(([, tensor]) => tensor.data) }
}

/** The file as bytes in memory; equal input gives equal bytes, whatever the order of `tensors`. */
export const encodeSafetensors = (
  tensors: Tensors,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array => {
  const { head, ordered } = layOut(tensors, metadata)
  const bytes = new Uint8Array(ordered.reduce((size, data) => size + data.byteLength, head.byteLength))
  bytes.set(head)
  let offset = head.byteLength
  for (const data of ordered) {
    bytes.set(bytesOf(data), offset)
    offset += data.byteLength
  }
  return bytes
}

/**
 * Write a file atomically and durably, tensor by tensor, without a second copy in memory. The arrays must not
 * change until the promise settles.
 */
export const writeSafetensors = async (
  path: string,
  tensors: Tensors,
  metadata: Readonly<Record<string, string>> = {},
  options: AtomicOptions = {},
): Promise<void> => {
  const { head, ordered } = layOut(tensors, metadata)
  await writeAtomically(
    path,
    async (handle) => {
      await writeFully(handle, head)
      for (const data of ordered) await writeFully(handle, bytesOf(data))
    },
    options,
  )
}

type ReadEntry = Entry & { readonly dtype: SafetensorsDType }

const isRead = (entry: Entry): entry is ReadEntry => isDType(entry.dtype)

const unreadOf = ({ entries }: Header): ReadonlyMap<string, UnreadTensor> =>
  new Map(
    entries.filter((entry) => !isRead(entry)).map(({ name, dtype, shape }) => [name, { type: dtype, shape }]),
  )

const typed = ({ dtype, shape, begin, end }: ReadEntry, bytes: Uint8Array): StoredTensor => {
  const { BYTES_PER_ELEMENT: width } = ARRAYS[dtype]
  const aligned = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes)
  return {
    dtype,
    shape,
    data: new ARRAYS[dtype](aligned.buffer as ArrayBuffer, aligned.byteOffset, (end - begin) / width),
  }
}

/**
 * Tensors of a file in memory. Aligned tensors share memory with `bytes`; others are copied.
 * @throws DataError for a truncated, overlapping, oversized or foreign file.
 */
export const decodeSafetensors = (bytes: Uint8Array, subject = "safetensors bytes"): SafetensorsFile => {
  const length = headerLength(bytes, bytes.byteLength, subject)
  const header = parseHeader(bytes.subarray(8, 8 + length), bytes.byteLength, subject)
  const tensors = new Map<string, StoredTensor>()
  for (const entry of header.entries.filter(isRead)) {
    tensors.set(entry.name, typed(entry, bytes.subarray(header.size + entry.begin, header.size + entry.end)))
  }
  return { tensors, unread: unreadOf(header), metadata: header.metadata }
}

const READ_SLICE = 1 << 28

const readFully = async (handle: FileHandle, position: number, bytes: Uint8Array, subject: string) => {
  for (let done = 0; done < bytes.byteLength;) {
    const wanted = Math.min(READ_SLICE, bytes.byteLength - done)
    const { bytesRead } = await handle.read(bytes, done, wanted, position + done)
    if (bytesRead === 0) {
      throw new DataError(
        "truncated",
        subject,
        "it became shorter while being read: write or fetch it again.",
      )
    }
    done += bytesRead
  }
}

/** Header and tensors of a file; only tensors that `select` accepts are read from disk. */
export const readSafetensors = async (
  path: string,
  select: (name: string, dtype: SafetensorsDType, shape: readonly number[]) => boolean = () => true,
): Promise<SafetensorsFile> => {
  const handle = await open(path, "r").catch((error: unknown) => {
    throw fromSystemError(error, path, "opening it")
  })
  try {
    const { size } = await handle.stat()
    const first = new Uint8Array(Math.min(8, size))
    await readFully(handle, 0, first, path)
    const json = new Uint8Array(headerLength(first, size, path))
    await readFully(handle, 8, json, path)
    const header = parseHeader(json, size, path)
    const tensors = new Map<string, StoredTensor>()
    for (const entry of header.entries.filter(isRead)) {
      if (!select(entry.name, entry.dtype, entry.shape)) continue
      const bytes = new Uint8Array(entry.end - entry.begin)
      await readFully(handle, header.size + entry.begin, bytes, path)
      tensors.set(entry.name, typed(entry, bytes))
    }
    return { tensors, unread: unreadOf(header), metadata: header.metadata }
  } catch (error) {
    throw fromSystemError(error, path, "reading it")
  } finally {
    await handle.close()
  }
}

// ------------------------------------------------------------------------------------------- conversion

const bits = new Uint32Array(1)
const value = new Float32Array(bits.buffer)

const halfToFloat = (half: number): number => {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** A float tensor as Float32Array: F32 as it is, F16 and BF16 exactly, F64 rounded to nearest. */
export const toFloat32 = ({ dtype, data }: StoredTensor): Float32Array => {
  if (data instanceof Float32Array) return data
  if (data instanceof Float64Array) return Float32Array.from(data)
  if (dtype === "BF16") {
    const widened = new Uint32Array(data.length)
    for (let i = 0; i < data.length; i++) widened[i] = Number(data[i]) << 16
    return new Float32Array(widened.buffer)
  }
  if (dtype === "F16") return Float32Array.from(data as Uint16Array, halfToFloat)
  throw new TypeError(`A ${dtype} tensor holds no floating-point numbers.`)
}

/** BF16 bits of float32 values, rounded to nearest, ties to even; NaN stays NaN. */
export const toBFloat16 = (values: Float32Array): Uint16Array<ArrayBuffer> => {
  const result = new Uint16Array(values.length)
  for (let i = 0; i < values.length; i++) {
    value[0] = values[i]!
    const word = bits[0]!
    result[i] = Number.isNaN(value[0]) ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16
  }
  return result
}
