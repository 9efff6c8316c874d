/**
 * One optimiser step in TensorFlow.js operations: clip, AdamW or Muon, moving average of the weights.
 *
 * What depends on the step alone (learning rates, bias corrections, momentum) is computed on the host in float64
 * and comes in as scalars, so that one traced program serves every step.
 */
import type { AdamWUpdate } from "../engine/executor.js"
import { get, type Tensors } from "./layers.js"
import { adamOf, decaysOf, rateOf, ruleOf, trainable, type UpdateSettings } from "./optimizer-state.js"
import type { ParameterSpec } from "./parameters.js"
import * as tf from "./tf.js"

export {
  momentumAt,
  optimizerScalars,
  optimizerState,
  scalarValues,
  type StateSpec,
} from "./optimizer-state.js"

/** `applyUpdate` in words where it is AdamW alone; undefined for anything else. */
export const describeUpdate = ({
  optimizer,
  clipNorm,
  emaDecay,
  emaWarmup,
}: UpdateSettings): AdamWUpdate | undefined =>
  optimizer.kind !== "adamw" || optimizer.groups !== undefined || emaWarmup === true
    ? undefined
    : {
        kind: "adamw",
        betas: optimizer.betas,
        eps: optimizer.eps,
        clipNorm,
        moments: ["adam.m/", "adam.v/"],
        ...(emaDecay === undefined ? {} : { average: { prefix: "ema/", decay: emaDecay } }),
        scalars: {
          rate: "rate/adamw",
          inverseSqrtCorrection2: "inverseSqrtCorrection2",
          ...(optimizer.weightDecay === 0 ? {} : { keep: "keep/adamw" }),
        },
      }

/** The Euclidean norm of all gradients together. */
const globalNorm = (gradients: readonly tf.Tensor[]): tf.Tensor =>
  tf.sqrt(gradients.map((g) => tf.sum(tf.square(g))).reduce((a, b) => tf.add(a, b)))

/**
 * An approximately orthogonal matrix with the singular vectors of g: five-term Newton-Schulz iteration on
 * g / (|g| + 1e-7) with coefficients 3.4445, -4.7750, 2.0315, on the side with fewer rows. Published in
 * bfloat16 (parameter-golf train_gpt.py); here in the program's precision.
 */
export const orthogonalise = (g: tf.Tensor, steps: number): tf.Tensor => {
  const [rows, columns] = g.shape as [number, number]
  const tall = rows > columns
  let x = tf.div(tall ? tf.transpose(g) : g, tf.add(tf.sqrt(tf.sum(tf.square(g))), 1e-7))
  for (let i = 0; i < steps; i++) {
    const a = tf.matMul(x, x, false, true)
    const b = tf.add(tf.mul(a, -4.775), tf.mul(tf.matMul(a, a), 2.0315))
    x = tf.add(tf.mul(x, 3.4445), tf.matMul(b, x))
  }
  return tall ? tf.transpose(x) : x
}

export interface UpdateInputs {
  readonly parameters: Tensors
  readonly gradients: Tensors
  readonly state: Tensors
  /** Scalars named as by `optimizerScalars`. */
  readonly scalars: Tensors
}

export interface UpdateResult {
  readonly parameters: Tensors
  readonly state: Tensors
  /** Norm of all gradients before clipping. */
  readonly gradNorm: tf.Tensor
}

/**
 * Next parameters and state.
 *
 * Clip: gradients times min(1, clipNorm / (norm + 1e-6)), as `torch.nn.utils.clip_grad_norm_`. AdamW: as
 * `torch.optim.AdamW`, decay first. Muon: momentum m <- momentum m + g, Nesterov g + momentum m, orthogonalised,
 * times sqrt(max(1, rows / columns)). Frozen parameters are left out of all of it, the norm too. Average: ema <- decay ema + (1 - decay) parameter.
 */
export const applyUpdate = (
  all: readonly ParameterSpec[],
  { optimizer, clipNorm, emaDecay, emaWarmup }: UpdateSettings,
  { parameters, gradients, state, scalars }: UpdateInputs,
): UpdateResult => {
  const specs = trainable(all)
  const gradNorm = globalNorm(specs.map(({ name }) => get(gradients, name)))
  const clip = clipNorm === 0 ? undefined : tf.minimum(tf.div(clipNorm, tf.add(gradNorm, 1e-6)), 1)
  const { betas, eps } = adamOf(optimizer)
  const nextParameters: Record<string, tf.Tensor> = {}
  const nextState: Record<string, tf.Tensor> = {}

  // Every pass over a tensor counts, so factors are multiplied with each other first: those of the clip with those of
  // the moments, and m / (c sqrt(v) + eps) = (1 / c) m / (sqrt(v) + eps / c).
  const takeM = clip === undefined ? 1 - betas[0] : tf.mul(clip, 1 - betas[0])
  const takeV = clip === undefined ? 1 - betas[1] : tf.mul(tf.square(clip), 1 - betas[1])
  const correction = get(scalars, "inverseSqrtCorrection2")
  const smallest = tf.div(eps, correction)
  const adamUpdate = (name: string, g: tf.Tensor): tf.Tensor => {
    const m = tf.add(tf.mul(get(state, `adam.m/${name}`), betas[0]), tf.mul(g, takeM))
    const v = tf.add(tf.mul(get(state, `adam.v/${name}`), betas[1]), tf.mul(tf.mul(g, takeV), g))
    nextState[`adam.m/${name}`] = m
    nextState[`adam.v/${name}`] = v
    return tf.div(m, tf.add(tf.sqrt(v), smallest))
  }
  const muonUpdate = (name: string, g: tf.Tensor, steps: number): tf.Tensor => {
    const momentum = get(scalars, "momentum")
    const m = tf.add(tf.mul(get(state, `muon.m/${name}`), momentum), g)
    nextState[`muon.m/${name}`] = m
    const update = orthogonalise(tf.add(g, tf.mul(m, momentum)), steps)
    const [rows, columns] = update.shape as [number, number]
    return rows > columns ? tf.mul(update, Math.sqrt(rows / columns)) : update
  }

  for (const spec of specs) {
    const { name } = spec
    const g = get(gradients, name)
    const rate = rateOf(optimizer, spec)
    const muon = optimizer.kind === "muon" && ruleOf(optimizer, spec) === "muon"
    const update = muon
      ? muonUpdate(name, clip === undefined ? g : tf.mul(g, clip), optimizer.newtonSchulzSteps)
      : adamUpdate(name, g)
    const pace = get(scalars, `rate/${rate}`)
    const decayed = !decaysOf(optimizer, rate)
      ? get(parameters, name)
      : tf.mul(get(parameters, name), get(scalars, `keep/${rate}`))
    const next = tf.sub(decayed, tf.mul(update, muon ? pace : tf.div(pace, correction)))
    nextParameters[name] = next
    if (emaDecay !== undefined) {
      const [keep, take] =
        emaWarmup === true
          ? [get(scalars, "average/keep"), get(scalars, "average/take")]
          : [emaDecay, 1 - emaDecay]
      nextState[`ema/${name}`] = tf.add(tf.mul(get(state, `ema/${name}`), keep), tf.mul(next, take))
    }
  }
  return { parameters: nextParameters, state: nextState, gradNorm }
}
