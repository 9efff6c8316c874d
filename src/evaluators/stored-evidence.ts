/**
 * Evidence as it is stored, version 2: what several evaluations of a run share stands once beside them, named by its
 * content, and every tensor has the narrowest element type that holds its values exactly.
 *
 * ```
 * evidence/<evaluation>.safetensors         header and tensors of one evaluation; written last
 *          <evaluation>.ndjson              its items, one JSON value a line; absent where it has none
 *          shared/pieces-<digest>.json      pieces of a tokenizer
 *                 windows-<digest>.safetensors   tokens of windows and where they lie
 * ```
 * In memory evidence is whole, whichever version it was stored in: version 1 has everything in its one file.
 */
import { createHash } from "node:crypto"
import { DataError } from "../files/errors.js"
import {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsDType,
  type SafetensorsFile,
  type StoredTensor,
} from "../files/safetensors.js"
import { evidenceMetadata, type EvidenceFile, type EvidenceHeader } from "./evidence.js"

/** Tensors about windows; they depend on the split and on how it is cut, not on the evaluation. */
const WINDOW_TENSORS = ["tokens", "starts", "previous", "following"]

type Types = Readonly<Record<string, SafetensorsDType>>

/** What a stored header says instead of what it shares. */
interface SharedParts {
  /** Name of the file with the tokenizer's pieces. */
  readonly pieces: string
  /** Name of the file with the windows; absent where the evaluation has none. */
  readonly windows?: string
  /** Element types in memory of tensors that are stored narrower. */
  readonly types: Types
  /** Items in the file beside. */
  readonly items?: { readonly count: number; readonly digest: string }
}

type StoredHeader = Omit<EvidenceHeader, "tokenizer"> & {
  readonly tokenizer: Omit<EvidenceHeader["tokenizer"], "pieces">
  readonly shared: SharedParts
}

export interface StoredFile {
  readonly name: string
  readonly bytes: Uint8Array
}

/** An evaluation's own tensors and metadata, the files that it shares, and the lines of its items. */
export interface PackedEvidence {
  readonly tensors: Readonly<Record<string, StoredTensor>>
  readonly metadata: Readonly<Record<string, string>>
  readonly shared: readonly StoredFile[]
  readonly items?: Uint8Array
}

const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex").slice(0, 16)

const fits = (data: ArrayLike<number>, low: number, high: number): boolean => {
  for (let i = 0; i < data.length; i++) if (data[i]! < low || data[i]! > high) return false
  return true
}

/** The same values in the narrowest element type that holds each of them exactly. */
export const narrow = (tensor: StoredTensor): StoredTensor => {
  const { dtype, shape, data } = tensor
  if (dtype === "F64") {
    const single = Float32Array.from(data as Float64Array)
    return (data as Float64Array).every((value, i) => Object.is(value, single[i]))
      ? { dtype: "F32", shape, data: single }
      : tensor
  }
  if (dtype !== "I32") return tensor
  const values = data as Int32Array
  if (fits(values, 0, 0xff)) return { dtype: "U8", shape, data: Uint8Array.from(values) }
  if (fits(values, -0x80, 0x7f)) return { dtype: "I8", shape, data: Int8Array.from(values) }
  if (fits(values, 0, 0xffff)) return { dtype: "U16", shape, data: Uint16Array.from(values) }
  if (fits(values, -0x8000, 0x7fff)) return { dtype: "I16", shape, data: Int16Array.from(values) }
  return tensor
}

const widen = (tensor: StoredTensor, dtype: SafetensorsDType | undefined): StoredTensor => {
  const { shape, data } = tensor
  if (dtype === "F64") return { dtype, shape, data: Float64Array.from(data as Float32Array) }
  if (dtype === "I32") return { dtype, shape, data: Int32Array.from(data as Int16Array) }
  return tensor
}

const narrowAll = (
  tensors: Iterable<readonly [string, StoredTensor]>,
): { readonly tensors: Record<string, StoredTensor>; readonly types: Record<string, SafetensorsDType> } => {
  const narrowed: Record<string, StoredTensor> = {}
  const types: Record<string, SafetensorsDType> = {}
  for (const [name, tensor] of tensors) {
    narrowed[name] = narrow(tensor)
    if (narrowed[name].dtype !== tensor.dtype) types[name] = tensor.dtype
  }
  return { tensors: narrowed, types }
}

const encoded = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

const windowsFile = (tensors: readonly (readonly [string, StoredTensor])[]): StoredFile => {
  const own = narrowAll(tensors)
  const bytes = encodeSafetensors(own.tensors, { types: JSON.stringify(own.types) })
  return { name: `windows-${digestOf(bytes)}.safetensors`, bytes }
}

/** How evidence is stored; what is no evidence of an evaluation, such as floors, stays as it is. */
export const packEvidence = ({ tensors, metadata, items }: EvidenceFile): PackedEvidence => {
  const text = metadata["evidence"]
  if (text === undefined) return { tensors: Object.fromEntries(tensors), metadata, shared: [] }
  const { tokenizer, ...header } = JSON.parse(text) as EvidenceHeader
  // A header without a tokenizer has nothing to share.
  if ((tokenizer as EvidenceHeader["tokenizer"] | undefined) === undefined)
    return { tensors: Object.fromEntries(tensors), metadata, shared: [] }
  const { pieces, ...rest } = tokenizer
  const all = [...tensors]
  const ofWindows = all.filter(([name]) => WINDOW_TENSORS.includes(name))
  const own = narrowAll(all.filter(([name]) => !WINDOW_TENSORS.includes(name)))
  const bytes = encoded(pieces)
  const piecesFile = { name: `pieces-${digestOf(bytes)}.json`, bytes }
  const windows = ofWindows.length === 0 ? undefined : windowsFile(ofWindows)
  const lines =
    items === undefined
      ? undefined
      : new TextEncoder().encode(items.map((item) => `${JSON.stringify(item)}\n`).join(""))
  const stored: StoredHeader = {
    ...header,
    version: 2,
    tokenizer: rest,
    shared: {
      pieces: piecesFile.name,
      ...(windows === undefined ? {} : { windows: windows.name }),
      types: own.types,
      ...(lines === undefined ? {} : { items: { count: items!.length, digest: digestOf(lines) } }),
    },
  }
  return {
    tensors: own.tensors,
    metadata: { ...metadata, evidence: JSON.stringify(stored) },
    shared: [piecesFile, ...(windows === undefined ? [] : [windows])],
    ...(lines === undefined ? {} : { items: lines }),
  }
}

/** Reads a file beside the evidence: one that is shared, or the items. */
export type ReadBeside = (name: string) => Promise<Uint8Array>

const checked = (bytes: Uint8Array, digest: string, subject: string): Uint8Array => {
  if (digestOf(bytes) !== digest)
    throw new DataError(
      "invalid",
      subject,
      "its content is not what the evidence names; restore it from a copy or evaluate the run again.",
    )
  return bytes
}

const digestIn = (name: string): string => /-([0-9a-f]+)\./.exec(name)?.[1] ?? ""

const parsed = <A>(bytes: Uint8Array): A => JSON.parse(new TextDecoder().decode(bytes)) as A

/**
 * Evidence as it is in memory.
 *
 * @param file the evaluation's own file, of either version
 * @throws DataError where a file that it names is not the one that was written
 */
export const unpackEvidence = async (
  file: SafetensorsFile,
  shared: ReadBeside,
  items: () => Promise<Uint8Array>,
): Promise<EvidenceFile> => {
  const text = file.metadata["evidence"]
  const header = text === undefined ? undefined : (JSON.parse(text) as StoredHeader)
  if (header?.version !== 2 || (header as Partial<StoredHeader>).shared === undefined) return file
  const { shared: parts, tokenizer, ...rest } = header
  const beside = async (name: string): Promise<Uint8Array> =>
    checked(await shared(name), digestIn(name), name)
  const pieces = parsed<EvidenceHeader["tokenizer"]["pieces"]>(await beside(parts.pieces))
  const tensors = new Map<string, StoredTensor>()
  if (parts.windows !== undefined) {
    const windows = decodeSafetensors(await beside(parts.windows), parts.windows)
    const types = JSON.parse(windows.metadata["types"] ?? "{}") as Types
    for (const [name, tensor] of windows.tensors) tensors.set(name, widen(tensor, types[name]))
  }
  for (const [name, tensor] of file.tensors) tensors.set(name, widen(tensor, parts.types[name]))
  const whole: EvidenceHeader = { ...rest, tokenizer: { ...tokenizer, pieces } }
  return {
    tensors,
    metadata: { ...file.metadata, ...evidenceMetadata(whole) },
    ...(parts.items === undefined ? {} : { items: itemsOf(await items(), parts.items) }),
  }
}

const itemsOf = (
  bytes: Uint8Array,
  { count, digest }: NonNullable<SharedParts["items"]>,
): readonly unknown[] => {
  const lines = new TextDecoder()
    .decode(checked(bytes, digest, "the items"))
    .split("\n")
    .slice(0, -1)
  if (lines.length !== count)
    throw new DataError("invalid", "the items", `${lines.length} lines are there, expected ${count}.`)
  return lines.map((line) => JSON.parse(line) as unknown)
}
