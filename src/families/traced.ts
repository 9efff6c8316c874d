/**
 * The traced side of the families: the tensors of each network and the loss of each objective, by kind.
 *
 * Logits are computed only where they are needed. A masked-diffusion objective scores the `capacity` positions
 * that its feeds list; the autoregressive objective scores every position. They run over the tokenizer's classes
 * alone, which is the published substitution head: MASK and PAD logits at minus a million contribute exactly 0.
 */
import { gatherRows, get, type Tensors } from "../model/layers.js"
import type {
  FeedSpec,
  Heads,
  Network,
  NetworkProgram,
  NetworkSource,
  ObjectiveProgram,
} from "../model/network.js"
import * as tf from "../model/tf.js"
import { flexmdmObjective } from "../objectives/flexmdm/loss.js"
import { flexmdmProgram, mdmProgram } from "./flexmdm/network.js"
import { sampledFlexmdm } from "./flexmdm/sampled.js"
import type { FlexmdmObjective } from "./flexmdm/schema.js"
import { gptProgram } from "./gpt/network.js"
import { gpt2Program } from "./gpt2/network.js"
import { lladaProgram } from "./llada/network.js"
import { sampledLlada } from "./llada/sampled.js"
import {
  networkPart,
  objectivePart,
  registerFamily,
  type RegisteredModel,
  type RegisteredObjective,
} from "./index.js"
import { mdlmProgram } from "./mdlm/network.js"
import type { Family, Kind } from "./part.js"

/** Cross-entropy of the targets under weights that hold the divisor: sum_j weights[j] * CE_j in nats. */
export const weightedCrossEntropy: ObjectiveProgram<Kind> = {
  loss: ({ tokens }, feeds) =>
    tf.sum(tf.mul(tf.crossEntropy(tokens, get(feeds, "targets")), get(feeds, "weights"))),
}

type Programs<K extends Kind, P> = { readonly [Name in K["kind"]]: P }

const NETWORKS: {
  readonly [Name in RegisteredModel["kind"]]: NetworkProgram<Extract<RegisteredModel, { kind: Name }>>
} = {
  mdlm: mdlmProgram,
  gpt: gptProgram,
  gpt2: gpt2Program,
  flexmdm: {
    ...flexmdmProgram,
    // Its own rules give it no objective but its own.
    sampled: (model, objective, classes) =>
      sampledFlexmdm(model, (objective as FlexmdmObjective).schedules, classes),
  },
  mdm: mdmProgram,
  llada: { ...lladaProgram, sampled: (model, _objective, classes) => sampledLlada(model, classes) },
}

const OBJECTIVES: Programs<RegisteredObjective, ObjectiveProgram<Kind>> = {
  "masked-diffusion": weightedCrossEntropy,
  autoregressive: weightedCrossEntropy,
  flexmdm: flexmdmObjective,
  llada: weightedCrossEntropy,
}

const networks = new Map<string, NetworkProgram<Kind>>(Object.entries(NETWORKS))
const objectives = new Map<string, ObjectiveProgram<Kind>>(Object.entries(OBJECTIVES))

/** A family with the programs of its parts, by kind. */
export interface TracedFamily extends Family {
  readonly networkPrograms: Readonly<Record<string, NetworkProgram<never>>>
  readonly objectivePrograms: Readonly<Record<string, ObjectiveProgram<never>>>
}

/** Adds a whole family for the rest of the process; returns what takes it away again. */
export const registerTraced = (family: TracedFamily): (() => void) => {
  const remove = registerFamily(family)
  for (const { kind } of family.networks) networks.set(kind, family.networkPrograms[kind]!)
  for (const { kind } of family.objectives) objectives.set(kind, family.objectivePrograms[kind]!)
  return () => {
    remove()
    for (const { kind } of family.networks) networks.delete(kind)
    for (const { kind } of family.objectives) objectives.delete(kind)
  }
}

const feedIf = (name: string, dtype: FeedSpec["dtype"], shape: readonly number[], when = true): FeedSpec[] =>
  when ? [{ name, dtype, shape }] : []

/** The network of an experiment. */
export const networkOf = ({ model, objective, data }: NetworkSource): Network => {
  const { vocabSize } = data.tokenizer
  const part = networkPart(model)
  const classes = part.classes?.(model, vocabSize) ?? vocabSize
  const { scored } = objectivePart(objective)
  const taken = part.takes(model)
  const grows = part.endSlot?.(model) !== undefined
  const program = networks.get(model.kind)!
  const objectiveProgram = objectives.get(objective.kind)!

  const heads = (parameters: Tensors, feeds: Tensors): Heads => {
    const positions = scored === "all" ? undefined : get(feeds, "positions")
    const select = (x: tf.Tensor): tf.Tensor =>
      positions === undefined ? x : gatherRows(x, positions, feeds["slots"])
    return program.heads(parameters, feeds, model, classes, { select, positions })
  }

  const sampled = program.sampled?.(model, objective, vocabSize)

  return {
    parameters: part.parameters(model, vocabSize),
    ...(sampled === undefined ? {} : { sampled }),
    heads,
    scored,
    vocabSize,
    loss: (parameters, feeds) => objectiveProgram.loss(heads(parameters, feeds), feeds, objective),
    nats: (parameters, feeds) => tf.crossEntropy(heads(parameters, feeds).tokens, get(feeds, "targets")),
    logProbs: (parameters, feeds) => tf.logSoftmax(heads(parameters, feeds).tokens),
    feeds: (use, { rows, length, capacity }) => {
      const count = scored === "all" ? rows * length : capacity
      return [
        ...feedIf("inputIds", "i32", [rows, length]),
        ...feedIf("sigma", "f32", [rows], taken.includes("sigma")),
        ...feedIf("lengths", "i32", [rows], taken.includes("lengths")),
        ...feedIf("time", "f32", [rows], taken.includes("time")),
        ...feedIf("insertionAlpha", "f32", [rows], taken.includes("insertionAlpha")),
        ...feedIf("positions", "i32", [count], scored === "masked"),
        ...feedIf("targets", "i32", [count], use !== "logProbs"),
        ...feedIf("weights", "f32", [count], use === "loss"),
        ...feedIf("gapTargets", "f32", [rows * length], use === "loss" && grows),
        ...feedIf("gapWeights", "f32", [rows * length], use === "loss" && grows),
        ...feedIf("slots", "i32", [rows * length], use === "loss" && scored === "masked"),
      ]
    },
  }
}
