/**
 * What an optimiser keeps and is fed, without tensors: its state by name, and the scalars of a step.
 *
 * What depends on the step alone (learning rates, bias corrections, momentum) is computed here in float64 and comes in
 * as scalars, so that one traced program serves every step.
 */
import type { AdamWOptimizer, MuonOptimizer, Optimizer, Training } from "../spec/training.js"
import { zeros, type Initial, type ParameterSpec } from "./parameters.js"

/** The settings that an update is made of. */
export type UpdateSettings = Pick<Training, "optimizer" | "clipNorm" | "emaDecay" | "emaWarmup">

/** One tensor that the optimiser keeps between steps. */
export interface StateSpec {
  readonly name: string
  readonly shape: readonly number[]
  /** `parameter`: starts as a copy of the named parameter. */
  readonly init: Initial | { readonly kind: "parameter"; readonly name: string }
}

/** The parameters that training changes. */
export const trainable = (specs: readonly ParameterSpec[]): readonly ParameterSpec[] =>
  specs.filter(({ frozen }) => frozen !== true)

export const ruleOf = (optimizer: Optimizer, { group }: Pick<ParameterSpec, "group">): "adamw" | "muon" =>
  optimizer.kind === "muon" && group === "matrix" ? "muon" : "adamw"

/** AdamW's settings: of the optimiser itself, or of what Muon leaves to it. */
export const adamOf = (optimizer: Optimizer): Omit<AdamWOptimizer, "groups"> =>
  optimizer.kind === "muon" ? optimizer.rest : optimizer

/** One learning rate of an optimiser, with its weight decay. */
interface Rate {
  /** `adamw`, `table` (embedding and head tables under Muon), `muon`, or `group<i>`. */
  readonly name: string
  readonly learningRate: number
  readonly weightDecay: number
}

const adamwRates = (optimizer: AdamWOptimizer): readonly Rate[] => [
  { name: "adamw", learningRate: optimizer.learningRate, weightDecay: optimizer.weightDecay },
  ...(optimizer.groups ?? []).map(
    ({ learningRate = optimizer.learningRate, weightDecay = optimizer.weightDecay }, i) => ({
      name: `group${i}`,
      learningRate,
      weightDecay,
    }),
  ),
]

const muonRates = ({
  rest,
  embeddingLearningRate = rest.learningRate,
  ...own
}: MuonOptimizer): readonly Rate[] => [
  { name: "adamw", learningRate: rest.learningRate, weightDecay: rest.weightDecay },
  { name: "table", learningRate: embeddingLearningRate, weightDecay: rest.weightDecay },
  { name: "muon", learningRate: own.learningRate, weightDecay: own.weightDecay },
]

const ratesOf = (optimizer: Optimizer): readonly Rate[] =>
  optimizer.kind === "muon" ? muonRates(optimizer) : adamwRates(optimizer)

/** The name of a parameter's rate: that of the first group whose pattern its name matches, else its kind's. */
export const rateOf = (
  optimizer: Optimizer,
  { name, group }: Pick<ParameterSpec, "name" | "group">,
): string => {
  if (optimizer.kind === "muon")
    return group === "matrix" ? "muon" : group === "embedding" ? "table" : "adamw"
  const index = optimizer.groups?.findIndex(({ match }) => new RegExp(match, "u").test(name)) ?? -1
  return index < 0 ? "adamw" : `group${index}`
}

/** Whether the parameters of a rate decay. */
export const decaysOf = (optimizer: Optimizer, rate: string): boolean =>
  ratesOf(optimizer).some(({ name, weightDecay }) => name === rate && weightDecay !== 0)

/** Adam's and Muon's moments: adam.m/, adam.v/, muon.m/ followed by the parameter's name. */
export const momentSpecs = (
  specs: readonly ParameterSpec[],
  { optimizer }: Pick<Training, "optimizer">,
): readonly StateSpec[] =>
  trainable(specs).flatMap((spec): StateSpec[] =>
    (ruleOf(optimizer, spec) === "muon" ? ["muon.m"] : ["adam.m", "adam.v"]).map((slot) => ({
      name: `${slot}/${spec.name}`,
      shape: spec.shape,
      init: zeros,
    })),
  )

/** The moving averages: ema/ followed by the parameter's name; none without a decay. */
export const averageSpecs = (
  specs: readonly ParameterSpec[],
  { emaDecay }: Pick<Training, "emaDecay">,
): readonly StateSpec[] =>
  emaDecay === undefined
    ? []
    : trainable(specs).map(({ name, shape }) => ({
        name: `ema/${name}`,
        shape,
        init: { kind: "parameter", name },
      }))

/** The optimiser's tensors: moments, then averages. */
export const optimizerState = (
  specs: readonly ParameterSpec[],
  training: Pick<Training, "optimizer" | "emaDecay">,
): readonly StateSpec[] => [...momentSpecs(specs, training), ...averageSpecs(specs, training)]

/** Names of the scalar feeds of an optimiser's step. */
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
  const [beta1, beta2] = adamOf(optimizer).betas
  const rates = ratesOf(optimizer).flatMap(({ name, learningRate, weightDecay }): [string, number][] => {
    const rate = learningRate * factor
    return [
      [`rate/${name}`, name === "muon" ? rate : rate / (1 - beta1 ** (step + 1))],
      ...(weightDecay === 0 ? [] : [[`keep/${name}`, 1 - rate * weightDecay] as [string, number]]),
    ]
  })
  return {
    ...Object.fromEntries(rates),
    inverseSqrtCorrection2: 1 / Math.sqrt(1 - beta2 ** (step + 1)),
    ...(optimizer.kind === "muon" ? { momentum: momentumAt(optimizer, step) } : {}),
  }
}

/**
 * Values of the scalar feeds of a whole update: the optimiser's, and with a warm-up of the average its shares:
 * average/keep = min(decay, (1 + n) / (10 + n)) after n updates, this one included, and average/take = 1 - keep.
 */
export const updateScalars = (
  { optimizer, emaDecay, emaWarmup }: Omit<UpdateSettings, "clipNorm">,
  step: number,
  factor: number,
): Readonly<Record<string, number>> => {
  const values = scalarValues(optimizer, step, factor)
  if (emaDecay === undefined || emaWarmup !== true) return values
  const keep = Math.min(emaDecay, (2 + step) / (11 + step))
  return { ...values, "average/keep": keep, "average/take": 1 - keep }
}

/** Muon's momentum: linear from `from` to `momentum` over the warm-up's steps, then constant. */
export const momentumAt = ({ momentum, momentumWarmup }: MuonOptimizer, step: number): number => {
  if (momentumWarmup === undefined) return momentum
  const done = Math.min(step / momentumWarmup.steps, 1)
  return (1 - done) * momentumWarmup.from + done * momentum
}
