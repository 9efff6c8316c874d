/**
 * Values that a network computes and published checkpoints carry as buffers: rotary frequencies and tables, and the
 * frequencies of the noise level's embedding. They tell whether a checkpoint is of another base.
 */
import { networkPart } from "../families/index.js"
import type { Model } from "../spec/model.js"
import type { FloatTensor } from "./parameters.js"

export type BufferCheck =
  | { readonly kind: "equal" }
  | { readonly kind: "differs"; readonly what: string; readonly expected: string }
  /** Of a shape or name that is not known. */
  | { readonly kind: "unknown" }

/** Buffers that are computed here, by the last part of their name. */
export const BUFFER =
  /(^|[._])((?:cos|sin)(?:_?(?:cached|cache|table|buf|buffer|emb))?|inv_?freqs?|freqs|freqs_cis)$/

const bits = new Uint32Array(1)
const number = new Float32Array(bits.buffer)

const fewBits = (values: ArrayLike<number>, dropped: number): boolean =>
  Array.prototype.every.call(values, (value: number) => {
    number[0] = value
    return (bits[0]! & (2 ** dropped - 1)) === 0
  })

/**
 * How exact values are: buffers are often cast with the module, and the cast survives a later widening. bfloat16 drops
 * 16 bits of a float32, float16 13.
 */
const precisionOf = (values: ArrayLike<number>): number =>
  fewBits(values, 16) ? 2 ** -7 : fewBits(values, 13) ? 2 ** -9 : 1e-4

const geometric = (count: number, base: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => base ** (-i / count))

/** The base b of frequencies b^(-i / n), where they are such. */
const baseOf = (frequencies: ArrayLike<number>, relative: number): number | undefined => {
  const n = frequencies.length
  if (n < 2 || Math.abs(frequencies[0]! - 1) > relative) return undefined
  const base = frequencies[n - 1]! ** (-n / (n - 1))
  const fits = geometric(n, base).every((f, i) => Math.abs(frequencies[i]! / f - 1) <= 2 * relative)
  return fits && Number.isFinite(base) ? base : undefined
}

const compareFrequencies = (found: ArrayLike<number>, count: number, base: number): BufferCheck => {
  if (found.length !== count)
    return { kind: "differs", what: `${found.length} frequencies`, expected: `${count} of base ${base}` }
  const relative = precisionOf(found)
  const expected = geometric(found.length, base)
  if (expected.every((f, i) => Math.abs(found[i]! / f - 1) <= relative)) return { kind: "equal" }
  const other = baseOf(found, relative)
  return {
    kind: "differs",
    what:
      other === undefined
        ? "frequencies of no single base (scaled ones, it may be)"
        : `frequencies of base ${Number(other.toPrecision(3))}`,
    expected: `base ${base}`,
  }
}

/**
 * Tables [positions, half] of cosines or sines, or [positions, 2 half] with each angle twice, side by side or in
 * neighbours. Rows 0 to 7 are looked at: there the angles are exact to the element type.
 */
const compareTable = (
  { shape, data }: FloatTensor,
  half: number,
  base: number,
  of: (angle: number) => number,
): BufferCheck => {
  const sizes = shape.filter((n) => n !== 1)
  const [rows, columns] = sizes
  if (sizes.length !== 2 || rows! < 2) return { kind: "unknown" }
  if (columns !== half && columns !== 2 * half)
    return { kind: "differs", what: `a table of ${columns} angles`, expected: `${half} of base ${base}` }
  const close = 2 * precisionOf(data)
  const frequencies = geometric(half, base)
  const layouts: readonly ((column: number) => number)[] = [(c) => c % half, (c) => Math.floor(c / 2)]
  const fits = layouts.slice(0, columns === half ? 1 : 2).some((layout) => {
    for (let p = 0; p < Math.min(rows!, 8); p++)
      for (let c = 0; c < columns!; c++) {
        const found = data[p * columns! + c]!
        if (!(Math.abs(found - of(p * frequencies[layout(c)]!)) <= close)) return false
      }
    return true
  })
  return fits
    ? { kind: "equal" }
    : { kind: "differs", what: "a table of other angles", expected: `base ${base}` }
}

/** A table of complex numbers as pairs, [positions, half, 2]: its real parts are cosines, its imaginary parts sines. */
const compareRotations = ({ shape, data }: FloatTensor, half: number, base: number): BufferCheck => {
  if (shape.at(-1) !== 2) return { kind: "unknown" }
  for (const [part, of] of [Math.cos, Math.sin].entries()) {
    const values = Float32Array.from({ length: data.length / 2 }, (_, i) => data[2 * i + part]!)
    const check = compareTable({ shape: shape.slice(0, -1), data: values }, half, base, of)
    if (check.kind !== "equal") return check
  }
  return { kind: "equal" }
}

/** Whether a buffer of a checkpoint holds what a network of this spec computes. */
export const checkBuffer = (name: string, buffer: FloatTensor, model: Model): BufferCheck => {
  const kind = BUFFER.exec(name)?.[2]
  if (!("ropeBase" in model)) return { kind: "unknown" }
  const half = model.width / model.heads / 2
  if (kind?.startsWith("cos")) return compareTable(buffer, half, model.ropeBase, Math.cos)
  if (kind?.startsWith("sin")) return compareTable(buffer, half, model.ropeBase, Math.sin)
  switch (kind) {
    case "inv_freq":
    case "inv_freqs":
    case "invfreq":
    case "invfreqs":
      return compareFrequencies(buffer.data, half, model.ropeBase)
    case "freqs_cis":
      return compareRotations(buffer, half, model.ropeBase)
    case "freqs": {
      const level = networkPart(model).levelFrequencies?.(model)
      if (!name.endsWith("sigma_map.freqs") || level === undefined) return { kind: "unknown" }
      return compareFrequencies(buffer.data, level.count, level.base)
    }
    default:
      return { kind: "unknown" }
  }
}
