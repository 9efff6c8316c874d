/**
 * One optimiser step in TensorFlow.js operations: clip, AdamW or Muon, moving average of the weights.
 *
 * What depends on the step alone (learning rates, bias corrections, momentum) is computed on the host in float64
 * and comes in as scalars, so that one traced program serves every step.
 */
import type { AdamWUpdate } from "../engine/executor.js"
import type { AdamWOptimizer, MuonOptimizer, Optimizer, Training } from "../spec/training.js"
import { get, type Tensors } from "./layers.js"
import type { Initial, ParameterGroup, ParameterSpec } from "./parameters.js"
import { zeros } from "./parameters.js"
import * as tf from "./tf.js"

/** One tensor that the optimiser keeps between steps. */
export interface StateSpec {
  readonly name: string
  readonly shape: readonly number[]
  /** `parameter`: starts as a copy of the named parameter. */
  readonly init: Initial | { readonly kind: "parameter"; readonly name: string }
}

type Rule = "adamw" | "muon"

const ruleOf = (optimizer: Optimizer, group: ParameterGroup): Rule =>
  optimizer.kind === "muon" && group === "matrix" ? "muon" : "adamw"

/** The learning rates of an optimiser: `table` is that of the embedding and head tables. */
type RateName = "adamw" | "table" | "muon"

const rateOf = (optimizer: Optimizer, group: ParameterGroup): RateName =>
  optimizer.kind === "adamw"
    ? "adamw"
    : group === "matrix"
      ? "muon"
      : group === "embedding"
        ? "table"
        : "adamw"

const decayOf = (optimizer: Optimizer, rate: RateName): number =>
  optimizer.kind === "muon" && rate === "muon" ? optimizer.weightDecay : adamOf(optimizer).weightDecay

const adamOf = (optimizer: Optimizer): AdamWOptimizer =>
  optimizer.kind === "muon" ? optimizer.rest : optimizer

/** The optimiser's tensors: adam.m/, adam.v/, muon.m/ and ema/ followed by the parameter's name. */
export const optimizerState = (
  specs: readonly ParameterSpec[],
  { optimizer, emaDecay }: Pick<Training, "optimizer" | "emaDecay">,
): readonly StateSpec[] => {
  const slots = specs.flatMap(({ name, shape, group }): StateSpec[] =>
    (ruleOf(optimizer, group) === "muon" ? ["muon.m"] : ["adam.m", "adam.v"]).map((slot) => ({
      name: `${slot}/${name}`,
      shape,
      init: zeros,
    })),
  )
  const averages = specs.map(({ name, shape }): StateSpec => ({
    name: `ema/${name}`,
    shape,
    init: { kind: "parameter", name },
  }))
  return emaDecay === undefined ? slots : [...slots, ...averages]
}

/** Names of the scalar feeds of a step. */
export const optimizerScalars = (optimizer: Optimizer): readonly string[] =>
  Object.keys(scalarValues(optimizer, 0, 1))

/**
 * Values of the scalar feeds.
 *
 * - rate/<r>: Adam's learning rate over its first bias correction, or Muon's learning rate.
 * - keep/<r>: 1 - learning rate * weight decay, where there is weight decay.
 * - inverseSqrtCorrection2: 1 / sqrt(1 - beta2^(step + 1)).
 * - momentum: Muon's, after its warm-up.
 *
 * @param step optimiser steps already made since the start of the run
 * @param factor of the learning-rate schedule at this step
 */
export const scalarValues = (
  optimizer: Optimizer,
  step: number,
  factor: number,
): Readonly<Record<string, number>> => {
  const adam = adamOf(optimizer)
  const [beta1, beta2] = adam.betas
  const keep = (name: RateName, rate: number): Record<string, number> => {
    const decay = decayOf(optimizer, name)
    return decay === 0 ? {} : { [`keep/${name}`]: 1 - rate * decay }
  }
  const adamRate = (learningRate: number, name: RateName): Record<string, number> => ({
    [`rate/${name}`]: (learningRate * factor) / (1 - beta1 ** (step + 1)),
    ...keep(name, learningRate * factor),
  })
  const shared = {
    ...adamRate(adam.learningRate, "adamw"),
    inverseSqrtCorrection2: 1 / Math.sqrt(1 - beta2 ** (step + 1)),
  }
  if (optimizer.kind === "adamw") return shared
  return {
    ...shared,
    ...adamRate(optimizer.embeddingLearningRate ?? adam.learningRate, "table"),
    "rate/muon": optimizer.learningRate * factor,
    ...keep("muon", optimizer.learningRate * factor),
    momentum: momentumAt(optimizer, step),
  }
}

/** Muon's momentum: linear from `from` to `momentum` over the warm-up's steps, then constant. */
export const momentumAt = ({ momentum, momentumWarmup }: MuonOptimizer, step: number): number => {
  if (momentumWarmup === undefined) return momentum
  const done = Math.min(step / momentumWarmup.steps, 1)
  return (1 - done) * momentumWarmup.from + done * momentum
}

/** `applyUpdate` in words where it is AdamW alone; undefined for anything else. */
export const describeUpdate = ({
  optimizer,
  clipNorm,
  emaDecay,
}: Pick<Training, "optimizer" | "clipNorm" | "emaDecay">): AdamWUpdate | undefined =>
  optimizer.kind !== "adamw"
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
 * times sqrt(max(1, rows / columns)). Average: ema <- decay ema + (1 - decay) parameter.
 */
export const applyUpdate = (
  specs: readonly ParameterSpec[],
  { optimizer, clipNorm, emaDecay }: Pick<Training, "optimizer" | "clipNorm" | "emaDecay">,
  { parameters, gradients, state, scalars }: UpdateInputs,
): UpdateResult => {
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

  for (const { name, group } of specs) {
    const g = get(gradients, name)
    const rate = rateOf(optimizer, group)
    const muon = optimizer.kind === "muon" && ruleOf(optimizer, group) === "muon"
    const update = muon
      ? muonUpdate(name, clip === undefined ? g : tf.mul(g, clip), optimizer.newtonSchulzSteps)
      : adamUpdate(name, g)
    const pace = get(scalars, `rate/${rate}`)
    const decayed =
      decayOf(optimizer, rate) === 0
        ? get(parameters, name)
        : tf.mul(get(parameters, name), get(scalars, `keep/${rate}`))
    const next = tf.sub(decayed, tf.mul(update, muon ? pace : tf.div(pace, correction)))
    nextParameters[name] = next
    if (emaDecay !== undefined) {
      const average = tf.mul(get(state, `ema/${name}`), emaDecay)
      nextState[`ema/${name}`] = tf.add(average, tf.mul(next, 1 - emaDecay))
    }
  }
  return { parameters: nextParameters, state: nextState, gradNorm }
}
