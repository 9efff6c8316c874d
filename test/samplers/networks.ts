/** The small networks of the published code, as samplers run them; see test/families/{flexmdm,llada}/goldens/README.md. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { LINEAR } from "../../src/diffusion/insertion/schedule.js"
import type { Executor, HostTensors } from "../../src/engine/executor.js"
import { makeTfjsExecutor } from "../../src/engine/tfjs/index.js"
import { flexmdmName } from "../../src/families/flexmdm/parameters.js"
import { sampledFlexmdm } from "../../src/families/flexmdm/sampled.js"
import { lladaName } from "../../src/families/llada/parameters.js"
import { sampledLlada } from "../../src/families/llada/sampled.js"
import type { LladaModel } from "../../src/families/llada/schema.js"
import { readSafetensors, toFloat32, type StoredTensor } from "../../src/files/safetensors.js"
import type { ParameterSpec } from "../../src/model/parameters.js"
import * as tf from "../../src/model/tf.js"
import type { SampledNetwork } from "../../src/samplers/executor/network.js"
import { modelOf } from "../families/flexmdm/golden.js"

export interface Loaded {
  readonly network: SampledNetwork
  readonly values: HostTensors
}

export const cpu = { precision: "fp32", device: "cpu", threads: 1 } as const

export const tfjsExecutor = async (): Promise<Executor> => {
  await tf.useCpuBackend()
  return makeTfjsExecutor(cpu)
}

const tensorsAt = async (path: string): Promise<ReadonlyMap<string, StoredTensor>> =>
  (await readSafetensors(fileURLToPath(new URL(`../families/${path}`, import.meta.url)))).tensors

const valuesOf = (
  tensors: ReadonlyMap<string, StoredTensor>,
  nameOf: (name: string) => string | null,
): HostTensors =>
  Object.fromEntries(
    [...tensors].flatMap(([stored, tensor]) => {
      const name = nameOf(stored)
      return name === null ? [] : [[name, { shape: tensor.shape, data: toFloat32(tensor) }] as const]
    }),
  )

/** V 40; F: PAD 38, MASK 39; X: PAD 36, MASK 37, EOS 38. Canvas 12. */
export const flexmdmNetwork = async (variant: "F" | "X"): Promise<Loaded> => {
  const prefix = variant === "F" ? "state/model." : "state/"
  const tensors = await tensorsAt(`flexmdm/goldens/${variant}_model.safetensors`)
  const model = modelOf(variant, {
    V: 40,
    pad: variant === "F" ? 38 : 36,
    mask: variant === "F" ? 39 : 37,
    d: 32,
    heads: 2,
    blocks: 2,
    cond: 16,
    max_length: 12,
    model_max_length: 16,
  })
  return {
    network: sampledFlexmdm(model, LINEAR),
    values: valuesOf(tensors, (name) =>
      name.startsWith(prefix) ? flexmdmName(name.slice(prefix.length)) : null,
    ),
  }
}

export const [LLADA_PAD, LLADA_MASK] = [198, 199]

const BACKBONE: LladaModel = {
  kind: "llada",
  layers: 9,
  width: 32,
  heads: 4,
  mlpWidth: 96,
  ropeBase: 500_000,
  rmsEps: 1e-5,
  tableRows: 200,
  attentionMask: "ignored",
  lora: { rank: 4, alpha: 8 },
  frozen: true,
}

/** The backbone with its adapters; `flex` with time path and gap head. */
/** The recorded runs held every weight in fp32, the frozen ones too, which a spec's network keeps in bf16. */
const full = ({ storage: _bf16, ...spec }: ParameterSpec): ParameterSpec => spec
const inFull = (network: Loaded["network"]): Loaded["network"] => {
  const { body, head } = network.parameters
  return { ...network, parameters: { body: body.map(full), head: head.map(full) } }
}

export const lladaNetwork = async (flex: boolean): Promise<Loaded> => ({
  network: inFull(sampledLlada(flex ? { ...BACKBONE, flex: { groupSize: 8, gapScale: 1024 } } : BACKBONE)),
  values: valuesOf(await tensorsAt("llada/goldens/weights.safetensors"), (name) =>
    flex || name.startsWith("model.") || name.startsWith("peft.") ? lladaName(name) : null,
  ),
})

export const lladaTensors = (): Promise<ReadonlyMap<string, StoredTensor>> =>
  tensorsAt("llada/goldens/tensors.safetensors")

export const lladaValues = <T>(): T =>
  JSON.parse(readFileSync(new URL("../families/llada/goldens/values.json", import.meta.url), "utf8")) as T
