/**
 * The protobuf wire format, without schemas: https://protobuf.dev/programming-guides/encoding. Numbers above 2^53
 * and negative numbers are handled as 64-bit two's complement.
 */

export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

const utf8 = new TextEncoder()

// ---------------------------------------------------------------------------------------------- writing

/** Byte arrays from this size on are kept by reference until `finish` instead of being copied at once. */
const BY_REFERENCE = 4096

/**
 * Writes one message. Fields appear in the order of the calls. Large byte fields are copied exactly once, by the
 * outermost `finish`, so they must not change before it.
 */
export class WireWriter {
  readonly #parts: Uint8Array[] = []
  #partBytes = 0
  #buffer = new Uint8Array(256)
  #used = 0

  /** Bytes written so far. */
  get length(): number {
    return this.#partBytes + this.#used
  }

  /** int32, int64, uint32, uint64, bool or enum. Negative numbers take ten bytes, as the format demands. */
  varint(field: number, value: number | bigint): this {
    this.#tag(field, WireType.varint)
    this.#varint(value)
    return this
  }

  fixed32(field: number, value: number): this {
    this.#tag(field, WireType.fixed32)
    const offset = this.#reserve(4)
    this.#view().setUint32(offset, value, true)
    return this
  }

  float(field: number, value: number): this {
    this.#tag(field, WireType.fixed32)
    const offset = this.#reserve(4)
    this.#view().setFloat32(offset, value, true)
    return this
  }

  double(field: number, value: number): this {
    this.#tag(field, WireType.fixed64)
    const offset = this.#reserve(8)
    this.#view().setFloat64(offset, value, true)
    return this
  }

  bytes(field: number, value: Uint8Array): this {
    this.#tag(field, WireType.bytes)
    this.#varint(value.byteLength)
    this.#append(value)
    return this
  }

  string(field: number, value: string): this {
    return this.bytes(field, utf8.encode(value))
  }

  /** A nested message, written by `write`. */
  message(field: number, write: (nested: WireWriter) => void): this {
    const nested = new WireWriter()
    write(nested)
    this.#tag(field, WireType.bytes)
    this.#varint(nested.length)
    nested.#seal()
    for (const part of nested.#parts) this.#append(part)
    return this
  }

  /** A packed repeated varint field; nothing is written for an empty one. */
  packedVarint(field: number, values: Iterable<number | bigint>): this {
    const packed = new WireWriter()
    for (const value of values) packed.#varint(value)
    return packed.length === 0 ? this : this.bytes(field, packed.finish())
  }

  /** A packed repeated float field; nothing is written for an empty one. */
  packedFloat(field: number, values: Float32Array | readonly number[]): this {
    const floats = Float32Array.from(values)
    return floats.length === 0 ? this : this.bytes(field, new Uint8Array(floats.buffer))
  }

  /** The message as one array. */
  finish(): Uint8Array<ArrayBuffer> {
    this.#seal()
    const result = new Uint8Array(this.#partBytes)
    let offset = 0
    for (const part of this.#parts) {
      result.set(part, offset)
      offset += part.byteLength
    }
    return result
  }

  #view(): DataView {
    return new DataView(this.#buffer.buffer)
  }

  /** Offset of `size` free bytes in the buffer, now counted as used. */
  #reserve(size: number): number {
    const offset = this.#used
    if (offset + size > this.#buffer.byteLength) {
      const larger = new Uint8Array(Math.max(this.#buffer.byteLength * 2, offset + size))
      larger.set(this.#buffer.subarray(0, offset))
      this.#buffer = larger
    }
    this.#used = offset + size
    return offset
  }

  /** Turn the buffer into a part, so that the next one is kept by reference behind it. */
  #seal(): void {
    if (this.#used === 0) return
    this.#parts.push(this.#buffer.subarray(0, this.#used))
    this.#partBytes += this.#used
    this.#buffer = new Uint8Array(256)
    this.#used = 0
  }

  #append(bytes: Uint8Array): void {
    if (bytes.byteLength < BY_REFERENCE) {
      const offset = this.#reserve(bytes.byteLength)
      this.#buffer.set(bytes, offset)
    } else {
      this.#seal()
      this.#parts.push(bytes)
      this.#partBytes += bytes.byteLength
    }
  }

  #tag(field: number, type: number): void {
    this.#varint(field * 8 + type)
  }

  #varint(value: number | bigint): void {
    if (typeof value === "number") {
      if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not an integer that fits a varint.`)
      if (value >= 0) {
        let rest = value
        while (rest > 0x7f) {
          const offset = this.#reserve(1)
          this.#buffer[offset] = (rest % 128) | 0x80
          rest = Math.floor(rest / 128)
        }
        const offset = this.#reserve(1)
        this.#buffer[offset] = rest
        return
      }
    }
    let rest = BigInt.asUintN(64, BigInt(value))
    while (rest > 0x7fn) {
      const offset = this.#reserve(1)
      this.#buffer[offset] = Number(rest & 0x7fn) | 0x80
      rest >>= 7n
    }
    const offset = this.#reserve(1)
    this.#buffer[offset] = Number(rest)
  }
}

// ---------------------------------------------------------------------------------------------- reading

/** A field as found; read its value with the method that fits the schema. */
export class WireField {
  readonly number: number
  readonly type: number
  readonly #bits: bigint
  readonly #bytes: Uint8Array

  constructor(number: number, type: number, bits: bigint, bytes: Uint8Array) {
    this.number = number
    this.type = type
    this.#bits = bits
    this.#bytes = bytes
  }

  /** Unsigned 64-bit value of a varint or fixed field. */
  bits(): bigint {
    this.#expect(this.type !== WireType.bytes, "a number")
    return this.#bits
  }

  /** int32, int64, enum or bool; exact up to 2^53 in magnitude. */
  integer(): number {
    this.#expect(this.type === WireType.varint, "a varint")
    return Number(BigInt.asIntN(64, this.#bits))
  }

  boolean(): boolean {
    return this.integer() !== 0
  }

  /** IEEE 754 single precision. */
  float(): number {
    this.#expect(this.type === WireType.fixed32, "a 32-bit number")
    const view = new DataView(new ArrayBuffer(4))
    view.setUint32(0, Number(this.#bits))
    return view.getFloat32(0)
  }

  /** IEEE 754 double precision. */
  double(): number {
    this.#expect(this.type === WireType.fixed64, "a 64-bit number")
    const view = new DataView(new ArrayBuffer(8))
    view.setBigUint64(0, this.#bits)
    return view.getFloat64(0)
  }

  /** Bytes of a length-delimited field, sharing memory with the message. */
  bytes(): Uint8Array {
    this.#expect(this.type === WireType.bytes, "length-delimited")
    return this.#bytes
  }

  /** UTF-8 text, which must be valid. */
  string(): string {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.bytes())
  }

  /** Fields of a nested message. */
  message(): Iterable<WireField> {
    return readWire(this.bytes())
  }

  /** Values of a packed repeated varint field (or of one unpacked element). */
  integers(): number[] {
    if (this.type === WireType.varint) return [this.integer()]
    const bytes = this.bytes()
    const values: number[] = []
    for (let at = 0; at < bytes.byteLength;) {
      const [bits, next] = readVarint(bytes, at)
      values.push(Number(BigInt.asIntN(64, bits)))
      at = next
    }
    return values
  }

  /** Values of a packed repeated float field (or of one unpacked element). */
  floats(): Float32Array {
    if (this.type === WireType.fixed32) return Float32Array.of(this.float())
    const copy = this.bytes().slice()
    if (copy.byteLength % 4 !== 0) throw new WireError(`packed floats of ${copy.byteLength} bytes`)
    return new Float32Array(copy.buffer)
  }

  #expect(condition: boolean, expected: string): void {
    if (!condition) throw new WireError(`field ${this.number} has wire type ${this.type}, not ${expected}`)
  }
}

/** The bytes are not a protobuf message of the expected kind. */
export class WireError extends Error {
  readonly _tag = "WireError"

  constructor(message: string) {
    super(message)
    this.name = "WireError"
  }
}

const readVarint = (bytes: Uint8Array, start: number): [bits: bigint, next: number] => {
  let low = 0
  let at = start
  // Four groups of seven bits fit a small integer; longer ones go on in a bigint.
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = bytes[at++]
    if (byte === undefined) throw new WireError("the message ends inside a number")
    low |= (byte & 0x7f) << shift
    if (byte < 0x80) return [BigInt(low), at]
  }
  let value = BigInt(low)
  for (let shift = 28n; shift < 70n; shift += 7n) {
    const byte = bytes[at++]
    if (byte === undefined) throw new WireError("the message ends inside a number")
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return [BigInt.asUintN(64, value), at]
  }
  throw new WireError("a number is longer than ten bytes")
}

/**
 * The fields of a message, in order; nothing is copied.
 * @throws WireError where the bytes are not a message.
 */
export function* readWire(message: Uint8Array): Generator<WireField> {
  // A plain array: the slices of a Node Buffer would share memory instead of being copies.
  const bytes = new Uint8Array(message.buffer, message.byteOffset, message.byteLength)
  const none = bytes.subarray(0, 0)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const need = (at: number, size: number, field: number): void => {
    if (at + size > bytes.byteLength) {
      throw new WireError(`field ${field} needs ${size} bytes but ${bytes.byteLength - at} are left`)
    }
  }
  for (let at = 0; at < bytes.byteLength;) {
    const [tag, after] = readVarint(bytes, at)
    const field = Number(tag >> 3n)
    const type = Number(tag & 7n)
    if (field === 0) throw new WireError("a field has number 0")
    at = after
    switch (type) {
      case WireType.varint: {
        const [bits, next] = readVarint(bytes, at)
        at = next
        yield new WireField(field, type, bits, none)
        break
      }
      case WireType.fixed64:
        need(at, 8, field)
        yield new WireField(field, type, view.getBigUint64(at, true), none)
        at += 8
        break
      case WireType.bytes: {
        const [length, start] = readVarint(bytes, at)
        const size = Number(length)
        need(start, size, field)
        at = start + size
        yield new WireField(field, type, 0n, bytes.subarray(start, at))
        break
      }
      case WireType.fixed32:
        need(at, 4, field)
        yield new WireField(field, type, BigInt(view.getUint32(at, true)), none)
        at += 4
        break
      default:
        throw new WireError(`field ${field} has unknown wire type ${type}`)
    }
  }
}
