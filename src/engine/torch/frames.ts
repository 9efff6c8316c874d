/**
 * Frames of the torch worker: what passes over its standard input and output.
 *
 * A frame is 16 bytes of prefix, a JSON header, and the raw tensors that the header lists, one after another:
 *
 *   "RPRO" | u32 header bytes | u64 payload bytes | header (UTF-8 JSON) | payload
 *
 * Everything is little-endian. Tensors are row-major; `f32` and `i32` take four bytes, `bool` one (0 or 1).
 * Numbers of a computation travel as tensors only, so no value is rounded on its way.
 */
import { endianness } from "node:os"
import type { Readable, Writable } from "node:stream"
import type { HostArray, HostTensor } from "../executor.js"
import { sizeOf, type DType } from "../ir.js"

/** Both sides refuse to work with any other version. */
export const PROTOCOL = 5

const MAGIC = 0x4f525052 // "RPRO", little-endian
const PREFIX_BYTES = 16
const MAX_HEADER_BYTES = 1 << 30

export interface FrameTensor {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly data: HostArray
}

export interface Frame {
  readonly header: Readonly<Record<string, unknown>>
  readonly tensors: readonly FrameTensor[]
}

/** Bytes that are no frame: another program, or a version from before frames had this form. */
export class FrameError extends Error {
  override readonly name = "FrameError"
}

const bytesOf = (data: HostArray): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)

const allocate = (dtype: DType, size: number): HostArray =>
  dtype === "f32" ? new Float32Array(size) : dtype === "i32" ? new Int32Array(size) : new Uint8Array(size)

export const dtypeOf = (data: HostArray): DType =>
  data instanceof Float32Array ? "f32" : data instanceof Int32Array ? "i32" : "bool"

export const namedTensors = (tensors: Readonly<Record<string, HostTensor>>): readonly FrameTensor[] =>
  Object.entries(tensors).map(([name, { shape, data }]) => ({ name, dtype: dtypeOf(data), shape, data }))

/** The chunks of a frame, tensors uncopied. @throws FrameError where a tensor's data does not fill its shape */
export const encodeFrame = ({ header, tensors }: Frame): readonly Uint8Array[] => {
  if (endianness() !== "LE") throw new FrameError("the torch worker needs a little-endian machine")
  for (const { name, shape, data } of tensors)
    if (data.length !== sizeOf(shape))
      throw new FrameError(`the tensor ${name} has ${data.length} elements, not [${shape}]`)
  const list = tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape }))
  const text = Buffer.from(JSON.stringify({ ...header, tensors: list }), "utf8")
  const prefix = Buffer.alloc(PREFIX_BYTES)
  prefix.writeUInt32LE(MAGIC, 0)
  prefix.writeUInt32LE(text.length, 4)
  prefix.writeBigUInt64LE(BigInt(tensors.reduce((sum, { data }) => sum + data.byteLength, 0)), 8)
  return [prefix, text, ...tensors.filter((t) => t.data.length > 0).map(({ data }) => bytesOf(data))]
}

/** Writes a frame; resolves when the last chunk was handed on. The data must not change before. */
export const writeFrame = async (stream: Writable, frame: Frame): Promise<void> => {
  const chunks = encodeFrame(frame)
  await new Promise<void>((done, failed) => {
    chunks.forEach((chunk, i) =>
      stream.write(
        chunk,
        i === chunks.length - 1
          ? (error) => (error === null || error === undefined ? done() : failed(error))
          : undefined,
      ),
    )
  })
}

/** Reads exactly as many bytes as asked for, into memory of the right size. */
class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>
  #rest: Uint8Array = new Uint8Array(0)

  constructor(stream: Readable) {
    this.#chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  }

  /** False at the end of the stream before the first byte. */
  async fill(target: Uint8Array): Promise<boolean> {
    let filled = 0
    while (filled < target.length) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next()
        if (next.done === true) {
          if (filled === 0) return false
          throw new FrameError(`the stream ended inside a frame`)
        }
        this.#rest = next.value
        continue
      }
      const part = this.#rest.subarray(0, target.length - filled)
      target.set(part, filled)
      filled += part.length
      this.#rest = this.#rest.subarray(part.length)
    }
    return true
  }
}

/** The frames of a stream. @throws FrameError on bytes that are none */
export async function* readFrames(stream: Readable): AsyncGenerator<Frame, void, void> {
  const reader = new ByteReader(stream)
  const must = async (target: Uint8Array): Promise<void> => {
    if (target.length > 0 && !(await reader.fill(target)))
      throw new FrameError("the stream ended inside a frame")
  }
  for (;;) {
    const prefix = Buffer.alloc(PREFIX_BYTES)
    if (!(await reader.fill(prefix))) return
    const length = prefix.readUInt32LE(4)
    if (prefix.readUInt32LE(0) !== MAGIC || length > MAX_HEADER_BYTES)
      throw new FrameError(`expected a frame, found ${JSON.stringify(prefix.toString("latin1"))}`)
    const text = Buffer.alloc(length)
    await must(text)
    const { tensors: list, ...header } = parseHeader(text.toString("utf8"))
    const tensors: FrameTensor[] = []
    let bytes = 0
    for (const { name, dtype, shape } of list) {
      const data = allocate(dtype, sizeOf(shape))
      bytes += data.byteLength
      await must(bytesOf(data))
      tensors.push({ name, dtype, shape, data })
    }
    if (BigInt(bytes) !== prefix.readBigUInt64LE(8))
      throw new FrameError(`a frame of ${prefix.readBigUInt64LE(8)} bytes lists tensors of ${bytes}`)
    yield { header, tensors }
  }
}

interface Header extends Record<string, unknown> {
  readonly tensors: readonly Pick<FrameTensor, "name" | "dtype" | "shape">[]
}

const parseHeader = (text: string): Header => {
  try {
    return JSON.parse(text) as Header
  } catch (cause) {
    throw new FrameError(`the header of a frame is not JSON: ${text.slice(0, 80)}`, { cause })
  }
}
