/** What a network's parameters are, and their initial values. */
import { nameCoordinate, normals, stream, uniforms32 } from "../diffusion/philox.js"

export type Initial =
  | { readonly kind: "normal"; readonly std: number }
  /** Uniform on [-bound, bound). */
  | { readonly kind: "uniform"; readonly bound: number }
  | { readonly kind: "constant"; readonly value: number }
  /** One constant per row of a matrix. */
  | { readonly kind: "rows"; readonly values: readonly number[] }

/**
 * matrix: weight matrices of the blocks (Muon's share). embedding: embedding and head tables. rest: conditioning,
 * vectors and scalars.
 */
export type ParameterGroup = "matrix" | "embedding" | "rest"

export interface ParameterSpec {
  /** The name in the published script's state dict. */
  readonly name: string
  readonly shape: readonly number[]
  readonly init: Initial
  readonly group: ParameterGroup
  /** Never changed by training: no gradient, no optimiser state, no average. */
  readonly frozen?: true
  /** How a frozen one is kept; f32 when absent. */
  readonly storage?: "bf16"
}

export const zeros: Initial = { kind: "constant", value: 0 }
export const ones: Initial = { kind: "constant", value: 1 }

/** Default of `torch.nn.Linear` for weight and bias: U(-1/sqrt(fanIn), 1/sqrt(fanIn)). */
export const linearInit = (fanIn: number): Initial => ({ kind: "uniform", bound: 1 / Math.sqrt(fanIn) })

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/** Number of parameters. */
export const countParameters = (specs: readonly Pick<ParameterSpec, "shape">[]): number =>
  specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0)

/** A host tensor of float32 numbers. */
export interface FloatTensor {
  readonly shape: readonly number[]
  readonly data: Float32Array
}

const valuesOf = ({ name, shape, init }: ParameterSpec, seed: number): Float32Array => {
  const out = new Float32Array(sizeOf(shape))
  const source = stream(seed, "init")
  const site = [nameCoordinate(name)]
  switch (init.kind) {
    case "normal": {
      const z = normals(source, site, out.length)
      for (let i = 0; i < out.length; i++) out[i] = z[i]! * init.std
      return out
    }
    case "uniform": {
      const u = uniforms32(source, site, out.length)
      for (let i = 0; i < out.length; i++) out[i] = (2 * u[i]! - 1) * init.bound
      return out
    }
    case "constant":
      return out.fill(init.value)
    case "rows": {
      const width = out.length / init.values.length
      init.values.forEach((value, row) => out.fill(value, row * width, (row + 1) * width))
      return out
    }
  }
}

/**
 * Initial values of every parameter. A parameter's numbers depend on the seed and its name alone, so networks
 * that share names and shapes start alike.
 */
export const initialise = (
  specs: readonly ParameterSpec[],
  seed: number,
): Readonly<Record<string, FloatTensor>> =>
  Object.fromEntries(specs.map((spec) => [spec.name, { shape: spec.shape, data: valuesOf(spec, seed) }]))
