/**
 * Composite kernels: one TensorFlow.js kernel where executors have a better form than the sum of the parts.
 *
 * Inputs, attributes and results are those of the same operations in `ir.ts`. The tracing backend
 * records them as one node; for an ordinary backend each is computed by its decomposition below.
 */
import * as tf from "@tensorflow/tfjs-core"

type T = tf.Tensor
type Inputs = Readonly<Record<string, T>>

export interface AttentionOptions {
  readonly scale: number
  readonly causal: boolean
}

type Decomposition = (inputs: Inputs, attrs: Readonly<Record<string, unknown>>) => T | T[]

const toHeads = (x: T): T => tf.transpose(x, [0, 2, 1, 3])

/** [B,1,1,S]: whether a row's queries see a key. */
const seenKeys = (lengths: T, keys: number): T => {
  const [rows] = lengths.shape as [number]
  const positions = tf.range(0, keys, 1, "int32")
  return tf.reshape(tf.less(positions, tf.reshape(lengths, [rows, 1])), [rows, 1, 1, keys])
}

/** x [B,...], with 0 in the rows whose queries see no key. */
const whereSeen = (x: T, lengths: T | undefined): T => {
  if (lengths === undefined) return x
  const seen = tf.reshape(tf.cast(tf.greater(lengths, tf.scalar(0, "int32")), "float32"), [-1, 1, 1, 1])
  return tf.mul(x, seen)
}

/** Attention probabilities [B,H,T,S]; of a row whose queries see no key they mean nothing. */
const probabilities = (q: T, k: T, { scale, causal }: AttentionOptions, lengths?: T): T => {
  const products = tf.mul(tf.matMul(toHeads(q), toHeads(k), false, true), scale)
  const scores =
    lengths === undefined
      ? products
      : tf.add(products, tf.where(seenKeys(lengths, k.shape[1]!), tf.scalar(0), tf.scalar(-1e30)))
  if (!causal) return tf.softmax(scores)
  const [queries, keys] = [q.shape[1]!, k.shape[1]!]
  if (queries !== keys)
    throw new Error(`causal attention needs as many queries as keys, not ${queries} and ${keys}`)
  const bias = new Float32Array(queries * keys)
  for (let i = 0; i < queries; i++) bias.fill(-1e30, i * keys + i + 1, (i + 1) * keys)
  return tf.softmax(tf.add(scores, tf.tensor(bias, [queries, keys])))
}

const halves = (x: T): readonly [T, T] => {
  const [first, second] = tf.split(x, 2, x.shape.length - 1)
  return [first!, second!]
}

const inverseRms = (x: T, eps: number): T => tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), eps))

const attentionParts: Decomposition = ({ q, k, v, lengths }, attrs) => {
  const p = probabilities(q!, k!, attrs as unknown as AttentionOptions, lengths)
  return toHeads(whereSeen(tf.matMul(p, toHeads(v!)), lengths))
}

const attentionGradParts: Decomposition = ({ q, k, v, dy, lengths }, attrs) => {
  const options = attrs as unknown as AttentionOptions
  const p = probabilities(q!, k!, options, lengths)
  const dOut = toHeads(whereSeen(dy!, lengths))
  const dp = tf.mul(p, tf.matMul(dOut, toHeads(v!), false, true))
  const ds = tf.mul(tf.sub(dp, tf.mul(p, tf.sum(dp, -1, true))), options.scale)
  return [
    toHeads(tf.matMul(ds, toHeads(k!))),
    toHeads(tf.matMul(ds, toHeads(q!), true, false)),
    toHeads(tf.matMul(p, dOut, true, false)),
  ]
}

/** Each composite kernel written in ordinary TensorFlow.js operations. */
export const decompositions: Readonly<Record<string, Decomposition>> = {
  ReproAttention: attentionParts,
  ReproAttentionGrad: attentionGradParts,
  ReproAttentionOfLengths: attentionParts,
  ReproAttentionOfLengthsGrad: attentionGradParts,
  ReproRotary: ({ x, cos, sin }, { inverse }) => {
    const [x1, x2] = halves(x!)
    const shape = [1, cos!.shape[0]!, 1, cos!.shape[1]!]
    const c = tf.reshape(cos!, shape)
    const s = tf.reshape(inverse === true ? tf.neg(sin!) : sin!, shape)
    return tf.concat([tf.add(tf.mul(x1, c), tf.mul(x2, s)), tf.sub(tf.mul(x2, c), tf.mul(x1, s))], -1)
  },
  ReproRmsNorm: ({ x }, { eps }) => tf.mul(x!, inverseRms(x!, eps as number)),
  ReproRmsNormGrad: ({ x, dy }, { eps }) => {
    const r = inverseRms(x!, eps as number)
    const projection = tf.mul(tf.mean(tf.mul(dy!, x!), -1, true), tf.square(r))
    return tf.mul(r, tf.sub(dy!, tf.mul(x!, projection)))
  },
  ReproCrossEntropy: ({ logits, targets }) => {
    const hot = tf.oneHot(targets!, logits!.shape[1]!)
    return tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits!), hot), -1))
  },
  ReproCrossEntropyGrad: ({ logits, targets, dy }) => {
    const hot = tf.oneHot(targets!, logits!.shape[1]!)
    return tf.mul(tf.sub(tf.softmax(logits!), hot), tf.expandDims(dy!, -1))
  },
}

const run = (kernel: string, inputs: Inputs, attrs: Readonly<Record<string, unknown>> = {}): T | T[] =>
  tf.engine().runKernel(kernel, { ...inputs }, attrs as unknown as tf.NamedAttrMap)

/**
 * Dot-product attention per head. q: [B,T,H,D]; k, v: [B,S,H,D]; result [B,T,H,D].
 *
 * With `lengths`, i32 [B], the queries of row b see its keys 0 .. lengths[b] - 1 alone. A row of length 0 gives 0, and
 * lengths above S are S. Queries are not masked: what those at or beyond the length give is the caller's to ignore.
 */
export const attention = (q: T, k: T, v: T, { scale, causal }: AttentionOptions, lengths?: T): T =>
  (lengths === undefined
    ? run("ReproAttention", { q, k, v }, { scale, causal })
    : run("ReproAttentionOfLengths", { q, k, v, lengths }, { scale, causal })) as T

/**
 * Half-split rotation of x [B,T,H,D] by cos, sin [T,D/2]: y1 = x1 cos + x2 sin, y2 = x2 cos - x1 sin; inverse: by the
 * opposite angle, y1 = x1 cos - x2 sin, y2 = x2 cos + x1 sin, which is the convention of GPT-NeoX, LLaMA and LLaDA.
 */
export const rotary = (x: T, cos: T, sin: T, { inverse = false }: { readonly inverse?: boolean } = {}): T =>
  run("ReproRotary", { x, cos, sin }, { inverse }) as T

/** x * rsqrt(mean(x^2) + eps) over the last axis. */
export const rmsNorm = (x: T, { eps }: { readonly eps: number }): T =>
  run("ReproRmsNorm", { x }, { eps }) as T

/** Nats [N] of the targets (i32 [N]) under softmax(logits [N,V]). */
export const crossEntropy = (logits: T, targets: T): T => run("ReproCrossEntropy", { logits, targets }) as T

const GRADIENTS: readonly tf.GradConfig[] = [
  {
    kernelName: "ReproAttention",
    inputsToSave: ["q", "k", "v"],
    gradFunc: (dy, saved, attrs) => {
      const [q, k, v] = saved as [T, T, T]
      // Run here, not inside the thunks: the tape disposes of everything a thunk makes and does not return.
      const all = run("ReproAttentionGrad", { q, k, v, dy: dy as T }, attrs as Record<string, unknown>) as T[]
      return { q: () => all[0]!, k: () => all[1]!, v: () => all[2]! }
    },
  },
  {
    kernelName: "ReproAttentionOfLengths",
    inputsToSave: ["q", "k", "v", "lengths"],
    gradFunc: (dy, saved, attrs) => {
      const [q, k, v, lengths] = saved as [T, T, T, T]
      const inputs = { q, k, v, dy: dy as T, lengths }
      const all = run("ReproAttentionOfLengthsGrad", inputs, attrs as Record<string, unknown>) as T[]
      return { q: () => all[0]!, k: () => all[1]!, v: () => all[2]! }
    },
  },
  {
    kernelName: "ReproRotary",
    inputsToSave: ["cos", "sin"],
    gradFunc: (dy, saved, attrs) => {
      const [cos, sin] = saved as [T, T]
      const inverse = attrs["inverse"] !== true
      return { x: () => run("ReproRotary", { x: dy as T, cos, sin }, { inverse }) as T }
    },
  },
  {
    kernelName: "ReproRmsNorm",
    inputsToSave: ["x"],
    gradFunc: (dy, saved, attrs) => ({
      x: () => run("ReproRmsNormGrad", { x: saved[0]!, dy: dy as T }, attrs as Record<string, unknown>) as T,
    }),
  },
  {
    kernelName: "ReproCrossEntropy",
    inputsToSave: ["logits", "targets"],
    gradFunc: (dy, saved) => ({
      logits: () => run("ReproCrossEntropyGrad", { logits: saved[0]!, targets: saved[1]!, dy: dy as T }) as T,
    }),
  },
]

/** Registers the gradients of the composites that are not yet registered. */
export const registerCompositeGradients = (): void => {
  for (const config of GRADIENTS) {
    if (tf.getGradient(config.kernelName) === undefined) tf.registerGradient(config)
  }
}

/** Registers the decompositions as the composites' kernels on an ordinary backend, for example `cpu`. */
export const registerComposites = (backendName: string): void => {
  for (const [kernelName, decomposition] of Object.entries(decompositions)) {
    if (tf.getKernelsForBackend(backendName).some((k) => k.kernelName === kernelName)) continue
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs }) =>
        tf.tidy(() =>
          decomposition(inputs as unknown as Inputs, (attrs ?? {}) as Readonly<Record<string, unknown>>),
        ),
    })
  }
}
