/** Golden values of test/model/oracle/generate.py, and comparisons with them. */
import { readFileSync } from "node:fs"
import type { Test } from "tap"
import { gatherFeeds, type Feeds } from "../../src/diffusion/batch.js"
import { networkOf } from "../../src/families/traced.js"
import type { Network } from "../../src/model/network.js"
import * as tf from "../../src/model/tf.js"
import type { GptModel, MdlmModel } from "../../src/spec/model.js"

export interface Packed {
  readonly shape: readonly number[]
  readonly f32: string
}
type Pack = Readonly<Record<string, Packed>>

export interface Trained {
  readonly gradNorm: number
  readonly parameters: Pack
  readonly average: Pack
}

export interface Golden {
  readonly loss: number
  readonly nats: readonly number[]
  readonly parameters: Pack
  readonly gradients: Pack
  readonly x0: readonly number[]
  readonly xt: readonly number[]
  readonly times: readonly number[]
  readonly inputs: readonly number[]
  readonly targets: readonly number[]
  readonly adamw: Trained
  readonly muon: Trained
}

export const golden = (name: string): Golden =>
  JSON.parse(readFileSync(new URL(`oracle/${name}.json`, import.meta.url), "utf8")) as Golden

export const unpack = ({ f32 }: Packed): Float32Array => {
  const bytes = Buffer.from(f32, "base64")
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
}

export const tensors = (pack: Pack): Record<string, tf.Tensor> =>
  Object.fromEntries(Object.entries(pack).map(([name, p]) => [name, tf.tensor(unpack(p), [...p.shape])]))

export const feedTensors = (feeds: Feeds): Record<string, tf.Tensor> =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { shape, data }]) => [
      name,
      tf.tensor(data, [...shape], data instanceof Float32Array ? "float32" : "int32"),
    ]),
  )

export const read = (x: tf.Tensor): Float32Array => x.dataSync() as Float32Array

export const largest = (xs: ArrayLike<number>): number =>
  Array.from(xs).reduce((m, x) => Math.max(m, Math.abs(x)), 0)

/** Every entry within `relative` of the largest expected entry. */
export const close = (
  t: Test,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  relative: number,
  what: string,
): void => {
  const error = Array.from(expected).reduce((m, x, i) => Math.max(m, Math.abs(x - actual[i]!)), 0)
  const allowed = relative * Math.max(largest(expected), 1e-6)
  t.ok(actual.length === expected.length && error <= allowed, `${what}: error ${error}, allowed ${allowed}`)
}

/** The oracle's sizes: vocabulary 11, MASK 11, PAD 12, boundary 1, eps 0.001. */
export const IDS = { maskId: 11, padId: 12, boundaryId: 1 }
export const VOCAB = 11

export const MDLM: MdlmModel = {
  kind: "mdlm",
  layers: 2,
  width: 8,
  heads: 2,
  mlpRatio: 3,
  tableRows: 16,
  attention: "bidirectional",
  conditioning: { kind: "sigma", frequencies: 3, hidden: 5, output: 6 },
  ropeBase: 10000,
  init: "published",
}

export const GPT: GptModel = {
  kind: "gpt",
  layers: 3,
  width: 8,
  heads: 4,
  kvHeads: 2,
  mlpRatio: 2,
  ropeBase: 10000,
  logitSoftcap: 3,
  qGain: 1.5,
  tiedEmbeddingStd: 0.005,
}

export const networkFor = (
  model: MdlmModel | GptModel,
  kind: "masked-diffusion" | "autoregressive" = "masked-diffusion",
): Network => networkOf({ model, objective: { kind }, data: { tokenizer: { vocabSize: VOCAB } } })

const at = <T extends Float32Array | Int32Array>(to: T, from: readonly number[]): T => {
  to.set(from)
  return to
}

/** The feeds of a masked golden case; a capacity above the need exercises the padding. */
export const maskedFeeds = (g: Golden, capacity = 20): Record<string, tf.Tensor> => {
  const length = g.x0.length / g.times.length
  const positions = Int32Array.from(g.xt.flatMap((id, p) => (id === IDS.maskId ? [p] : [])))
  const content = g.x0.filter((id) => id !== IDS.padId).length
  const alpha = (p: number): number => 1 - 0.999 * g.times[Math.floor(p / length)]!
  const listed = [...positions]
  return feedTensors({
    inputIds: { shape: [g.times.length, length], data: Int32Array.from(g.xt) },
    sigma: { shape: [g.times.length], data: Float32Array.from(g.times, (t) => -Math.log(1 - 0.999 * t)) },
    ...gatherFeeds(positions, capacity, g.x0.length),
    targets: {
      shape: [capacity],
      data: at(
        new Int32Array(capacity),
        listed.map((p) => g.x0[p]!),
      ),
    },
    weights: {
      shape: [capacity],
      data: at(
        new Float32Array(capacity),
        listed.map((p) => 0.999 / alpha(p) / content),
      ),
    },
  })
}

/** Loss and gradients by parameter name. */
export const differentiate = (
  network: Network,
  parameters: Readonly<Record<string, tf.Tensor>>,
  feeds: Readonly<Record<string, tf.Tensor>>,
): { loss: number; gradients: Record<string, tf.Tensor> } => {
  const names = network.parameters.map((p) => p.name)
  const { value, grads } = tf.valueAndGrads(
    (...values) => network.loss(Object.fromEntries(values.map((v, i) => [names[i]!, v])), feeds) as tf.Scalar,
  )(names.map((name) => parameters[name]!))
  return {
    loss: read(value)[0]!,
    gradients: Object.fromEntries(grads.map((g, i) => [names[i]!, g])),
  }
}
