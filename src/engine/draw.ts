/**
 * Tensors said by how they are drawn: a function of a Philox key and a site, so that whoever computes with them can draw
 * them itself. In this process and in the torch worker the same words of the same stream are taken; uniform and Bernoulli
 * draws agree bit for bit, normal ones up to how two libraries round a logarithm and a cosine.
 */
import { bernoulli, nameCoordinate, normals, stream, uniforms32, type Site } from "../diffusion/philox.js"
import type { HostTensor } from "./host.js"
import { sizeOf, type DType } from "./ir.js"

export type Draw =
  /** f32: `std` times standard normal numbers (`normals`) */
  | { readonly kind: "normal"; readonly key: PhiloxKey; readonly site: Site; readonly std: number }
  /** f32: uniform on [-bound, bound), of 32 random bits (`uniforms32`) */
  | { readonly kind: "uniform"; readonly key: PhiloxKey; readonly site: Site; readonly bound: number }
  /** bool: true with this probability, to a resolution of 2^-32 (`bernoulli`) */
  | {
      readonly kind: "bernoulli"
      readonly key: PhiloxKey
      readonly site: Site
      readonly probability: number
    }
  /** bool: one site for each of `sites.length` equal parts in row-major order */
  | {
      readonly kind: "bernoulli-parts"
      readonly key: PhiloxKey
      readonly sites: readonly Site[]
      readonly probability: number
    }
  /** f32 */
  | { readonly kind: "constant"; readonly value: number }
  /** f32: one constant for each of `values.length` equal parts in row-major order */
  | { readonly kind: "rows"; readonly values: readonly number[] }

/** The two key words of a stream. */
export type PhiloxKey = readonly [number, number]

/** A tensor that whoever needs it draws. */
export interface DrawnTensor {
  readonly shape: readonly number[]
  readonly draw: Draw
}

/** The element type of what is drawn. */
export const drawnType = ({ kind }: Draw): DType => (kind.startsWith("bernoulli") ? "bool" : "f32")

const sourceOf = ([key0, key1]: PhiloxKey) => ({ seed: 0, name: "", key0, key1 })

/** The tensor, drawn here. */
export const drawTensor = ({ shape, draw }: DrawnTensor): HostTensor => {
  const count = sizeOf(shape)
  switch (draw.kind) {
    case "normal":
      return { shape, data: Float32Array.from(normals(sourceOf(draw.key), draw.site, count), (z) => z * draw.std) } // prettier-ignore
    case "uniform":
      return { shape, data: Float32Array.from(uniforms32(sourceOf(draw.key), draw.site, count), (u) => (2 * u - 1) * draw.bound) } // prettier-ignore
    case "bernoulli":
      return { shape, data: bernoulli(sourceOf(draw.key), draw.site, draw.probability, count) }
    case "bernoulli-parts": {
      const part = count / draw.sites.length
      const data = new Uint8Array(count)
      draw.sites.forEach((site, i) =>
        data.set(bernoulli(sourceOf(draw.key), site, draw.probability, part), i * part),
      )
      return { shape, data }
    }
    case "constant":
      return { shape, data: new Float32Array(count).fill(draw.value) }
    case "rows": {
      const width = count / draw.values.length
      return {
        shape,
        data: Float32Array.from({ length: count }, (_, i) => draw.values[Math.floor(i / width)]!),
      }
    }
  }
}

/** How a parameter starts: as `Initial` in src/model/parameters.ts. */
export type Start =
  | { readonly kind: "normal"; readonly std: number }
  | { readonly kind: "uniform"; readonly bound: number }
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "rows"; readonly values: readonly number[] }

/** The draw that gives a parameter the initial values it has from `initialise` under this seed. */
export const startDraw = (name: string, start: Start, seed: number): Draw => {
  if (start.kind === "constant" || start.kind === "rows") return start
  const { key0, key1 } = stream(seed, "init")
  return { ...start, key: [key0, key1], site: [nameCoordinate(name)] }
}
