/** The goldens of this folder (goldens/README.md): weights by their names here, stored tensors, and small helpers. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { readSafetensors, toFloat32 } from "../../../src/files/safetensors.js"
import { lladaName } from "../../../src/families/llada/parameters.js"
import type { LladaModel } from "../../../src/families/llada/schema.js"
import type { FloatTensor } from "../../../src/model/parameters.js"
import * as tf from "../../../src/model/tf.js"

const at = (name: string): string => fileURLToPath(new URL(`goldens/${name}`, import.meta.url))
const stored = (await readSafetensors(at("weights.safetensors"))).tensors
const tensors = (await readSafetensors(at("tensors.safetensors"))).tensors

export const goldenValues = <A>(): A => JSON.parse(readFileSync(at("values.json"), "utf8")) as A

export const [PAD, MASK, VOCAB] = [198, 199, 200]

/** The backbone with adapters, and its extension to FlexMDM. */
export const TUNED: LladaModel = {
  kind: "llada",
  layers: 9,
  width: 32,
  heads: 4,
  mlpWidth: 96,
  ropeBase: 500_000,
  rmsEps: 1e-5,
  tableRows: VOCAB,
  attentionMask: "ignored",
  frozen: true,
  lora: { rank: 4, alpha: 8 },
}
export const FLEX: LladaModel = { ...TUNED, flex: { groupSize: 8, gapScale: 1024 } }

/** Every stored weight. */
export const goldenWeights: Readonly<Record<string, FloatTensor>> = Object.fromEntries(
  [...stored].map(([name, tensor]) => [lladaName(name), { shape: tensor.shape, data: toFloat32(tensor) }]),
)

export const floats = (name: string): Float32Array => toFloat32(tensors.get(name)!)
/** Rows of a stored matrix. */
export const rowsOf = (name: string): readonly (readonly number[])[] => {
  const { shape, data } = tensors.get(name)!
  const width = shape[1]!
  const flat = Array.from(data as ArrayLike<number>)
  return Array.from({ length: shape[0]! }, (_, r) => flat.slice(r * width, (r + 1) * width))
}

export const tensorOf = ({ shape, data }: FloatTensor): tf.Tensor => tf.tensor(data, [...shape])

export const normOf = (xs: ArrayLike<number>): number =>
  Math.sqrt(Array.from(xs).reduce((sum, x) => sum + x * x, 0))
