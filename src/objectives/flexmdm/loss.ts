/**
 * The FlexMDM training loss in TensorFlow.js operations (brianlck/FlexMDM lightning_modules/any_order.py 70-106,
 * xlm-core xlm-models/flexmdm/loss_flexmdm.py 145-218): hazard-weighted cross-entropy of masked tokens plus the
 * hazard-weighted Bregman divergence between the true and the predicted number of absent tokens of each slot.
 * Weights hold the hazards and the divisor; they are computed on the host in float64.
 */
import { get, type Tensors } from "../../model/layers.js"
import type { ObjectiveProgram } from "../../model/network.js"
import * as tf from "../../model/tf.js"

/** Both arguments of the divergence are raised to this, as published. */
export const BREGMAN_FLOOR = 1e-6

/** phi(x, y) = y - x + x (ln x - ln y), of gaps x and predictions y. */
export const bregman = (gaps: tf.Tensor, predicted: tf.Tensor): tf.Tensor => {
  const x = tf.maximum(gaps, BREGMAN_FLOOR)
  const y = tf.maximum(predicted, BREGMAN_FLOOR)
  return tf.add(tf.sub(y, x), tf.mul(x, tf.sub(tf.log(x), tf.log(y))))
}

/**
 * Scalar loss, in nats over the divisor.
 *
 * logits: [k, classes] at the MASK positions that the feeds list; gaps: [s] at the slots that they list.
 * feeds: targets i32 [k], or softTargets f32 [k, classes] with their entropies f32 [k] in nats, which are taken off so
 * that the loss is a divergence; weights f32 [k]; gapTargets f32 [s]; gapWeights f32 [s]. Padding has weight 0.
 */
export const flexmdmLoss = (logits: tf.Tensor, gaps: tf.Tensor, feeds: Tensors): tf.Tensor => {
  const soft = feeds["softTargets"]
  const entropies = feeds["entropies"]
  const crossEntropy =
    soft === undefined
      ? tf.crossEntropy(logits, get(feeds, "targets"))
      : tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits), soft), -1))
  const nats = entropies === undefined ? crossEntropy : tf.sub(crossEntropy, entropies)
  const unmask = tf.sum(tf.mul(nats, get(feeds, "weights")))
  const insert = tf.sum(tf.mul(bregman(get(feeds, "gapTargets"), gaps), get(feeds, "gapWeights")))
  return tf.add(unmask, insert)
}

/** The loss of a network with both heads, as an objective's program. */
export const flexmdmObjective: ObjectiveProgram<unknown> = {
  loss: ({ tokens, gaps }, feeds) => {
    if (gaps === undefined) throw new Error("the network has no gap head")
    return flexmdmLoss(tokens, tf.reshape(gaps, [gaps.size]), feeds)
  },
}
