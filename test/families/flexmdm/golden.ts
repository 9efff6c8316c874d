/** Reads the numbers that the published code gave at tiny sizes; see goldens/README.md. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { readSafetensors, toFloat32, type StoredTensor } from "../../../src/files/safetensors.js"
import { flexmdmName } from "../../../src/families/flexmdm/parameters.js"
import type { FlexmdmModel } from "../../../src/families/flexmdm/schema.js"
import * as tf from "../../../src/model/tf.js"

const at = (name: string): string => fileURLToPath(new URL(`goldens/${name}`, import.meta.url))

export const readJson = <T>(name: string): T => JSON.parse(readFileSync(at(name), "utf8")) as T

export const readTensors = async (name: string): Promise<ReadonlyMap<string, StoredTensor>> =>
  (await readSafetensors(at(name))).tensors

export const ints = (t: StoredTensor): number[] => Array.from(t.data as ArrayLike<number | bigint>, Number)

/** Our parameters out of a published state dict under `prefix`. */
export const parametersOf = (
  tensors: ReadonlyMap<string, StoredTensor>,
  prefix: string,
): Record<string, tf.Tensor> => {
  const out: Record<string, tf.Tensor> = {}
  for (const [name, tensor] of tensors) {
    if (!name.startsWith(prefix)) continue
    const ours = flexmdmName(name.slice(prefix.length))
    if (ours !== null) out[ours] = tf.tensor(toFloat32(tensor), [...tensor.shape])
  }
  return out
}

/** What nets.json and losses.json say of a network. */
export interface NetConfig {
  readonly V: number
  readonly pad: number
  readonly mask: number
  readonly d: number
  readonly heads: number
  readonly blocks: number
  readonly cond: number
  readonly max_length?: number
  readonly model_max_length?: number
  readonly rotary_dim?: number
  readonly activation?: "relu" | "gelu"
  readonly embed_alpha?: boolean
}

export const modelOf = (variant: "F" | "X", c: NetConfig): FlexmdmModel => {
  const headWidth = c.d / c.heads
  return {
    kind: "flexmdm",
    layers: c.blocks,
    width: c.d,
    heads: c.heads,
    mlpRatio: 4,
    activation: variant === "F" ? "gelu-tanh" : (c.activation ?? "relu"),
    residual: variant === "F" ? "block-input" : "modulated",
    endSlot: variant === "F" ? "extra" : "eos-anchor",
    conditioning: { frequencies: 128, width: c.cond },
    timeInput: c.embed_alpha === true ? "insertion-alpha" : "time",
    headBias: variant === "F",
    gapHead: { scale: variant === "F" ? c.max_length! : c.model_max_length! },
    ropeBase: 10000,
    ...(c.rotary_dim === undefined || c.rotary_dim === headWidth ? {} : { rotaryWidth: c.rotary_dim }),
    tableRows: c.V,
    embeddingInit: variant === "F" ? "uniform" : "normal",
  }
}
