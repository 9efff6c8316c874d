/**
 * Low-rank adapters (LoRA, arXiv 2106.09685) as a part that any linear layer can take: W x + alpha / rank B A x.
 * A layer has them where the parameters hold `<layer>.lora_A.weight` [rank, in] and `<layer>.lora_B.weight` [out, rank].
 */
import { withUpdate } from "../engine/weights.js"
import { linear, type Tensors } from "./layers.js"
import { loraNames, type Lora } from "./lora-parameters.js"
import type { FloatTensor } from "./parameters.js"
import * as tf from "./tf.js"

/**
 * The linear layer `layer` of x [n, in], with its adapter where the parameters hold one.
 *
 * @param dropped what the adapter reads: x, or in training what dropout leaves of it
 */
export const adapted = (
  x: tf.Tensor,
  p: Tensors,
  layer: string,
  lora: Lora | undefined,
  dropped: tf.Tensor = x,
): tf.Tensor => {
  const y = linear(x, p, layer)
  const { a, b } = loraNames(layer)
  if (lora === undefined || p[a] === undefined) return y
  const low = tf.matMul(tf.matMul(dropped, p[a], false, true), p[b]!, false, true)
  return tf.add(y, tf.mul(low, lora.alpha / lora.rank))
}

/**
 * Parameters with every adapter added into its layer's weight: the same function without the adapters, in float64
 * before rounding.
 */
export const mergeLora = (
  parameters: Readonly<Record<string, FloatTensor>>,
  lora: Lora,
): Readonly<Record<string, FloatTensor>> => {
  const merged: Record<string, FloatTensor> = {}
  for (const [name, tensor] of Object.entries(parameters)) {
    if (/\.lora_[AB]\.weight$/.test(name)) continue
    const layer = name.replace(/\.weight$/, "")
    const a = parameters[loraNames(layer).a]
    const b = parameters[loraNames(layer).b]
    if (a === undefined || b === undefined) {
      merged[name] = tensor
      continue
    }
    merged[name] = withUpdate(tensor, a, b, lora.alpha / lora.rank) as FloatTensor
  }
  return merged
}
