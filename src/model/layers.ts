/** Layers that the networks share. Activations are matrices [rows * length, width]; weights are [out, in]. */
import * as tf from "./tf.js"

export type Tensors = Readonly<Record<string, tf.Tensor>>

/**
 * Smallest float32 step at 1: `torch.nn.functional.rms_norm` without an eps takes that of the element type.
 */
export const RMS_EPS = 2 ** -23

/** A tensor by name. */
export const get = (tensors: Tensors, name: string): tf.Tensor => {
  const tensor = tensors[name]
  if (tensor === undefined) throw new Error(`the tensor ${name} is missing`)
  return tensor
}

/** x W^T, and a bias where the parameters hold one. x: [n, in]. */
export const linear = (x: tf.Tensor, parameters: Tensors, name: string): tf.Tensor => {
  const y = tf.matMul(x, get(parameters, `${name}.weight`), false, true)
  const bias = parameters[`${name}.bias`]
  return bias === undefined ? y : tf.add(y, bias)
}

export const rmsNorm = (x: tf.Tensor): tf.Tensor => tf.rmsNorm(x, { eps: RMS_EPS })

/**
 * (x - mean) / sqrt(variance + eps) over the last axis, without weight or bias: the root mean square of what is centred
 * is its standard deviation.
 */
export const layerNorm = (x: tf.Tensor, { eps }: { readonly eps: number }): tf.Tensor =>
  tf.rmsNorm(tf.sub(x, tf.mean(x, -1, true)), { eps })

/** relu(x)^2. Its gradient 2 relu(x) dy needs no mask, which autodiff would compute. */
export const reluSquared = (x: tf.Tensor): tf.Tensor => {
  const f = tf.customGrad((input, save) => {
    const y = tf.relu(input as tf.Tensor)
    ;(save as tf.GradSaveFunc)([y])
    return {
      value: tf.square(y),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.mul(dy, tf.mul(saved[0]!, 2)),
    }
  })
  return f(x)
}

/** x sigmoid(x). */
export const silu = (x: tf.Tensor): tf.Tensor => tf.mul(x, tf.sigmoid(x))

/** x P(Z < x) of a standard normal Z: x (1 + erf(x / sqrt 2)) / 2. */
export const gelu = (x: tf.Tensor): tf.Tensor =>
  tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1))

/** The approximation x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 (Hendrycks and Gimpel, arXiv 1606.08415). */
export const geluTanh = (x: tf.Tensor): tf.Tensor => {
  const inner = tf.mul(
    x,
    tf.add(tf.mul(tf.square(x), Math.sqrt(2 / Math.PI) * 0.044715), Math.sqrt(2 / Math.PI)),
  )
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1))
}

/**
 * Dropout: x / (1 - rate) where `kept` holds, else 0. The mask is an input of the program, true with probability
 * 1 - rate, drawn from a stream (docs/adr/0007-dropout.md). x f32 and kept bool of one shape, or shapes that broadcast.
 */
export const dropout = (x: tf.Tensor, kept: tf.Tensor, rate: number): tf.Tensor =>
  tf.mul(x, tf.mul(tf.cast(kept, "float32"), 1 / (1 - rate)))

export interface RotaryTables {
  readonly cos: tf.Tensor
  readonly sin: tf.Tensor
}

/** Tables [length, headWidth / 2] of the angles position / base^(2i / headWidth), from float64. */
export const rotaryTables = (length: number, headWidth: number, base: number): RotaryTables => {
  const half = headWidth / 2
  const angles = Array.from({ length: length * half }, (_, n) => {
    const position = Math.floor(n / half)
    return position * base ** ((-2 * (n % half)) / headWidth)
  })
  const shape: [number, number] = [length, half]
  return {
    cos: tf.tensor2d(Float32Array.from(angles, Math.cos), shape),
    sin: tf.tensor2d(Float32Array.from(angles, Math.sin), shape),
  }
}

/** Key or value heads repeated so that there is one for each query head: head j serves queries j G .. (j+1) G - 1. */
export const repeatHeads = (x: tf.Tensor, heads: number): tf.Tensor => {
  const [rows, length, own, width] = x.shape as [number, number, number, number]
  if (own === heads) return x
  const spread = tf.broadcastTo(tf.reshape(x, [rows, length, own, 1, width]), [
    rows,
    length,
    own,
    heads / own,
    width,
  ])
  return tf.reshape(spread, [rows, length, heads, width])
}

/**
 * Rows of x at `positions`. The gradient puts slot s back at the position whose `slots` entry is s; it is exact
 * because each position has one slot at most. Without `slots` the gradient is the general one.
 *
 * x: [n, width]; positions: i32 [k]; slots: i32 [n], k where a position has no slot.
 */
export const gatherRows = (x: tf.Tensor, positions: tf.Tensor, slots: tf.Tensor | undefined): tf.Tensor => {
  if (slots === undefined) return tf.gather(x, positions)
  const f = tf.customGrad((input) => ({
    value: tf.gather(input as tf.Tensor, positions),
    gradFunc: (dy: tf.Tensor) => {
      const withZero = tf.concat([dy, tf.zeros([1, dy.shape[1]!])], 0)
      return tf.gather(withZero, slots)
    },
  }))
  return f(x)
}

/** Vectors [rows, width] held over the positions of their row. */
export interface Held {
  readonly rows: number
  /** i32 [k]: row of each position, where positions are listed; without it every position is there, in order. */
  readonly row?: tf.Tensor | undefined
}

/** f(x, vectors...) with each vector of `vectors` [rows, width] held over its row. x: [n, width]. */
export const perRow = (
  x: tf.Tensor,
  vectors: readonly tf.Tensor[],
  { rows, row }: Held,
  f: (x: tf.Tensor, ...held: tf.Tensor[]) => tf.Tensor,
): tf.Tensor => {
  const [total, width] = x.shape as [number, number]
  if (row !== undefined) return f(x, ...vectors.map((v) => tf.gather(v, row)))
  const held = vectors.map((v) => tf.reshape(v, [rows, 1, width]))
  return tf.reshape(f(tf.reshape(x, [rows, total / rows, width]), ...held), [total, width])
}

/**
 * Cosines, then sines, of times f32 [rows] at `frequencies` frequencies 10000^(-k / frequencies): [rows, 2 frequencies].
 * The time is taken as it is, in [0, 1].
 */
export const timeEmbedding = (time: tf.Tensor, frequencies: number): tf.Tensor => {
  const table = Float32Array.from({ length: frequencies }, (_, k) => 10000 ** (-k / frequencies))
  const angles = tf.mul(tf.reshape(time, [time.size, 1]), tf.tensor2d(table, [1, frequencies]))
  return tf.concat([tf.cos(angles), tf.sin(angles)], 1)
}
