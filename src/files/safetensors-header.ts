/** The header of a safetensors file, read with every claim of it checked against the file. */
import { DataError } from "./errors.js"

export const ARRAYS = {
  F64: Float64Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
  F32: Float32Array,
  I32: Int32Array,
  U32: Uint32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I16: Int16Array,
  U16: Uint16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const

/** Element type of a tensor in a file. */
export type SafetensorsDType = keyof typeof ARRAYS

/** Element types of the format that are not read, and their bits. */
const UNREAD_BITS = {
  F8_E4M3: 8,
  F8_E5M2: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  F6_E2M3: 6,
  F6_E3M2: 6,
  F4: 4,
  C64: 64,
} as const

type UnreadType = keyof typeof UNREAD_BITS

export interface Entry {
  readonly name: string
  readonly dtype: SafetensorsDType | UnreadType
  readonly shape: readonly number[]
  /** Byte range relative to the end of the header. */
  readonly begin: number
  readonly end: number
}

export interface Header {
  readonly entries: readonly Entry[]
  readonly metadata: Record<string, string>
  /** Bytes before the first tensor. */
  readonly size: number
}

/** Largest header read, as in the reference implementation. */
const MAX_HEADER = 100_000_000

export const isDType = (value: unknown): value is SafetensorsDType =>
  typeof value === "string" && Object.hasOwn(ARRAYS, value)

const isUnread = (value: unknown): value is UnreadType =>
  typeof value === "string" && Object.hasOwn(UNREAD_BITS, value)

export const count = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1)

const invalid = (subject: string, message: string): DataError =>
  new DataError(
    "invalid",
    subject,
    `${message}; the file is damaged or not safetensors: write or fetch it again.`,
  )

// ---------------------------------------------------------------------------------------------- reading

export const headerLength = (first: Uint8Array, fileSize: number, subject: string): number => {
  if (first.byteLength < 8) throw invalid(subject, `${fileSize} bytes are too few for a safetensors header`)
  const length = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true)
  if (length > BigInt(MAX_HEADER)) {
    throw invalid(subject, `the header claims ${length} bytes, more than the ${MAX_HEADER} allowed`)
  }
  if (length + 8n > BigInt(fileSize)) {
    throw new DataError(
      "truncated",
      subject,
      `the header claims ${length} bytes but the file has ${fileSize}; it is truncated or not safetensors: write or fetch it again.`,
    )
  }
  return Number(length)
}

const isNatural = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

const parseEntry = (name: string, value: unknown, subject: string): Entry => {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>
  if (!isDType(dtype) && !isUnread(dtype))
    throw invalid(subject, `tensor "${name}" has unknown dtype ${JSON.stringify(dtype)}`)
  if (!Array.isArray(shape) || !shape.every(isNatural)) {
    throw invalid(subject, `tensor "${name}" has shape ${JSON.stringify(shape)}, not a list of sizes`)
  }
  const [begin, end] = Array.isArray(offsets) ? (offsets as unknown[]) : []
  if (!isNatural(begin) || !isNatural(end) || end < begin) {
    throw invalid(subject, `tensor "${name}" has offsets ${JSON.stringify(offsets)}, not a byte range`)
  }
  const size = isDType(dtype)
    ? count(shape) * ARRAYS[dtype].BYTES_PER_ELEMENT
    : Math.ceil((count(shape) * UNREAD_BITS[dtype]) / 8)
  if (size !== end - begin) {
    throw invalid(
      subject,
      `tensor "${name}" (${dtype} [${shape.join(", ")}]) needs ${size} bytes but has ${end - begin}`,
    )
  }
  return { name, dtype, shape, begin, end }
}

export const parseHeader = (json: Uint8Array, fileSize: number, subject: string): Header => {
  let parsed: unknown
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json))
  } catch {
    throw invalid(subject, "the header is not JSON")
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw invalid(subject, "the header is not a JSON object")
  }
  const metadata: Record<string, string> = {}
  const entries: Entry[] = []
  for (const [name, value] of Object.entries(parsed as Record<string, unknown>)) {
    if (name === "__metadata__") {
      for (const [key, text] of Object.entries((value ?? {}) as Record<string, unknown>)) {
        if (typeof text !== "string") throw invalid(subject, `metadata "${key}" is not a string`)
        metadata[key] = text
      }
    } else {
      entries.push(parseEntry(name, value, subject))
    }
  }
  const size = 8 + json.byteLength
  let expected = 0
  let before = "the header"
  for (const { name, begin, end } of entries.sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== expected) {
      const relation = begin < expected ? "overlaps" : "leaves a gap after"
      throw invalid(subject, `tensor "${name}" ${relation} ${before}`)
    }
    expected = end
    before = `"${name}"`
  }
  if (size + expected > fileSize) {
    throw new DataError(
      "truncated",
      subject,
      `${size + expected} bytes are promised but the file has ${fileSize}; it is truncated: write or fetch it again.`,
    )
  }
  if (size + expected < fileSize) {
    throw invalid(subject, `${fileSize - size - expected} bytes follow the last tensor`)
  }
  return { entries, metadata, size }
}
